"""What a coordinator that shares the stream with others decides: on what stands, and without touching it.

A decision takes effect only when it is folded where it came to stand, which may be behind what others decided meanwhile. So it is
looked at again there: what no longer holds is void, and whatever it was about is decided anew.
"""

from collections.abc import Callable

from coordinator.commitments import Deal, State
from coordinator.cycle import Coordination, ledger_subject
from coordinator.errors import Refused
from coordinator.network import Thing
from coordinator.signals import Answer, Event, Ledger, Proposal, Report, Worded, event_json, worded
from coordinator.verdicts import Verdict, judge

__all__ = ["give_up", "judged", "obey", "planned"]

MOST_VERDICTS = 2_000  # of one turn; more are said in the next


def judged(coordination: Coordination, is_mine: Callable[[str], bool]) -> list[bytes]:
    """Return what is to be said of plans whose time is up and of words that await a verdict, for the agents that are mine.

    What touches a proposal or an agent of which something else is said here waits until that stands: it may depend on it.
    """
    lines: list[bytes] = []
    for proposal, (agent, verdict) in coordination.due.items():
        if is_mine(agent) and len(lines) < MOST_VERDICTS:
            lines.append(_retraction(coordination, proposal).line if verdict is None else _line(coordination, verdict))
    touched = set(coordination.due)
    for deal in filter(None, map(coordination.book.deals.get, coordination.due)):
        touched |= _signals_of(deal)
    for event in coordination.unjudged.values():
        about = _touched_by(coordination, event)
        speaker = f"agent:{event.name}"
        if not is_mine(event.name):
            touched.add(_proposal_of(event))
        elif speaker in touched or not touched.isdisjoint(about) or len(lines) >= MOST_VERDICTS:
            touched |= {speaker, *about}  # and so does what the same agent said after that
        else:
            lines.extend(_line(coordination, verdict) for verdict in judge(coordination.book, event, coordination.log_us))
            touched |= about
    return lines


def planned(coordination: Coordination, is_mine: Callable[[Thing], bool] | None = None, at_most: int | None = None) -> list[Worded]:
    """Return the proposals and retractions that make the markets that are mine, by default all, what is best for them now.

    Of more than `at_most` markets in question the rest is left to the next call, while the planner says that it `goes_on`.
    """
    revision = coordination.revision(is_mine, at_most)
    proposed = filter(None, map(coordination.worded, revision.proposed))
    return [*(_retraction(coordination, proposal) for proposal in revision.retracted), *proposed]


def obey(coordination: Coordination, event: Event, line: bytes) -> None:
    """Take in a decision where it came to stand. Refused, with nothing changed, where it does not hold there any more."""
    why = _why_void(coordination, event)
    if why is not None:
        raise Refused(why)
    coordination.take(event, line)


def give_up(coordination: Coordination, event: Event) -> None:
    """Let go of what a decision was about that was void though it was made on the very state it met: it would be so for ever."""
    if isinstance(event.data, Ledger):
        coordination.unjudged.pop(str(event.data.statement), None)
        if event.data.statement is None:
            coordination.due.pop(event.data.proposal, None)


def _why_void(coordination: Coordination, event: Event) -> str | None:
    match event.data:
        case Ledger() as record:
            if record.statement is not None and record.statement not in coordination.unjudged:
                return f"{record.kind!r} of {record.proposal!r} judges {record.statement}, which was judged before or never said"
            if record.statement is not None and record.proposal in coordination.due:
                return f"{record.kind!r} of {record.proposal!r} comes after it ended"
        case Proposal() as proposal:
            for line in proposal.lines:
                # What is made with hours names them, and what goes into it the need: other lines of the tree draw on these.
                for ref in [line.offer] * line.takes + [line.need] * line.serves:
                    stance = coordination.network.stances.get(ref)
                    if stance is None or not stance.stands:
                        return f"proposal {proposal.proposal!r} rests on {ref}, which was withdrawn or expired meanwhile"
                    if not coordination.book.speaks_of(stance, line):
                        return f"proposal {proposal.proposal!r} rests on {ref}, which speaks of {stance.name!r} by now"
        case None:
            deal = coordination.book.deals.get(event.subject)
            if deal is None and event.subject not in coordination.due:
                return f"proposal {event.subject!r} has ended already"
            if deal is not None and not _is_unanswered(deal):
                return f"proposal {event.subject!r} was answered meanwhile, so it is not retracted"
        case _:
            return f"a {event.kind} is no decision"
    return None


def _is_unanswered(deal: Deal) -> bool:
    return deal.state is State.PROPOSED


def _touched_by(coordination: Coordination, event: Event) -> set[str]:
    """Return what a verdict on a word may change: the proposal, and what its speaker, or whoever promised, gives or takes by it."""
    proposal = _proposal_of(event)
    deal = coordination.book.deals.get(proposal)
    if deal is None:
        return {proposal}
    ends_it = not (isinstance(event.data, Report) or (isinstance(event.data, Answer) and event.data.answer == "accept"))
    return {proposal} | (_signals_of(deal) if ends_it else set(deal.asks_of(event.name)))


def _signals_of(deal: Deal) -> set[str]:
    return {ref for line in deal.lines for ref in (line.offer, line.need)}


def _proposal_of(event: Event) -> str:
    match event.data:
        case Answer() as answer:
            return answer.proposal
        case Report() as report:
            return report.commitment
        case _:
            return event.subject


def _line(coordination: Coordination, verdict: Verdict) -> bytes:
    log_us = coordination.log_us
    return event_json("ledger", coordination.source, ledger_subject(verdict), log_us, verdict, logtime_us=log_us)


def _retraction(coordination: Coordination, proposal: str) -> Worded:
    log_us = coordination.log_us
    return worded("proposal", coordination.source, proposal, log_us, None, logtime_us=log_us)
