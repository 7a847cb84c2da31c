"""The judge: what an agent's answer or report amounts to, given the book. Each verdict is the data of one ledger record.

A verdict only reads. It takes effect when the book folds the record, whoever wrote it.
"""

from collections.abc import Mapping
from typing import Any

from coordinator.commitments import Book, Deal, State, amount_text, statement_of
from coordinator.network import Stance
from coordinator.signals import Answer, Event, Report
from coordinator.times import format_instant
from coordinator.units import Quantity

__all__ = ["Verdict", "judge", "plan_broken", "plan_committed", "plan_released"]

Verdict = dict[str, Any]  # the data of a ledger record

# Which Valueflows actions say that goods or work went over. The others (produce, raise, cite ...) are noted and move nothing.
MOVING = frozenset(
    "accept consume deliverService dropoff move transfer transferAllRights transferCustody use work".split()  # noqa: SIM905
)
LEAVING = frozenset({"pickup"})  # it left its provider; it has not arrived yet


def judge(book: Book, event: Event, log_us: int) -> list[Verdict]:
    """Return what an answer, a withdrawn answer or a report amounts to, as ledger data in the order to be recorded."""
    verdicts = _judge_word(book, event, log_us)
    if event.spoken_by is None:
        return verdicts
    return [verdict | {"spoken_by": event.spoken_by} if "statement" in verdict else verdict for verdict in verdicts]


def _judge_word(book: Book, event: Event, log_us: int) -> list[Verdict]:
    if isinstance(event.data, Report):
        return [_judge_report(book, event, event.data)]
    if event.data is None:
        return [_judge_withdrawal(book, event, event.subject)]
    assert isinstance(event.data, Answer)  # nothing else is judged
    return _judge_answer(book, event, event.data, log_us)


def plan_committed(deal: Deal, acceptances: Mapping[str, str]) -> Verdict:
    """Return the one record that decides a plan every party has accepted."""
    return {
        "kind": "committed",
        "agent": deal.judge,
        "proposal": deal.proposal,
        "acceptances": dict(acceptances),
        "lines": [
            {
                "provider": line.provider,
                "receiver": line.receiver,
                "resource": line.resource,
                "quantity": line.quantity.to_json(),
                "offer": line.offer,
                "need": line.need,
            }
            for line in deal.lines
        ],
    }


def plan_released(deal: Deal, why: str) -> Verdict:
    """Return the record that ends a plan some had promised to; their capacity is free again."""
    return {"kind": "released", "agent": deal.judge, "proposal": deal.proposal, "ends": True, "why": why}


def plan_broken(deal: Deal) -> Verdict:
    """Return the record of a commitment that did not arrive in time."""
    arrived = sum(deal.delivered(index) >= line.quantity.grains for index, line in enumerate(deal.lines))
    why = f"the need's end passed with {arrived} of {len(deal.lines)} lines delivered in full"
    return {"kind": "broken", "agent": deal.judge, "proposal": deal.proposal, "why": why}


def _refused(event: Event, proposal: str, why: str) -> Verdict:
    """Return the record of a word that has no effect: which word, where it was no withdrawal, and why."""
    word: Verdict = {}
    match event.data:
        case Answer(answer=answer):
            word = {"answer": answer}
        case Report(action=action):
            word = {"action": action}
    return {"kind": "refused", "agent": event.name, "proposal": proposal, "statement": statement_of(event), **word, "why": why}


def _judge_answer(book: Book, event: Event, answer: Answer, log_us: int) -> list[Verdict]:
    deal = book.deals.get(answer.proposal)
    why = _not_answerable(book, deal, answer.proposal, event.name, log_us)
    if deal is None or why is not None:
        return [_refused(event, answer.proposal, why or "no such proposal")]
    match answer.answer:
        case "accept":
            return _judge_acceptance(book, event, deal)
        case "decline":
            limit = {}
        case "counter":
            limit = {"limit": answer.quantity.to_json()} if answer.quantity else {}
            why = _not_a_counter(deal, answer)
            if why is not None:
                return [_refused(event, deal.proposal, why)]
    verdict = {
        "kind": "declined" if answer.answer == "decline" else "countered",
        "agent": event.name,
        "proposal": deal.proposal,
        "statement": statement_of(event),
        **limit,
        **({"why": answer.reason} if answer.reason else {}),
        **(_balance(book, deal, event.name, given_back=True) if event.name in deal.promised else {}),
    }
    others = [party for party in deal.promised if party != event.name]
    if not others:
        return [verdict]
    return [verdict, plan_released(deal, f"{event.name} {verdict['kind']} it, so {', '.join(others)} is free of it")]


def _not_answerable(book: Book, deal: Deal | None, proposal: str, agent: str, log_us: int) -> str | None:
    if deal is None:
        ended = book.ended.get(proposal)
        if ended is State.RETRACTED:
            return f"proposal {proposal!r} was superseded or retracted; look for a newer one"
        if ended is State.LAPSED:
            return f"proposal {proposal!r} expired before anybody answered; look for a newer one"
        return f"proposal {proposal!r} has ended: {ended}" if ended else f"there is no proposal {proposal!r}; check the id"
    if agent not in deal.parties:
        return f"{agent!r} is not a party of proposal {proposal!r}; only {' and '.join(deal.parties)} may answer it"
    if not deal.is_open:
        return f"proposal {proposal!r} is {deal.state}; it can no longer be answered"
    if log_us >= deal.data.expires_us:
        return f"proposal {proposal!r} expired at {format_instant(deal.data.expires_us)}; look for a newer one"
    return None


def _judge_acceptance(book: Book, event: Event, deal: Deal) -> list[Verdict]:
    agent = event.name
    if agent in deal.promised:
        return [_refused(event, deal.proposal, f"{agent!r} has accepted proposal {deal.proposal!r} already; once is enough")]
    why = book.cannot_promise(deal, agent)
    if why is not None:
        return [_refused(event, deal.proposal, why)]
    promised = {
        "kind": "promised",
        "agent": agent,
        "proposal": deal.proposal,
        "statement": statement_of(event),
        **_balance(book, deal, agent, given_back=False),
    }
    acceptances = {**deal.promised, agent: statement_of(event)}
    if any(party not in acceptances for party in deal.parties):
        return [promised]
    return [promised, plan_committed(deal, acceptances)]


def _not_a_counter(deal: Deal, answer: Answer) -> str | None:
    if answer.quantity is None:
        return "a counter says how much instead; send `quantity`, or decline"
    if len(deal.lines) > 1:
        return (
            f"proposal {deal.proposal!r} has {len(deal.lines)} lines; a counter needs one: decline it and say in your signals what you can"
        )
    quantity = deal.lines[0].quantity
    if answer.quantity.dimension != quantity.dimension:
        return f"the counter is in {answer.quantity.unit!r}, the proposal in {quantity.unit!r}; use a unit of the same dimension"
    if answer.quantity.grains >= quantity.grains:
        return f"a counter is smaller than what was proposed ({amount_text(quantity)}); accept it, or raise your signal for more"
    return None


def _judge_withdrawal(book: Book, event: Event, proposal: str) -> Verdict:
    deal = book.deals.get(proposal)
    if deal is None or event.name not in deal.promised:
        return _refused(event, proposal, f"{event.name!r} has no standing acceptance of proposal {proposal!r} to take back")
    if deal.state is not State.PROMISED:
        why = f"proposal {proposal!r} is {deal.state}: everybody accepted, so it stands; report what happened instead"
        return _refused(event, proposal, why)
    return {
        "kind": "released",
        "agent": event.name,
        "proposal": proposal,
        "statement": statement_of(event),
        **_balance(book, deal, event.name, given_back=True),
    }


def _judge_report(book: Book, event: Event, report: Report) -> Verdict:
    deal = book.deals.get(report.commitment)
    agent = event.name
    if deal is None or deal.is_open or not deal.may("delivered"):
        return _refused(event, report.commitment, f"there is no commitment {report.commitment!r} to report on; check the id")
    if agent not in deal.parties:
        why = f"{agent!r} is not a party of {report.commitment!r}; only {' and '.join(deal.parties)} may report on it"
        return _refused(event, report.commitment, why)
    verdict: Verdict = {
        "kind": "noted",
        "agent": agent,
        "proposal": deal.proposal,
        "statement": statement_of(event),
        "action": report.action,
    }
    if report.action not in MOVING | LEAVING:
        return verdict
    own = _spoken_of(deal, agent, report.action)
    if report.action in LEAVING and not all(deal.lines[index].provider == agent for index in own):
        return _refused(event, deal.proposal, f"{report.action!r} is what the provider does; a receiver reports what arrived")
    moved = _moved(deal, agent, own, report, deal.left if report.action in LEAVING else deal.shipped)
    if isinstance(moved, str):
        return _refused(event, deal.proposal, moved)
    lines = zip(deal.lines, moved, strict=True)
    verdict["moved"] = [Quantity(grains, line.quantity.unit).to_json() if grains else None for line, grains in lines]
    verdict["kind"] = "shipped" if report.action in LEAVING else _arrival(deal, agent, moved)
    return verdict


def _spoken_of(deal: Deal, agent: str, action: str) -> set[int]:
    """Return the lines that an agent's report speaks of: its own. Who gets and gives says which by the action: "accept" is getting."""
    gives = {index for index, line in enumerate(deal.lines) if line.provider == agent}
    gets = {index for index, line in enumerate(deal.lines) if line.receiver == agent} - gives
    if gives and gets:
        return gets if action == "accept" else gives
    return gives | gets


def _arrival(deal: Deal, agent: str, moved: list[int]) -> str:
    """Return "fulfilled" when this report completes every line by one side's word, else "delivered"."""
    if not deal.may("fulfilled"):
        return "delivered"
    for index, line in enumerate(deal.lines):
        said = deal.shipped[index] if line.provider == agent else deal.received[index]
        if max(said + moved[index], deal.delivered(index)) < line.quantity.grains:
            return "delivered"
    return "fulfilled"


def _moved(deal: Deal, agent: str, own: set[int], report: Report, by_provider: list[int]) -> list[int] | str:
    """Return what a report moves of each line, in grains, or why it cannot be.

    `own` are the lines it speaks of; `by_provider` is what the provider said of them before.
    """
    tally = [by_provider[index] if line.provider == agent else deal.received[index] for index, line in enumerate(deal.lines)]
    lines = zip(deal.lines, tally, strict=True)
    open_grains = [line.quantity.grains - said if index in own else 0 for index, (line, said) in enumerate(lines)]
    amount = report.quantity or report.effort
    if amount is None:
        return open_grains if any(open_grains) else f"{agent!r} has reported all of {deal.proposal!r} already"
    fitting = [index for index in sorted(own) if deal.lines[index].quantity.dimension == amount.dimension]
    if len(fitting) != 1:
        return f"{len(fitting)} lines of {deal.proposal!r} are counted in {amount.unit!r} or the like; report all of it, without a quantity"
    index = fitting[0]
    if amount.grains > open_grains[index]:
        left = Quantity(max(0, open_grains[index]), deal.lines[index].quantity.unit)
        return f"{amount_text(amount)} is more than the {amount_text(left)} of {deal.proposal!r} that {agent!r} has not reported yet"
    return [amount.grains if position == index else 0 for position in range(len(deal.lines))]


def _balance(book: Book, deal: Deal, agent: str, *, given_back: bool) -> dict[str, Any]:
    """Return ``free_before`` and ``free_after`` of every signal of this agent that the plan draws on."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for ref, grains in deal.asks_of(agent).items():
        stance = book.network.stances[ref]
        change = _returned(stance, deal, grains) if given_back else -grains
        before[ref] = book.network.quantity(stance, stance.free_grains).to_json()
        after[ref] = book.network.quantity(stance, stance.free_grains + change).to_json()
    return {"free_before": before, "free_after": after}


def _returned(stance: Stance, deal: Deal, grains: int) -> int:
    if not stance.stands:
        return 0
    return grains if stance.total or stance.count == deal.counts[stance.ref] else 0
