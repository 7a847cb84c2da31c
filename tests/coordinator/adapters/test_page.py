"""The page's files are served from a fixed list, under a policy that lets nothing else run, and what it asks is answered."""

import asyncio
import gzip
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote

import pytest

from coordinator.adapters import at_hand, page_questions
from coordinator.adapters.aside import Preparation
from coordinator.adapters.page import FILES, POLICY
from coordinator.adapters.service import REFUSAL_CODES
from coordinator.adapters.tokens import create_token
from coordinator.charter import Charter
from coordinator.commitments import SAID_ONLY, State
from coordinator.cycle import Coordination
from coordinator.errors import Unavailable
from coordinator.explaining import explain
from coordinator.json_schemas import json_schemas
from coordinator.layout import Drawing, draw
from coordinator.loops import Ring
from coordinator.matching import Hidden
from coordinator.network import Network
from coordinator.places import Table
from coordinator.proportions import in_proportion
from coordinator.signals import event_json, parse_event
from tests.coordinator.test_production import recipe
from tests.support.events import moment_us
from tests.support.relief import relief
from tests.support.serving import START_US, Served, serve, signal

FOLDER = Path(str(files("coordinator"))) / "page"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("page") / "log", radius_km=450) as served:
        served.service.publish(list(relief(START_US)))
        served.wait(2)
        yield served


def test_the_list_and_the_folder_hold_the_same_files() -> None:
    assert sorted(FILES) == sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())


def test_every_module_that_a_script_imports_is_on_the_list() -> None:
    for name in FILES:
        if name.endswith(".js"):
            folder = (FOLDER / name).parent
            for imported in re.findall(r'from "(.+?)"', (FOLDER / name).read_text(encoding="utf-8")):
                assert (folder / imported).resolve().relative_to(FOLDER).as_posix() in FILES, (name, imported)


def test_no_file_asks_another_host_or_makes_markup_out_of_text() -> None:
    for name in FILES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "style=", "@import"):
            assert forbidden not in text, (name, forbidden)
        addresses = {word for word in text.replace('"', " ").split() if word.startswith(("http:", "https:", "//")) and len(word) > 2}
        assert addresses <= {"http://www.w3.org/2000/svg"}, (name, addresses)


def test_both_languages_have_the_same_messages_with_the_same_values() -> None:
    def messages(name: str) -> dict[str, set[str]]:
        text = (FOLDER / f"words/{name}.js").read_text(encoding="utf-8")
        return {key: set(re.findall(r"\{(\w+)\}", said)) for key, said in re.findall(r'^  "?([\w. ]+?)"?: "(.*)",$', text, flags=re.M)}

    english, french = messages("en"), messages("fr")
    said = {key for key in french if key.startswith("said.")}  # English as the server says it
    assert english.keys() == french.keys() - said
    assert {re.sub(r"_(one|other)$", "", key.removeprefix("said.")) for key in said} == forms().keys()
    for key in said:
        values = re.findall(r"\?P<(\w+)>", forms()[re.sub(r"_(one|other)$", "", key.removeprefix("said."))])
        assert french[key] <= set(values), key
    counted = {key for key in english if english[key] != french[key]}
    assert all(key.endswith("_one") for key in counted), counted  # One may be said without its figure.


def test_every_word_of_the_server_has_a_message() -> None:
    """A view that has none for a code, state or kind would not be drawn at all."""
    text = (FOLDER / "words/en.js").read_text(encoding="utf-8")
    words = {f"code.{code}" for code in REFUSAL_CODES} | {f"state.{state}" for state in (*State, *SAID_ONLY, "shipped", "delivered")}
    words |= {f"kind.{kind}" for kind in json_schemas() if kind != "event"}
    words |= {f"rule.{name}" for name in Charter.model_fields}
    assert {word for word in words if f'"{word}": ' not in text} == set()
    assert json.dumps(list(REFUSAL_CODES)) in (FOLDER / "views/refused.js").read_text(encoding="utf-8")


def test_every_rule_of_matching_can_be_said_in_the_readers_language() -> None:
    """The page knows the server's sentences by heart: one that is worded anew here has to be there too."""
    text = (FOLDER / "telling.js").read_text(encoding="utf-8").partition("const RULES = ")[2]
    known = dict(re.findall(r'^  "(.*)": "(\w+)",$', text, flags=re.M))
    assert known.keys() == {str(why) for why in Hidden}
    english = (FOLDER / "words/en.js").read_text(encoding="utf-8")
    assert {name for name in known.values() if f'"hidden.{name}": ' not in english} == set()


def forms() -> dict[str, str]:
    """The forms of the server's sentences that the page knows, as patterns of Python."""
    text = (FOLDER / "words/said.js").read_text(encoding="utf-8")
    parts = dict(re.findall(r'^const (\w+) = "(.*)";$', text, flags=re.M))
    found: dict[str, str] = {}
    for name, form in re.findall(r'^  (\w+): ["`](.*)["`],$', text, flags=re.M):
        whole = re.sub(r"\$\{(\w+)\}", lambda part: parts[part[1]], form)
        found[name] = whole.replace("\\\\", "\\").replace("(?<", "(?P<")
    return found


def form_of(sentence: str) -> str | None:
    """The one form of a sentence: where several fitted, their order would decide what the reader is told."""
    found = [name for name, form in forms().items() if re.fullmatch(form, sentence)]
    assert len(found) < 2, (sentence, found)
    return found[0] if found else None


def test_what_could_change_can_be_said_in_the_readers_language(told: Served) -> None:
    with told.service.reading() as coordination:
        refs = [stance.ref for stance in coordination.network.living() if not stance.is_supply]
        told_of = [explain(coordination, ref) for ref in refs]
    sentences = {each for one in told_of for each in one.could_change}
    sentences |= {each for one in told_of if not one.reachable_offers and not one.hidden for each in one.reasons}
    sentences |= {each for row in told.get("/network/unreachable")["items"] for each in row["reasons"]}
    assert {each for each in sentences if form_of(each) is None} == set()
    assert len({form_of(each) for each in sentences}) >= 4


def test_why_a_recipe_is_not_used_can_be_said_in_the_readers_language() -> None:
    told = [Ring("a/recipe/r", ("pulp", "sheet", "pulp"), back).sentence for back in (Fraction(1), Fraction(1, 2))]
    network = Network(Charter())
    wide = recipe("a", "wide", {"part": 1}, {"wire": (1, "mm")}, {}), recipe("b", "wider", {"drum": 1}, {"wire": (10, "km")}, {})
    levels = [recipe("c", f"level{each}", {f"good{each}": 1}, {f"good{each - 1}": 10**3}, {}) for each in range(1, 5)]
    for line in (*wide, *levels):
        network.apply(parse_event(line), moment_us(1))
    _, odd = in_proportion(network, network.recipes)
    told += [each.sentence for each in odd]
    assert [form_of(each) for each in told[:2]] == ["recipe_loop_no_gain", "recipe_loop"]
    assert {form_of(each) for each in told[2:]} == {"recipe_wide", "recipe_deep"}


def test_why_an_answer_was_refused_can_be_said_in_the_readers_language(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        served.post(signal("offer", "maker", 60))
        served.post(signal("need", "clinic", 20))
        served.post(signal("need", "ehpad", 20))
        served.wait(2)
        one, other = [each["proposal"] for each in served.get("/proposals")["items"]]
        receiver = served.get(f"/proposals/{one}")["lines"][0]["receiver"]
        says = iter(range(100))

        def answer(who: str, proposal: str, data: dict[str, object] | None) -> None:
            served.post(event_json("answer", f"agent:{who}", proposal, served.clock.now_us + next(says), data))

        def word(who: str, proposal: str, said: str, **more: object) -> None:
            answer(who, proposal, {"proposal": proposal, "answer": said, **more})

        word("maker", "no-such-one", "accept")
        word("stranger", one, "accept")
        word("maker", one, "counter")
        word("maker", one, "counter", quantity={"value": 1, "unit": "kg"})
        word("maker", one, "counter", quantity={"value": 500, "unit": "1"})
        answer("maker", one, None)
        word("maker", one, "accept")
        word("maker", one, "accept")
        word(receiver, one, "accept")
        word(receiver, one, "decline")
        answer("maker", one, None)
        word("maker", other, "accept")
        word("maker", other, "decline")
        whys = [row["why"] for row in served.get("/ledger?limit=1000")["items"] if row.get("why")]
    found = {why: form_of(why) for why in whys}
    assert {why for why, name in found.items() if name is None} == set()
    known = {"unknown", "no_party", "counter_unit", "counter_large", "nothing_to_take_back", "accepted_already", "not_open", "stands"}
    assert known <= set(found.values())


def test_why_one_has_to_wait_can_be_said_in_the_readers_language(told: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences: list[str] = []
    monkeypatch.setattr(told.service, "_wait_s", 0.0)
    with told.service._lock:
        sentences.append(told.ask("GET", "/needs").json["detail"])
    with told.service._following:
        sentences.append(told.ask("GET", "/network/stats").json["detail"])
    monkeypatch.setattr("coordinator.adapters.http_api.MOST_WAITING", 0)
    sentences.append(told.post(signal("need", "clinic", 1)).json["detail"])
    monkeypatch.setattr(told.service._stop, "is_set", lambda: True)
    sentences.append(told.ask("GET", "/needs").json["detail"])
    with pytest.raises(Unavailable) as refusal:
        asyncio.run(Preparation(lambda: True, patience_s=0.0).done())
    sentences.append(str(refusal.value))
    assert [form_of(each) for each in sentences] == ["busy_planning", "busy_copying", "busy_many", "busy_stopping", "busy_compiling"]


def test_why_a_signal_was_turned_away_can_be_said_in_the_readers_language(tmp_path: Path) -> None:
    pieces = {"value": 20, "unit": "1"}
    bad = (
        *(b"", b"nonsense", b"[1]", b'{"id": 1, "id": 2}', b'{"specversion": "1.0"', b"{} {}", b'{"specversion": "1.0"}', b"{}"),
        *(_with(quantity={"value": value, "unit": "1"}) for value in (-3, 2.5, 10**14, True, "20")),
        *(_with(quantity={"value": 2, "unit": unit}) for unit in ("bags", 7)),
        _with(quantity=pieces | {"value": 1e-10, "unit": "kg"}),
        _with(quantity={"value": 10**14, "unit": "t"}),
        _with(quantity={"value": 10**14, "unit": "g"}),
        _with(requires={"bed": {"x": 1}}),
        _with(quantity=None),
        _with(quantity=7),
        _with(resource=7),
        _with(resource=""),
        _with(resource="x" * 200),
        _with(resource="face\u200bshield"),
        _with(place={"lat": 148.1, "long": 0}),
        _with(place={"lat": 48.1, "lonk": 0}),
        _with(place={"lat": 48.1}),
        _with(tier=9),
        _with(begin="2026-03-02T08:00:00Z", end="2026-03-01T08:00:00Z"),
        _with(end="2026-03-01"),
        _with(end="2026-03-01T08:00:00"),
        _with(end="2026-02-31T08:00:00Z"),
        _with(process="sewing", effort={"value": 1, "unit": "kg"}),
        _with(process="sewing", effort={"value": 1, "unit": "h"}),
        _with(price=3),
        _with().replace(b"agent:clinic", b"agent:x y"),
        _with().replace(b"agent:clinic", b"clinic"),
        _with().replace(b"agent:clinic", b"coordinator:other"),
        _with().replace(b"need.v1", b"price.v1"),
        _with().replace(b'"time":', b'"tine":'),
        _with().replace(b'"id":', b'"it":'),
        _with().replace(b'"data":', b'"date":'),
        event_json("answer", "agent:clinic", "one", START_US, {"proposal": "other", "answer": "accept"}),
        event_json("answer", "agent:clinic", "one", START_US, {"proposal": "one", "answer": "perhaps"}),
    )
    with serve(tmp_path / "log", late_seconds=3_600) as served:
        for line in bad:
            assert served.post(line).status != 200, line
        served.post(signal("need", "clinic", 20, time_us=START_US - 2 * 3_600_000_000))
        reasons = {row["reason"] for row in served.get("/refused?limit=1000")["items"]}
    assert len(reasons) > 30
    assert {reason for reason in reasons if form_of(reason) is None} == set()


def _with(**changed: object) -> bytes:
    """A need like any other, but for some fields."""
    data = {"resource": "face-shield", "quantity": {"value": 20, "unit": "1"}} | changed
    return event_json("need", "agent:clinic", "face-shield", START_US, data)


def test_all_scripts_are_asked_for_at_once() -> None:
    """One that waits for another to name it would cost a way there and back."""
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    preloaded = re.findall(r'<link rel="modulepreload" href="page/(.*)">', html)
    assert {*preloaded, "main.js", "map/painter.js"} == {name for name in FILES if name.endswith(".js")}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_comes_with_its_kind_and_is_known_again(told: Served, name: str) -> None:
    address = "/" if name == "index.html" else f"/page/{name}"
    answer = told.ask("GET", address)
    assert (answer.status, answer.headers["content-type"]) == (200, FILES[name])
    assert answer.body == (FOLDER / name).read_bytes()
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-cache", "nosniff")
    again = told.ask("GET", address, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    packed = told.ask("GET", address, headers={"accept-encoding": "gzip"})
    assert gzip.decompress(packed.body) == answer.body


def test_the_page_may_run_its_own_scripts_and_nothing_else(told: Served) -> None:
    assert told.ask("GET", "/").headers["content-security-policy"] == POLICY
    assert told.ask("GET", "/page/map/painter.js").headers["content-security-policy"] == POLICY  # a thread goes by its own
    assert "script-src 'self';" in POLICY
    assert "unsafe" not in POLICY
    assert "default-src 'none'; frame-ancestors" in told.ask("GET", "/needs").headers["content-security-policy"]


@pytest.mark.parametrize(
    "name", ["", "../views.py", "..%2fviews.py", "%2e%2e/views.py", "views/../../views.py", "main.js/", "views", "nothing.js"]
)
def test_what_is_not_on_the_list_does_not_exist(told: Served, name: str) -> None:
    assert told.ask("GET", f"/page/{name}").status in (307, 404)
    assert b"coordinator" not in told.ask("GET", f"/page/{name}").body.lower().replace(b"what can be asked", b"")


def test_answers_are_not_kept_by_caches(told: Served) -> None:
    assert told.ask("GET", "/needs").headers["cache-control"] == "no-store"


# -- what it asks -----------------------------------------------------------------------------------------------------


def test_shortage_is_summed_by_thing_and_tier(told: Served) -> None:
    items = told.get("/shortage")["items"]
    rows = {(item["name"], tier["tier"]): tier for item in items for tier in item["tiers"]}
    assert rows["oxygen-sensor", 0] == {
        "tier": 0,
        "needs": 1,
        "short_needs": 1,
        "short_agents": 1,
        "asked": {"value": 30, "unit": "1"},
        "short": {"value": 30, "unit": "1"},
        "share_short": 1.0,
    }
    needs = told.get("/shortage/needs?limit=500")
    assert sum(item["short_needs"] for item in items) == needs["short"] == sum(need["short"]["value"] > 0 for need in needs["items"])
    assert sum(item["needs"] for item in items) == needs["total"] == len(needs["items"])


def test_needs_come_short_ones_first_then_by_tier_then_the_least_covered(told: Served) -> None:
    rows = told.get("/shortage/needs?limit=500")["items"]
    order = [(need["short"]["value"] == 0, need["tier_used"], need["share_covered"]) for need in rows]
    assert order == sorted(order)
    assert order[0] == (False, 0, 0.0)
    assert told.get("/shortage/needs?limit=2&skip=3")["items"] == rows[3:5]


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("resource=gown", lambda need: need.get("resource") == "gown"),
        ("tier=0", lambda need: need["tier_used"] == 0),
        ("short=true", lambda need: need["short"]["value"] > 0),
        ("agent=chu-rennes", lambda need: need["agent"] == "chu-rennes"),
        ("q=CHU-REN", lambda need: "chu-ren" in need["ref"]),
    ],
)
def test_needs_are_filtered(told: Served, query: str, holds) -> None:  # type: ignore[no-untyped-def]
    everything = told.get("/shortage/needs?limit=500")["items"]
    assert told.get(f"/shortage/needs?limit=500&{query}")["items"] == [need for need in everything if holds(need)] != []


def test_the_map_has_everybody_and_every_flow(told: Served) -> None:
    chart = told.get("/map")
    agents, signals, flows = chart["agents"], chart["signals"], chart["flows"]
    assert len(agents["name"]) == told.get("/network")["agents"]
    assert [name for name, lat in zip(agents["name"], agents["lat"], strict=True) if lat is None] == ["reserve-nationale", "samu-42"]
    assert len({len(column) for column in signals.values()}) == 1
    lines = [line for row in told.get("/proposals?limit=1000")["items"] for line in row["lines"]]
    drawn = [
        (agents["name"][start], agents["name"][end], chart["things"][thing])
        for start, end, thing in zip(flows["from"], flows["to"], flows["thing"], strict=True)
    ]
    assert sorted(drawn) == sorted((line["provider"], line["receiver"], line["resource"]) for line in lines)
    assert chart["drawing"] is None


def say_routes(served: Served) -> None:
    """Four agents without places, at the corners of a rectangle."""
    corners = {"a": (0, 0), "b": (300, 0), "c": (300, 400), "d": (0, 400)}
    for name, (x, y) in corners.items():
        for other, (u, v) in corners.items():
            if name < other:
                far = {"to": other, "distance_km": ((x - u) ** 2 + (y - v) ** 2) ** 0.5}
                served.post(event_json("route", f"agent:{name}", other, START_US, far))


def test_where_nobody_said_a_place_the_map_is_drawn_from_distances(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        say_routes(served)
        served.post(event_json("agent", "agent:lonely", "agent", START_US, {}))
        served.post(event_json("agent", "agent:d", "agent", START_US, {}))
        chart = served.get("/map")
    at = dict(zip(chart["agents"]["name"], zip(chart["agents"]["east_km"], chart["agents"]["north_km"], strict=True), strict=True))
    assert at.pop("lonely") == (None, None)
    assert chart["drawing"]["error"] < 0.01
    apart = ((at["a"][0] - at["c"][0]) ** 2 + (at["a"][1] - at["c"][1]) ** 2) ** 0.5
    assert apart == pytest.approx(500, abs=5)


def test_those_who_follow_learn_how_far_all_was_sent_also_where_the_rest_is_shown_to_nobody(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        served.post(signal("need", "clinic", 5))
        served.post(signal("need", "clinic", 5, time_us=START_US - 10**15))  # refused, and kept as such
        last = served.get("/readyz")["entries"] - 1
        connection = http.client.HTTPConnection(served.host, served.port, timeout=20)
        connection.request("GET", "/events?after=-1")
        response, told = connection.getresponse(), b""
        while b"still here" not in told and b"id: %d\n" % last not in told:
            told += response.read1()
        connection.close()
    *_, silent = told.decode().strip().split("\n\n")
    assert silent == f"id: {last}"


def test_while_a_drawing_is_made_the_map_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = Event()

    def slow(table: Table, names: list[str], tell: Callable[[float], None]) -> Drawing | None:
        tell(0.25)
        go_on.wait(20)
        return draw(table, names, tell)

    monkeypatch.setattr(page_questions, "draw", slow)
    monkeypatch.setattr(page_questions, "KEPT_S", 0.0)
    with serve(tmp_path / "log") as served:
        say_routes(served)
        served.post(event_json("agent", "agent:d", "agent", START_US, {}))
        waiting = served.get("/map")
        assert (waiting["drawing"], waiting["drawn_share"]) == (None, 0.25)
        go_on.set()
        until_s = time.monotonic() + 20
        while served.get("/map")["drawing"] is None and time.monotonic() < until_s:
            time.sleep(0.05)
        assert served.get("/map")["drawing"]["error"] < 0.01


def test_who_asks_while_a_map_is_made_gets_the_one_before(told: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for longer than a moment: a drawing takes seconds."""
    monkeypatch.setattr(page_questions, "PATIENCE_S", 0.01)
    charts = page_questions._Charts(told.service)
    with charts._lock, pytest.raises(Unavailable, match="being drawn"):
        charts.newest()
    before = charts.newest()
    with charts._lock:
        assert charts.newest() is before
    assert not charts._lock.locked()


def test_an_agents_account_is_the_sum_of_its_proposals(told: Served) -> None:
    rows = told.get("/proposals?agent=atelier-rennes&limit=1000")["items"]
    wanted = sum(line["quantity"]["value"] for row in rows for line in row["lines"] if line["resource"] == "face-shield")
    account = told.get("/agents/atelier-rennes")
    [shields] = [row for row in account["sums"] if (row["way"], row["name"]) == ("gives", "face-shield")]
    assert shields["proposed"]["value"] == wanted > 0
    assert (account["name"], account["classified_as"]) == ("Atelier Rennes", ["maker"])
    assert (
        told.ask("GET", "/agents/atelier-rennez")
        .json["detail"]
        .startswith("nobody here is called 'atelier-rennez'; did you mean atelier-rennes")
    )


def test_the_newest_agents_are_told(told: Served) -> None:
    rows = told.get("/agents/newest?limit=3")["items"]
    assert len(rows) == 3
    assert rows == sorted(rows, key=lambda row: (row["joined"], row["agent"]), reverse=True) or len({row["joined"] for row in rows}) < 3


@pytest.mark.parametrize(
    ("text", "sort", "name"),
    [
        ("CHU Ren", "agent", "chu-rennes"),
        ("face-sh", "resource", "face-shield"),
        ("sewi", "process", "sewing"),
        ("chu-brest/need", "need", "chu-brest/need/gown"),
    ],
)
def test_names_are_found_by_a_part_of_them(told: Served, text: str, sort: str, name: str) -> None:
    found = [(row["sort"], row["name"]) for row in told.get(f"/search?q={quote(text)}&limit=50")["items"]]
    assert (sort, name) in found
    assert told.get("/search?q=")["items"] == []


def test_a_history_is_whole_however_the_words_were_written_and_whatever_was_refused_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_questions, "AT_ONCE", 5)
    monkeypatch.setattr(at_hand, "KEPT", 1)  # the rest is read from the log
    with serve(tmp_path / "log") as served:
        spaced = json.dumps(json.loads(signal("need", "clinic", 10)), indent=None)
        assert b'"source": "agent:clinic"' in spaced.encode()
        assert served.post(spaced.encode()).status == 200
        for number in range(12):
            assert served.post(b"%d" % number).status == 400
        for line in (signal("need", "clinic", 20), signal("offer", "atelier", 20)):
            assert served.post(line).status == 200
        served.wait(2)
        [proposal] = served.get("/proposals")["items"]
        said = {"proposal": proposal["proposal"], "answer": "decline"}
        answer = event_json("answer", "agent:atelier", proposal["proposal"], served.clock.now_us, said)
        assert served.post(json.dumps(json.loads(answer)).encode()).status == 200
        past = served.get("/needs/clinic/need/face-shield/history")
        kinds = [one["event"]["type"].split(".")[1] for one in past["items"]]
        assert kinds == ["need", "need", "proposal", "answer", "ledger"]
        assert (past["since"], past["more"]) == (0, 0)
        monkeypatch.setattr(page_questions, "PAST", 2)
        cut = served.get("/needs/clinic/need/face-shield/history")
        assert (cut["items"], cut["more"]) == (past["items"][-2:], 3)


def test_the_rules_are_compared_by_a_post_alone_and_only_for_pages_of_its_own(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as served:
        untouched = {"running": None, "trouble": None, "last": None}
        assert served.ask("GET", "/charter/compared?start=true").status == 400
        assert served.get("/charter/compared") == untouched
        assert served.ask("POST", "/charter/compared", b"", {"origin": "https://evil.example"}).status == 403
        assert served.get("/charter/compared") == untouched
        begun = served.ask("POST", "/charter/compared")
        assert (begun.status, begun.json["running"]) == (202, {"markets": 0, "of": 0})


def test_the_charter_in_force_is_told(told: Served) -> None:
    charter = told.get("/charter")
    assert charter["version"] == told.get("/network")["charter"]
    assert charter["rules"]["radius_km"] == 450


def test_a_session_tells_whose_a_token_is(told: Served, tmp_path: Path) -> None:
    assert told.get("/session") == {"tokens": False, "reading": "open", "agent": None}
    token = create_token(tmp_path / "tokens.json", "chu-rennes")
    with serve(tmp_path / "log", tmp_path / "tokens.json") as shut:
        assert shut.get("/session") == {"tokens": True, "reading": "open", "agent": None}
        known = shut.ask("GET", "/session", headers={"authorization": f"Bearer {token}"})
        mine = {"name": "chu-rennes", "agent": "chu-rennes", "speaks": ["chu-rennes"], "answers": [], "expires": None}
        assert json.loads(known.body) == {"tokens": True, "reading": "open", **mine}
        assert shut.ask("GET", "/session", headers={"authorization": "Bearer stig_wrong"}).status == 401


# -- what the commands tell, over HTTP --------------------------------------------------------------------------------


def test_why_a_need_is_short_is_told_as_the_command_tells_it(told: Served) -> None:
    answer = told.get("/needs/samu-42/need/mask-ffp2/why")
    with told.service.reading() as coordination:
        assert answer["reasons"] == list(explain(coordination, "samu-42/need/mask-ffp2").reasons)
    assert answer["short"] == {"value": 80, "unit": "1"}
    assert "lifting" not in answer
    assert told.get("/needs/samu-42%2Fneed%2Fmask-ffp2/why") == answer
    lifted = told.get("/needs/samu-42/need/mask-ffp2/why?lift=true&by=10")["lifting"]
    assert (lifted["need"], lifted["by"]) == ("samu-42/need/mask-ffp2", {"value": 10, "unit": "1"})


@pytest.mark.parametrize(("question", "asking"), [("pressures", "/pressure/mask-ffp2"), ("relief", "/opportunities/samu-42")])
def test_markets_are_solved_for_one_asker_at_a_time(told: Served, monkeypatch: pytest.MonkeyPatch, question: str, asking: str) -> None:
    """The next is sent away with a sentence."""
    begun, go_on = Event(), Event()
    expected = {"items": ["solved"]} if question == "pressures" else ["solved"]

    def solved(*_: object) -> list[str]:
        begun.set()
        go_on.wait(10)
        return ["solved"]

    monkeypatch.setattr(f"coordinator.adapters.network_questions.{question}", solved)
    monkeypatch.setattr("coordinator.adapters.network_questions.PATIENCE_S", 0.0)
    with ThreadPoolExecutor(1) as first:
        answer = first.submit(told.get, asking)
        assert begun.wait(10)
        turned_away = [told.ask("GET", each) for each in ("/pressure/mask-ffp2", "/opportunities/samu-42")]
        go_on.set()
        assert answer.result() == expected
    assert [form_of(each.json["detail"]) for each in turned_away] == ["busy_trying", "busy_trying"]
    assert told.get(asking) == expected


@pytest.mark.parametrize("by", ["0", "-1", "inf", "nan", "1e-9", "2.5", "1e30", "1e-999999999", "much"])
def test_a_lift_by_what_is_no_quantity_of_the_unit_is_a_wrong_value(told: Served, by: str) -> None:
    """The need is known: it is not told as missing."""
    answer = told.ask("GET", f"/needs/samu-42/need/mask-ffp2/why?lift=true&by={by}")
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert "by" in answer.json["detail"]


def test_what_would_lift_a_need_is_tried_for_one_asker_at_a_time(told: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next is sent away with a sentence."""
    begun, go_on = Event(), Event()

    def tried(*_: object) -> dict[str, str]:
        begun.set()
        go_on.wait(10)
        return {"need": "tried"}

    monkeypatch.setattr("coordinator.adapters.network_questions.lifted", tried)
    asking = "/needs/samu-42/need/mask-ffp2/why?lift=true"
    with ThreadPoolExecutor(1) as first:
        answer = first.submit(told.get, asking)
        assert begun.wait(10)
        turned_away = told.ask("GET", asking)
        go_on.set()
        assert answer.result() == {"need": "tried"}
    assert (turned_away.status, turned_away.json["detail"]) == (
        503,
        "another plan is being tried just now; ask again in a few seconds",
    )
    assert form_of(turned_away.json["detail"]) == "busy_trying"
    assert told.get(asking) == {"need": "tried"}


@pytest.mark.parametrize(
    ("path", "holds"),
    [
        ("/network/stats", lambda body: body["agents"] > 80),
        ("/network/upstream/gown", lambda body: {row["name"] for row in body["items"]} >= {"gown", "fabric-sms", "sewing"}),
        ("/network/downstream/atelier-rennes", lambda body: body["items"]),
        ("/network/weak-points", lambda body: body["bottlenecks"]),
        ("/makers/gown", lambda body: body["items"][0]["requirements"][0]["process"] == "sewing"),
        ("/network/unreachable", lambda body: "samu-42/need/mask-ffp2" in {row["need"] for row in body["items"]}),
        ("/opportunities/atelier-rennes", lambda body: body["items"][0]["sentence"]),
        ("/pressure/ventilator-valve", lambda body: body["items"][0]["pressure"]),
    ],
)
def test_questions_about_the_network_are_answered(told: Served, path: str, holds) -> None:  # type: ignore[no-untyped-def]
    assert holds(told.get(path))


@pytest.mark.parametrize(
    "path",
    [
        "/network/stats",
        "/network/upstream/gown",
        "/network/downstream/atelier-rennes",
        "/network/weak-points",
        "/network/unreachable",
        "/network/tree/gown",
        "/network/hours",
        "/makers/gown",
        "/workshops/atelier-rennes",
        "/needs/samu-42/need/mask-ffp2/why?lift=true",
        "/needs/samu-42/need/mask-ffp2/explode",
        "/opportunities/atelier-rennes",
        "/pressure/ventilator-valve",
        "/agents/newest",
        "/search?q=gown",
        "/digest",
        "/map",
    ],
)
def test_who_walks_through_everything_holds_up_nobody(told: Served, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = told.service.moment
    held: list[bool] = []

    def moment() -> tuple[Coordination, int]:
        found, entries = own()
        monkeypatch.setattr(told.service, "_lock", _Watched(told.service._lock, held))  # from here on nobody is held up again
        return found, entries

    monkeypatch.setattr(told.service, "moment", moment)
    monkeypatch.setattr(page_questions, "KEPT_S", -1.0)
    told.service.publish([signal("need", "whoever", 1 + len(path), time_us=told.clock.now_us)])
    answer = told.ask("GET", path)
    assert (answer.status, held) == (200, [])
    assert path in ("/map", "/digest") or int(answer.headers["stigmergy-entries"]) == told.service.status().entries


class _Watched:
    """A lock that notes when it is taken."""

    def __init__(self, lock: Any, taken: list[bool]) -> None:
        self._lock, self._taken = lock, taken

    def acquire(self, *given: Any, **named: Any) -> bool:
        self._taken.append(True)
        return bool(self._lock.acquire(*given, **named))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)


@pytest.mark.parametrize(
    "path",
    [
        "/needs/nobody/need/x/why",
        "/network/upstream/gowm",
        "/network/downstream/x",
        "/opportunities/x",
        "/pressure/x",
        "/agents/x",
        "/makers/x",
    ],
)
def test_a_name_that_nobody_has_is_told_so(told: Served, path: str) -> None:
    answer = told.ask("GET", path)
    assert (answer.status, answer.json["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("within_km=5", "within_km came without near; say from where: an agent, or latitude,longitude"),
        ("near=91,1", "near: '91,1' is no place; latitude within 90 and longitude within 180 degrees were expected"),
        ("near=nobody-of-this-name", "near: nobody here is called 'nobody-of-this-name'; say an agent, or latitude,longitude"),
    ],
)
def test_a_place_that_is_none_is_told_so_and_not_looked_for(told: Served, asked: str, sentence: str) -> None:
    answer = told.ask("GET", f"/makers/gown?{asked}")
    assert (answer.status, answer.json["code"]) == (400, "invalid")
    assert sentence in str(answer.json)
