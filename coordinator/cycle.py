"""The loop's heart: takes events in one at a time, moves log time, plans when a cycle is due, and says what it decided.

`Coordination` touches neither file nor clock. Its driver hands it events and takes away the decisions, as events to be written to
the streams; on the next start the same events, read back, lead to the same state.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from coordinator.charter import Charter
from coordinator.commitments import BY_JUDGE, Book, State, statement_of
from coordinator.errors import Refused
from coordinator.network import STANCE_MODELS, Network, reference
from coordinator.open_needs import OpenNeeds
from coordinator.places import Table
from coordinator.planning import Mine, Planner, speaking_of
from coordinator.production import MAKING, Production
from coordinator.proposals import Draft, Revision, revise
from coordinator.seen import Seen
from coordinator.signals import Answer, Event, Ledger, Proposal, Report, Worded, event_json, parse_event, worded
from coordinator.stream import LEDGER, PROPOSAL, SIGNAL, Entry
from coordinator.times import DAY_US, SECOND_US, format_instant
from coordinator.verdicts import Verdict, judge, plan_broken, plan_committed, plan_released
from coordinator.wording import duration

__all__ = ["Coordination", "Taken", "ledger_subject"]

BEGINNING = -(2**62)
ABOUT_PROPOSALS = frozenset({"proposal", "ledger", "answer", "report"})  # all other kinds speak of the network

Answering = Callable[[Proposal], Iterable[bytes]]  # what parties say to a proposal as it is made, as events


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an event that was not refused."""

    repeat: bool  # it was known already, and changed nothing


NEW, KNOWN = Taken(repeat=False), Taken(repeat=True)


class Coordination:
    """Network, book and plan together, and the one way in: `take`.

    While `judging`, answers get their verdicts here and plans past their time are released; while `planning`, cycles run. What was
    decided waits in `outbox` for the driver to write it down. Where a recorded log is read back, both are off: its own decisions
    are obeyed instead, and `resume` goes on from there.
    """

    def __init__(
        self, charter: Charter, *, name: str = "main", table: Table | None = None, judging: bool = True, planning: bool = True
    ) -> None:
        self.charter = charter
        self.source = f"coordinator:{name}"
        self.network = Network(charter, table)
        self.book = Book(self.network)
        self.open_needs = OpenNeeds(self.network, self.book)
        self.planner = Planner(self.network, self.book)
        self.production = Production(self.network, self.book)
        self._made_us, self._made_of = BEGINNING, -1  # when making was last planned, and with which recipes
        self.judging = judging
        self.planning = planning
        self.prompt = False  # live: until a first proposal, a cycle runs at each tick that finds news, not a whole cadence later
        self._planned = False
        self.answering: Answering | None = None
        self.log_us = BEGINNING
        self._late_us = charter.late_seconds * SECOND_US
        self._cadence_us = charter.cycle_seconds * SECOND_US
        self.outbox: list[Entry] = []
        self.unsaid: deque[str] = deque(maxlen=100)  # proposals that broke our own rules; nothing is known of them but this
        self.ledger: list[bytes] = []
        self._cycle_us = BEGINNING
        self._seen = Seen()
        self.unjudged: dict[str, Event] = {}  # statement -> what was heard and awaits its ledger record
        # proposal -> its judge, and the ledger record it awaits since time or a signal ended it; None: to be said retracted.
        self.due: dict[str, tuple[str, Verdict | None]] = {}

    # -- the way in ---------------------------------------------------------------------------------------------------

    def take(self, event: Event, line: bytes, *, judged_elsewhere: bool = False) -> Taken:
        """Take in one event as the log holds it; raise `Refused` where it cannot be taken: then nothing happened but that time passed.

        `line` is the event as it was said; `judged_elsewhere` says that its ledger record will follow.
        """
        known = self._seen.digest(event.source, event.id)
        if known is not None:
            if known != event.content:
                raise Refused(
                    f"the event {event.id!r} of {event.source} was said before with other content; the first stands: use a new id"
                )
            return KNOWN
        stamp_us = self._stamp(event)
        self._move_to(stamp_us)
        if event.kind == "tick":  # Not remembered: a tick said twice moves time once.
            if self.prompt and self.planning and self.awaits_first_plan:
                self.run_cycle()
            return NEW
        self._apply(event, line, judged_elsewhere)
        self._seen[event.source][event.id] = event.content
        return NEW

    def _stamp(self, event: Event) -> int:
        stamp_us = max(self.log_us, event.time_us if event.logtime_us is None else event.logtime_us)
        late_us = stamp_us - event.time_us
        if late_us > self._late_us and event.by_agent:
            raise Refused(
                f"time is {format_instant(event.time_us)}, {duration(late_us // SECOND_US)} before the log's {format_instant(stamp_us)}; "
                f"at most {duration(self.charter.late_seconds)} late was expected: say it anew with the time of now"
            )
        return stamp_us

    def _move_to(self, stamp_us: int) -> None:
        """Let log time pass: what expires goes, and a cycle runs where one is due, before the event that brought the time."""
        if stamp_us > self.log_us:
            self.log_us = stamp_us
            if gone := self.network.advance(stamp_us):
                self._end_all(gone, "expired")
            for deal in self.book.lapse(stamp_us):
                self._decide(plan_released(deal, "it expired before every party had accepted"))
            for deal in self.book.overdue(stamp_us):
                self._decide(plan_broken(deal))
        if self._cycle_us == BEGINNING:
            self._cycle_us = stamp_us
        elif self.planning and stamp_us - self._cycle_us >= self._cadence_us:
            self.run_cycle()

    def _apply(self, event: Event, line: bytes, judged_elsewhere: bool) -> None:
        if event.kind not in ABOUT_PROPOSALS:
            ended = self.network.apply(event, self.log_us)
            if ended:
                self._end_all(ended, "withdrawn")
            if isinstance(event.data, STANCE_MODELS) and event.data.basis == "total":
                self.book.settle(self.network.stances[reference(event.name, event.kind, event.subject)])
            return
        match event.data, event.kind:
            case Proposal() as proposal, _:
                _obeyed(self.book.propose(proposal, event.time_us, line))
                self.due.pop(proposal.proposal, None)
                self._cycle_us, self._planned = self.log_us, True  # A cycle made it; the cadence goes on from there.
                self._let_answer(proposal)
            case None, "proposal":
                self.book.retract(event.subject)
                self.due.pop(event.subject, None)
            case Ledger() as record, _:
                self._obey(record, line)
            case ((Answer() | Report() | None), ("answer" | "report")):
                self._hear(event, judged_elsewhere)

    def _obey(self, record: Ledger, line: bytes) -> None:
        _obeyed(self.book.record(record, self.log_us))
        self.ledger.append(line)
        self.unjudged.pop(str(record.statement), None)
        if record.kind in BY_JUDGE and (record.kind != "released" or record.ends):
            self.due.pop(record.proposal, None)
        deal = self.book.deals.get(record.proposal)
        if record.kind == "promised" and not self.judging and deal is not None and not set(deal.parties) - deal.promised.keys():
            self._decide(plan_committed(deal, deal.promised))

    # -- answers ------------------------------------------------------------------------------------------------------

    def _hear(self, event: Event, judged_elsewhere: bool) -> None:
        self.book.hear(event, self.log_us)
        if judged_elsewhere or not self.judging:
            self.unjudged[statement_of(event)] = event
        else:
            self._judge(event)

    def _judge(self, event: Event) -> None:
        for verdict in judge(self.book, event, self.log_us):
            self._decide(verdict)

    def resume(self) -> None:
        """Begin to judge, first what the log was cut before: answers without a verdict, plans past their time or their signals."""
        self.judging = True
        self.due.clear()  # what is due of it is found again below
        rest, self.unjudged = list(self.unjudged.values()), {}
        for event in rest:
            self._judge(event)
        for deal in self.book.promised():
            if deal.state is State.PROMISED and not set(deal.parties) - deal.promised.keys():
                self._decide(plan_committed(deal, deal.promised))
            elif deal.state is not State.PROMISED:
                self._decide(plan_released(deal, f"it was {deal.state}"))
            elif deal.data.expires_us <= self.log_us:
                self._decide(plan_released(deal, "it expired before every party had accepted"))
        standing = self.network.stances
        self._end_all((ref for ref, stance in standing.items() if not stance.stands), "withdrawn or expired")

    def finish(self) -> None:
        """End a replay: the input moved time for the last time, and one more cycle runs on what stands now."""
        if not self.judging:
            self.resume()
        if self.planning and self.log_us > BEGINNING:
            self.run_cycle()

    # -- decisions ----------------------------------------------------------------------------------------------------

    def run_cycle(self) -> None:
        """Plan and propose now. Where planning fails, the cycle stays due."""
        revision = self.revision()
        for proposal in revision.retracted:
            self._retract(proposal)
        for draft in revision.proposed:
            self._propose(draft)
        self._planned = self._planned or bool(revision.proposed)

    def revision(self, mine: Mine | None = None, at_most: int | None = None) -> Revision:
        """Plan now, only the markets that are `mine` where that is told; return how the unanswered proposals in them have to change.

        Of many markets in question `at_most` so many are planned, and the next revisions go on; where things are made all at once.
        """
        making = self.production.is_wanted and (mine is None or mine(MAKING))
        # Where others plan too, what they proposed or took back changes what is left to make.
        anew = self._is_to_be_made_anew() or (mine is not None and (bool(self.book.moved) or self.production.has_unsaid()))
        making = making and (anew or self.production.has_news)
        planner = self.planner
        moved = planner.plan(self.log_us, mine, None if self.production.is_wanted else at_most)
        self._cycle_us = self.log_us
        if not (moved or making or self.book.moved or planner.partners.later):
            return Revision([], [])
        made = None
        if making:
            made = self.production.plan(planner.parts(), self.log_us, others_plan=mine is not None, anew=anew)
            self._made_us, self._made_of = self.log_us, self.network.recipes_said
        is_planned, awaits = speaking_of(self.network, mine), planner.awaits if planner.leaves_some else None
        return revise(self.network, self.book, planner.partners, planner.told, self.log_us, is_planned, made, awaits)

    def _is_to_be_made_anew(self) -> bool:
        """Whether anything moved that a plan of making rests on, or a day passed since the last."""
        network = self.network
        moved = bool(network.changed) or network.changed_everywhere or self._made_of != network.recipes_said
        return moved or self.log_us - self._made_us >= DAY_US

    def cycle_is_due(self, since_us: int | None) -> bool:
        """Whether a cadence has passed in log time since then; by default, since a cycle ran as far as recorded proposals tell."""
        since_us = self._cycle_us if since_us is None else since_us
        return self.log_us - since_us >= self.charter.cycle_seconds * SECOND_US

    @property
    def awaits_first_plan(self) -> bool:
        """Whether something stands to be planned and nobody ever proposed anything."""
        return not self._planned and (bool(self.network.changed) or self.production.has_news)

    def worded(self, draft: Draft) -> Worded | None:
        """Return the event that makes a proposal; None for what we would refuse from others."""
        try:
            return worded("proposal", self.source, draft.name, self.log_us, draft.data, logtime_us=self.log_us, read=draft.read)
        except Refused as refusal:  # It is not said either; the rest of the plan stands.
            self.unsaid.append(f"proposal {draft.name} was not made, please report: {refusal}")
            return None

    def _propose(self, draft: Draft) -> None:
        said = self.worded(draft)
        if said is None:
            return
        proposal = said.event.data
        assert isinstance(proposal, Proposal)  # said just now
        self.outbox.append(Entry(PROPOSAL, draft.name, said.line))
        self.book.propose(proposal, self.log_us, said.line)
        self._let_answer(proposal)

    def _let_answer(self, proposal: Proposal) -> None:
        for answer in self.answering(proposal) if self.answering is not None else ():
            self.say(answer)

    def say(self, line: bytes) -> None:
        """Take in an event made here on an agent's behalf (the demo's parties), at log time, and write it to the stream."""
        event = parse_event(line)
        self.outbox.append(Entry(SIGNAL, event.name, line))
        self.take(event, line)

    def _retract(self, proposal: str) -> None:
        self._say("proposal", proposal, None, PROPOSAL, proposal)
        self.book.retract(proposal)

    def _decide(self, verdict: Verdict) -> None:
        if not self.judging:
            self.due.setdefault(str(verdict["proposal"]), (str(verdict["agent"]), verdict))
            return
        line = self._say("ledger", ledger_subject(verdict), verdict, LEDGER, str(verdict["agent"]))
        record = parse_event(line).data
        assert isinstance(record, Ledger)  # said just now
        self._obey(record, line)

    def _end_all(self, refs: Iterable[str], how: str) -> None:
        """Take from the table what rests on signals that ceased to stand; commitments stay."""
        for ref in refs:
            for deal in self.book.naming(ref):
                if deal.state is State.PROPOSED:
                    if self.judging:
                        self._retract(deal.proposal)
                    else:
                        self.book.retract(deal.proposal)
                        self.due[deal.proposal] = (deal.judge, None)
                elif deal.state is State.PROMISED:
                    self._decide(plan_released(deal, f"{ref} was {how}"))

    def _say(self, kind: str, subject: str, data: dict[str, Any] | None, stream: str, key: str) -> bytes:
        line = event_json(kind, self.source, subject, self.log_us, data, logtime_us=self.log_us)
        self.outbox.append(Entry(stream, key, line))
        return line


def ledger_subject(verdict: Verdict) -> str:
    """Return the subject of the event that a verdict becomes."""
    return f"{verdict['proposal']}.{verdict['kind']}"[:128]


def _obeyed(why: str | None) -> None:
    """Raise `Refused` where the book says why it will not."""
    if why is not None:
        raise Refused(why)
