"""Orders of work inside workshops, searched beside the cycle: a thread of its own asks CP-SAT about what plans and promises ask of each.

A question is laid out of a moment, which holds nobody up, and neither does the search, but for
2 ms in which the model of 40 jobs on 3 machines is handed over. It is bounded by work and not by time, so that the same question has the
same answer everywhere. Nothing that is decided rests on it.
"""

import sys
from collections import OrderedDict
from itertools import islice
from threading import Event as Flag
from threading import Lock, Thread

import structlog

from coordinator.adapters.service import Service
from coordinator.errors import Refused, Unavailable
from coordinator.floor import Question, questions, searched
from solver.making import Sequence

__all__ = ["OrdersBeside"]

DEALS = 200  # looked at in one go
WORKSHOPS = 20  # likewise: more of a plan come in the next
KEPT = 10_000  # orders, the latest asked about
ALWAYS_US = sys.maxsize  # an order that was searched for gets no better as time passes
CLOSE_S = 1.0  # on the way out, for the search at hand

logger = structlog.get_logger("coordinator.sequencing")


class OrdersBeside:
    """Says at once what was found, and goes from workshop to workshop in the meantime: those of plans and of promises by turns."""

    def __init__(self, service: Service) -> None:
        self.searches = 0
        self._service = service
        self._found: OrderedDict[bytes, tuple[Sequence, int]] = OrderedDict()  # and until when no other has to be searched for
        self._holding = Lock()  # of what was found
        self._planned: object = None  # the plan whose workshops were looked up last
        self._is_of_plan = False  # whether the workshops that wait are of a plan, and not of promises
        self._waiting: list[str] = []  # workshops to be looked at
        self._deal = ""  # that was looked at last
        self._stop = Flag()
        self._thread: Thread | None = None

    def known(self, content: bytes) -> Sequence | None:
        """Return what was found of a question, by its content; None where nobody searched yet."""
        with self._holding:
            found = self._found.get(content)
            if found is None:
                return None
            self._found.move_to_end(content)
            return found[0]

    def look(self) -> None:
        """Search for the orders of the next workshops, as far as they are new; Unavailable while a cycle takes long."""
        workshops = self._next()
        if not workshops:
            return
        moment, _ = self._service.moment()
        for agent in workshops:
            try:
                asked = questions(moment, agent)
            except Refused:  # Its machines went in the meantime.
                continue
            for question in asked:
                self._search(question)

    def _next(self) -> list[str]:
        """Return the next workshops; others wait while a page of proposals is read for that, and no longer.

        Those of a plan and those of a page of promises come by turns, each to their end, however often there is a new plan.
        """
        if not self._waiting:
            with self._service.reading() as coordination:
                made, book = coordination.production.latest, coordination.book
                self._is_of_plan = made is not self._planned and not self._is_of_plan
                if not self._is_of_plan:
                    names = list(islice(book.after(self._deal), DEALS))
                    self._deal = names[-1] if len(names) == DEALS else ""
                    lines_said = [line for name in names for line in book.deals[name].lines]
                    self._waiting = list(dict.fromkeys(line.provider for line in lines_said if line.action in ("use", "work")))
            if self._is_of_plan:
                self._planned = made
                lines = [line for tree in made.trees for line in tree.lines]
                self._waiting = list(dict.fromkeys(line.provider for line in lines if line.action == "use"))
        some, self._waiting = self._waiting[:WORKSHOPS], self._waiting[WORKSHOPS:]
        return some

    def _search(self, question: Question) -> None:
        content = question.content
        with self._holding:
            _, holds_until_us = self._found.get(content, (None, -1))
        if self._stop.is_set() or question.now_us <= holds_until_us:
            return
        found = question.on_time()
        if found is None:
            found = searched(question), ALWAYS_US
            self.searches += 1
        with self._holding:
            self._found[content] = found
            while len(self._found) > KEPT:
                self._found.popitem(last=False)

    def start(self, seconds: float) -> None:
        """Look every so many seconds, until closed."""
        self._thread = Thread(target=self._go_on, args=(seconds,), name="sequencing", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the search at hand; one that takes long is not waited for, and ends with the process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _go_on(self, seconds: float) -> None:
        told = ""  # why no order was searched: once, however often it is tried
        while not self._stop.wait(seconds):
            if not self._service.has_begun:
                continue
            try:
                self.look()
                if told:
                    logger.info("orders are searched again")
                told = ""
            except Unavailable as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning("no order was searched", reason=told)
            except Exception:  # A thread that ended silently would leave workshops without an order: it is said, and the next is tried.
                logger.exception("a search for an order failed; please report this")
