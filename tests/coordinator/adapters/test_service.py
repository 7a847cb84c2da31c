"""What the service takes in, decides and shows is in the log first, and a second start finds it all again."""

import json
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from coordinator.adapters.file_log import FileLog
from coordinator.adapters.service import Service
from coordinator.adapters.tokens import Grant
from coordinator.charter import Charter
from coordinator.commitments import State
from coordinator.errors import Defect, Refused, Unavailable
from coordinator.replaying import digest, standing_proposals
from coordinator.routes import route_table
from coordinator.signals import event_json
from coordinator.stream import DEAD_LETTER, LEDGER, PROPOSAL, SIGNAL, START, Entry, Record
from coordinator.times import DAY_US, SECOND_US, format_instant
from tests.support.serving import RENNES, START_US, Hand, signal

OFFER, NEED = signal("offer", "atelier-nord", 120), signal("need", "clinique-ouest", 50)


def service_at(path: Path, clock: Hand | None = None, **rules: Any) -> Service:
    return Service(path, Charter.model_validate({"cycle_seconds": 1} | rules), clock=clock or Hand())


def wait(service: Service, clock: Hand, seconds: float) -> None:
    clock.now_us += int(seconds * SECOND_US)
    service.tick()


def answer(agent: str, proposal: str, said: str = "accept", time_us: int = START_US) -> bytes:
    return event_json("answer", f"agent:{agent}", proposal, time_us, {"proposal": proposal, "answer": said})


def streams(path: Path) -> list[str]:
    with closing(FileLog.open_readonly(path)) as log:
        return [record.entry.stream for record in log.read(START, 1_000).records]


def state(service: Service) -> str:
    with service.reading() as coordination:
        return digest(coordination.ledger, standing_proposals(coordination.book))


def test_what_two_parties_accept_is_committed_and_survives_a_second_start(tmp_path: Path) -> None:
    path, clock = tmp_path / "log", Hand()
    with closing(service_at(path, clock)) as service:
        assert [one.status for one in service.publish([OFFER, NEED])] == ["taken", "taken"]
        wait(service, clock, 2)
        with service.reading() as coordination:
            [proposal] = coordination.book.deals
        [first] = service.publish([answer("atelier-nord", proposal)])
        [second] = service.publish([answer("clinique-ouest", proposal)])
        assert [each["kind"] for each in first.decided] == ["promised"]
        assert [each["kind"] for each in second.decided] == ["promised", "committed"]
        before = state(service)
    with closing(service_at(path, clock)) as service:
        assert service.parked == []
        assert state(service) == before
        with service.reading() as coordination:
            assert coordination.book.deals[proposal].state is State.COMMITTED


def test_who_says_another_amount_is_told_what_was_promised_before_and_comes_on_top(tmp_path: Path) -> None:
    clock = Hand()
    with closing(service_at(tmp_path / "log", clock)) as service:
        service.publish([OFFER, NEED])
        wait(service, clock, 2)
        with service.reading() as coordination:
            [proposal] = coordination.book.deals
        service.publish([answer("clinique-ouest", proposal)])
        says = ((50, {"tier": 1}), (30, {}), (30, {"basis": "total"}))
        lines = [signal("need", "clinique-ouest", said, time_us=START_US + at, **more) for at, (said, more) in enumerate(says, 1)]
        again, fewer, in_all = service.publish(lines)
        assert (again.note, in_all.note) == (None, None)
        assert fewer.note is not None
        assert "50 promised before, and not yet moved, comes on top" in fewer.note


def test_a_late_word_of_what_was_withdrawn_or_said_anew_since_is_taken_and_told_nothing(tmp_path: Path) -> None:
    path, clock = tmp_path / "log", Hand()
    withdrawn = event_json("offer", "agent:atelier-sud", "face-shield", START_US + 20, None)
    with closing(service_at(path, clock)) as service:
        service.publish([OFFER, NEED])
        wait(service, clock, 2)
        with service.reading() as coordination:
            [proposal] = coordination.book.deals
        service.publish([answer("clinique-ouest", proposal), withdrawn, signal("need", "clinique-ouest", 30, time_us=START_US + 20)])
        late = [signal("offer", "atelier-sud", 10, time_us=START_US + 10), signal("need", "clinique-ouest", 40, time_us=START_US + 10)]
        assert [(one.status, one.note) for one in service.publish(late)] == [("taken", None), ("taken", None)]
        before = state(service)
    with closing(service_at(path, clock)) as service:
        assert state(service) == before


def test_a_repeat_is_told_and_not_appended_also_after_a_second_start(tmp_path: Path) -> None:
    path = tmp_path / "log"
    precise = signal("offer", "atelier-nord", 120, place={"lat": 48.114722, "long": -1.679444})
    with closing(service_at(path)) as service:
        assert [one.status for one in service.publish([precise, precise])] == ["taken", "repeat"]
    with closing(service_at(path)) as service:
        assert [one.status for one in service.publish([precise])] == ["repeat"]
    assert streams(path) == [SIGNAL]


def test_a_repeated_answer_is_told_its_verdict_again(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        [first] = service.publish([answer("atelier-nord", "nothing")])
        [again] = service.publish([answer("atelier-nord", "nothing")])
    assert first.decided == again.decided
    assert [each["kind"] for each in again.decided] == ["refused"]
    assert again.status == "repeat"


def test_each_refusal_has_its_kind_its_sentence_and_a_dead_letter(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(service_at(path)) as service:
        service.publish([OFFER])
        id_ = json.loads(OFFER)["id"]
        lines = [
            b"{",
            event_json("offer", "agent:atelier-nord", "x", START_US, {"resource": "x", "quantity": {"value": 1, "unit": "1"}, "price": 3}),
            event_json("tick", "coordinator:main", "tick", START_US, {}),
            event_json("offer", "agent:atelier-nord", "other", START_US, {"resource": "x", "quantity": {"value": 1, "unit": "1"}}, id=id_),
            signal("offer", "atelier-nord", 7, resource="late", time_us=START_US - 2 * DAY_US),
        ]
        told = service.publish(lines)
        counts, rows = service.refused()
    assert [one.status for one in told] == ["refused"] * 5
    assert [one.code for one in told] == ["invalid", "invalid", "speaker", "conflict", "late"]
    assert all(one.reason and len(one.reason) > 30 for one in told)
    assert counts == {"invalid": 2, "speaker": 1, "conflict": 1, "late": 1, "misplaced": 0}
    assert [row["key"] for row in rows] == ["unknown", "agent:atelier-nord", "coordinator:main", "agent:atelier-nord", "agent:atelier-nord"]
    assert streams(path) == [SIGNAL] + [DEAD_LETTER] * 5
    with closing(service_at(path)) as service:
        assert [row["code"] for row in service.refused()[1]] == ["invalid", "invalid", "speaker", "conflict", "late"]
        assert service.parked == []


def test_a_speaker_speaks_for_itself_alone(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        told = service.publish([OFFER, NEED], speaker=Grant("atelier-nord", "", ("atelier-nord",)))
        with service.reading() as coordination:
            assert list(coordination.network.agents) == ["atelier-nord"]
    assert [(one.status, one.code) for one in told] == [("taken", None), ("refused", "speaker")]


def test_the_log_keeps_places_as_coarse_as_the_charter_says_and_events_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    event = json.loads(signal("offer", "atelier-nord", 5, place={"lat": 48.114722, "long": -1.679444, "label": "Rennes"}))
    with closing(service_at(path)) as service:
        service.publish([json.dumps(event | {"logtime": "2020-01-01T00:00:00Z"}, indent=2).encode().replace(b'"place"', b'"pl\\u0061ce"')])
        [shown], _ = service.follow(-1)
    kept = json.loads(shown.text)
    assert b"\n" not in shown.text
    assert kept["event"]["data"]["place"] == {"lat": 48.11, "long": -1.68, "label": "Rennes"}
    assert (kept["logtime"], "logtime" in kept["event"]) == ("2026-03-01T08:00:00Z", False)


def test_words_from_a_clock_that_is_ahead_are_taken_with_a_note(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        [told] = service.publish([signal("offer", "atelier-nord", 1, time_us=START_US + DAY_US)])
    assert told.status == "taken"
    assert "check this clock" in str(told.note)


def test_a_need_that_was_due_before_it_is_said_is_taken_with_a_note(tmp_path: Path) -> None:
    due = [format_instant(START_US + at) for at in (-1, 1)]
    with closing(service_at(tmp_path / "log")) as service:
        late, in_time = service.publish([signal("need", f"clinique-{at}", 1, due=at_due) for at, at_due in enumerate(due)])
    assert (late.status, in_time.note) == ("taken", None)
    assert late.note is not None
    assert late.note.startswith(f"due is {due[0]}, which has passed, so whatever meets it is late")


def test_what_is_said_from_nowhere_is_taken_with_a_note(tmp_path: Path) -> None:
    with_route = event_json("route", "agent:atelier-est", "way", START_US, {"to": "clinique-ouest", "distance_km": 3})
    with_place = event_json("agent", "agent:atelier-sud", "agent", START_US, {"place": RENNES})
    mask = {"resource": "mask", "quantity": {"value": 1, "unit": "1"}}
    nowhere, by_table, by_route, by_agent = (
        event_json("offer", f"agent:atelier-{which}", "mask", START_US, mask) for which in ("nord", "ouest", "est", "sud")
    )
    table = route_table(["atelier-ouest", "clinique-ouest"], [0], [1], [5_000])
    with closing(Service(tmp_path / "log", Charter(), clock=Hand(), table=table)) as service:
        told = service.publish([with_route, with_place, nowhere, by_table, by_route, by_agent, NEED])
    assert [one.status for one in told] == ["taken"] * len(told)
    assert [one.note for one in told if one is not told[2]] == [None] * (len(told) - 1)
    assert str(told[2].note).startswith("nobody knows where it is, for neither it nor atelier-nord states a place")


def test_withdrawing_what_does_not_stand_is_taken_with_a_note(tmp_path: Path) -> None:
    withdrawals = [event_json("need", "agent:clinique-ouest", "face-shield", START_US + at, None) for at in (-1, 1, 2)]
    with closing(service_at(tmp_path / "log")) as service:
        never, _, stood, twice = service.publish([withdrawals[0], NEED, *withdrawals[1:]])
    assert (never.status, stood.note, twice.status) == ("taken", None, "taken")
    told = 'nothing stood there to withdraw: clinique-ouest has no need under the subject "face-shield"; check it'
    assert (never.note, twice.note) == (told, told)


def test_a_least_part_that_is_more_than_all_is_taken_with_a_note_and_never_matched(tmp_path: Path) -> None:
    clock = Hand()
    with closing(service_at(tmp_path / "log", clock)) as service:
        offered, all_of_it, too_much = service.publish(
            [OFFER, signal("need", "clinique-est", 5, minimum=5), signal("need", "clinique-ouest", 5, minimum=10)]
        )
        wait(service, clock, 2)
        with service.reading() as coordination:
            parties = {party for deal in coordination.book.deals.values() for party in deal.parties}
    assert (offered.note, all_of_it.note, too_much.status) == (None, None, "taken")
    assert too_much.note == "minimum is 10, more than the 5 there are in all, so this is never matched: say a smaller minimum"
    assert parties == {"atelier-nord", "clinique-est"}


@pytest.mark.parametrize(
    ("inputs", "steps", "more", "noted"),
    [
        pytest.param((), (), {}, True, id="nothing goes in"),
        pytest.param(("sheet",), (), {}, False, id="goods alone go in"),
        pytest.param((), ("cutting",), {}, False, id="hours alone go in"),
        pytest.param((), (), {"draft": True}, False, id="a draft, never planned with"),
    ],
)
def test_a_recipe_of_nothing_is_taken_with_a_note(
    tmp_path: Path, inputs: tuple[str, ...], steps: tuple[str, ...], more: dict[str, Any], noted: bool
) -> None:
    flows = [[{"resource": name, "quantity": {"value": 1, "unit": "1"}} for name in names] for names in (("visor",), inputs)]
    worked = [{"process": name, "effort": {"value": 1, "unit": "h"}} for name in steps]
    said = {"recipe": "visor", "outputs": flows[0], "inputs": flows[1], "steps": worked, **more}
    with closing(service_at(tmp_path / "log")) as service:
        [taken] = service.publish([event_json("recipe", "agent:atelier-nord", "visor", START_US, said)])
    told = (
        'nothing goes in, neither inputs nor hours, so plans make as much of "visor" as anybody needs out of nothing: it is taken as said; '
        "where something goes in, say it again with its inputs and steps"
    )
    assert (taken.status, taken.note) == ("taken", told if noted else None)


def test_what_is_counted_otherwise_than_by_all_others_is_taken_with_a_note(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        first, alike, apart = service.publish(
            [signal("need", "clinique-ouest", 1), signal("offer", "atelier-nord", 2), signal("offer", "atelier-sud", 5, unit="kg")]
        )
    assert (first.note, alike.note, apart.status) == (None, None, "taken")
    assert apart.note == (
        "face-shield is counted in 'kg' here, and by others in '1', which does not convert: those are never matched with this"
    )


def test_nothing_is_acknowledged_or_shown_that_the_disk_did_not_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"

    def full(self: FileLog, entries: list[Entry]) -> list[Record]:
        raise Unavailable("no space left")

    with closing(service_at(path)) as service:
        with monkeypatch.context() as broken:
            broken.setattr(FileLog, "append", full)
            with pytest.raises(Unavailable, match="Whether what was said now counts is not known: say it again"):
                service.publish([OFFER])
            with pytest.raises(Unavailable, match="until then nothing is taken or shown"), service.reading():
                pass
            with pytest.raises(Unavailable, match="until then nothing is taken or shown"):
                service.publish([NEED])
            assert "could not be written" in str(service.status().why_not)
            assert service.follow(-1) == ([], -1)
        assert [one.status for one in service.publish([OFFER])] == ["repeat"]  # written now, as it was said
        assert service.status().why_not is None
    assert streams(path) == [SIGNAL]


def test_quiet_time_passes_by_ticks(tmp_path: Path) -> None:
    path, clock = tmp_path / "log", Hand()
    with closing(service_at(path, clock)) as service:
        service.publish([OFFER, NEED])
        clock.now_us += 5 * SECOND_US
        service.start_ticking(0.01)
        for _ in range(6_000):  # the first plan may compile the kernel
            if PROPOSAL in streams(path):
                break
            threading.Event().wait(0.01)
        assert service.status().cycles >= 1
    assert PROPOSAL in streams(path)


class Watched(Service):
    """Knows what it was said to fail of, each time that was written, and whether letters were counted under the lock."""

    said: list[str | None]
    locked: list[bool]

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_failure" and hasattr(self, "said"):
            self.said.append(value)
        if name == "_letters" and hasattr(self, "locked"):
            self.locked.append(self._shown_lock.locked())
        super().__setattr__(name, value)


def test_a_tick_takes_back_the_failure_of_a_tick_and_leaves_that_of_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Watched(tmp_path / "log", Charter(), clock=Hand())) as service:
        outcomes = iter(["goes", "fails", "goes", "goes", "ends"])

        def tick() -> None:
            match next(outcomes):
                case "fails":
                    raise Defect("as if")
                case "ends":
                    service._stop.set()

        monkeypatch.setattr(service, "tick", tick)
        service.said = []
        service._tick_on(0)
        assert service.said == ["a cycle failed: as if", None]


def test_after_a_word_only_the_rest_is_waited_for_until_a_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed_s, waited_s, ticked_s = 0.0, [], []

    class Waits:
        """Waits by hand; something is said after three of the first five seconds."""

        def wait(self, seconds: float) -> bool:
            nonlocal passed_s
            if not waited_s:
                service._appended_s = 3.0
            waited_s.append(seconds)
            passed_s += seconds
            return len(waited_s) > 3

    with closing(service_at(tmp_path / "log")) as service, monkeypatch.context() as by_hand:
        by_hand.setattr("coordinator.adapters.service.time", SimpleNamespace(monotonic=lambda: passed_s))
        by_hand.setattr(service, "_stop", Waits())
        by_hand.setattr(service, "tick", lambda: ticked_s.append(passed_s))
        service._tick_on(5.0)
    assert (waited_s, ticked_s) == ([5.0, 3.0, 5.0, 5.0], [8.0, 13.0])


def test_letters_are_counted_by_one_thread_at_a_time_and_no_further_than_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.adapters.service.DEAD_LETTERS", 2)
    with closing(Watched(tmp_path / "log", Charter(), clock=Hand())) as service:
        service.locked = []
        service.publish([b"{"] * 3)
        assert service.locked == [True, True]
        assert service.refused()[0]["invalid"] == 3
    assert streams(tmp_path / "log") == [DEAD_LETTER] * 2


def test_refusals_are_logged_up_to_a_bound_of_this_run_whatever_was_refused_in_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.adapters.service.DEAD_LETTERS", 2)
    for said in ([b"{"] * 3, [b"[", b"["]):
        with capture_logs() as logs, closing(service_at(tmp_path / "log")) as service:
            service.publish(said)
        assert [line["code"] for line in logs if line["event"] == "refused"] == ["invalid"] * 2


def test_an_expired_promise_is_released_and_written_down(tmp_path: Path) -> None:
    path, clock = tmp_path / "log", Hand()
    with closing(service_at(path, clock, proposal_seconds=60)) as service:
        service.publish([OFFER, NEED])
        wait(service, clock, 2)
        with service.reading() as coordination:
            [proposal] = coordination.book.deals
        service.publish([answer("atelier-nord", proposal)])
        wait(service, clock, 100)
        with service.reading() as coordination:
            kinds = [json.loads(line)["data"]["kind"] for line in coordination.ledger]
    assert kinds == ["promised", "released"]
    assert streams(path).count(LEDGER) == 2


def test_after_a_refusal_and_a_clock_set_back_a_second_start_finds_the_same_time(tmp_path: Path) -> None:
    path, clock = tmp_path / "log", Hand()
    for _ in range(2):  # the second time the refusal is one of a former start
        with closing(service_at(path, clock)) as service:
            clock.now_us += 20 * SECOND_US
            service.publish([b"{"])
            clock.now_us -= 10 * SECOND_US
            service.tick()
            with service.reading() as coordination:
                live_us = coordination.log_us
        with closing(service_at(path, clock)) as service, service.reading() as coordination:
            assert coordination.log_us == live_us
            assert service.parked == []


def test_a_reader_does_not_wait_without_a_bound(tmp_path: Path) -> None:
    with closing(Service(tmp_path / "log", Charter(), clock=Hand(), wait_s=0.05)) as service, service.reading():
        told: list[Exception] = []

        def read() -> None:
            try:
                with service.reading():
                    pass
            except Unavailable as error:
                told.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        reader.join(10)
        assert "try again" in str(told[0])


def test_whoever_speaks_comes_between_two_handfuls_of_a_moment_which_has_their_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        service.publish([signal("offer", f"maker-{number}", 1) for number in range(9)])
        words = [signal("need", f"home-{number}", 1) for number in range(3)]
        monkeypatch.setattr("coordinator.adapters.service.COPIED_AT_ONCE", 2)
        monkeypatch.setattr("coordinator.adapters.service.time.sleep", lambda _: words and service.publish([words.pop()]))
        moment, entries = service.moment()
        assert (len(moment.network.agents), entries, words) == (12, service.status().entries, [])
        service.publish([signal("need", "home-9", 1)])
        assert "home-9" not in moment.network.agents  # a moment stays as it is
        with service.reading():  # nor does it matter to it what goes on
            assert len(list(moment.network.living())) == 12


def test_whoever_asks_for_a_moment_waits_no_longer_for_others_who_do_than_for_a_plan(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        service._wait_s = 0.01
        told: list[Exception] = []

        def ask() -> None:
            try:
                service.moment()
            except Unavailable as error:
                told.append(error)

        asker = threading.Thread(target=ask, daemon=True)
        with service._following:
            asker.start()
            asker.join(10)
            assert "try again" in str(told[0])
        service.moment()


def test_followers_read_what_is_at_hand_and_what_is_older_alike(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with closing(service_at(path)) as service:
        service.publish([signal("offer", f"maker-{number}", 1) for number in range(5)] + [b"nonsense"])
        service.publish([signal("offer", "maker-5", 1)])
        at_hand, end = service.follow(1)
        assert service.follow(2, at_most=2)[0] == at_hand[1:3]
        with pytest.raises(Refused, match="beyond this log"):
            service.follow(7)
    with closing(service_at(path)) as service:
        assert service.follow(1) == (at_hand, end)
    assert [one.position for one in at_hand] == [2, 3, 4, 6]  # the refused line at 5 is no part of the stream
    assert end == 6


def test_a_log_has_one_service(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")), pytest.raises(Unavailable, match="another process"):
        service_at(tmp_path / "log")


def test_many_speak_at_once_and_everything_is_taken_once(tmp_path: Path) -> None:
    with closing(service_at(tmp_path / "log")) as service:
        lines = [signal("offer", f"maker-{number}", 1, place=RENNES) for number in range(200)]

        def speak() -> None:
            for begin in range(0, 200, 20):
                service.publish(lines[begin : begin + 20])

        threads = [threading.Thread(target=speak) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        counts = service.status().counts
    assert (counts["taken"], counts["repeat"]) == (200, 600)
    assert len(streams(tmp_path / "log")) == 200


def test_closing_waits_for_whoever_is_at_work_with_a_bound_and_leaves_the_log_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.adapters.service.CLOSE_S", 0.05)
    service = service_at(tmp_path / "log")
    service.publish([OFFER])
    with service.reading():
        assert not service.close()
        with pytest.raises(Unavailable, match="another process"):
            service_at(tmp_path / "log")
    with pytest.raises(Unavailable, match="stopping"):
        service.publish([NEED])
    assert service.close()
    assert streams(tmp_path / "log") == [SIGNAL]
