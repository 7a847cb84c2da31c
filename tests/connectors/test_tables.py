"""Tables to signals: headers, delimiters, rows that are none, names, places, goods."""

import json
import re

import pytest

from connectors.mappings import MAPPINGS
from connectors.reading import Report
from connectors.tables import Table, read_table
from coordinator.errors import Refused
from coordinator.signals import parse_event

SAID_US = 1_600_000_000_000_000


def table(name: str) -> Table:
    mapping = MAPPINGS[name]
    assert isinstance(mapping, Table)
    return mapping


def read(text: str, name: str, *, prefix: str = "") -> Report:
    report = read_table(text, table(name), said_us=SAID_US, prefix=prefix)
    for line in report.taken:
        parse_event(line, strict_fields=True)
    return report


def sources(report: Report) -> list[str]:
    return [json.loads(line)["source"] for line in report.taken]


def test_a_row_becomes_an_agent_with_place_and_classes() -> None:
    report = read("name,lat,long,label,classified_as\nAtelier Nord,48.1,-1.5,Rennes,laser; cnc;laser\n", "agents")
    (event,) = map(json.loads, report.taken)
    assert event["source"] == "agent:atelier-nord"
    assert (event["type"], event["subject"]) == ("stigmergy.agent.v1", "agent")
    place = {"lat": 48.1, "long": -1.5, "label": "Rennes"}
    assert event["data"] == {"name": "Atelier Nord", "place": place, "classified_as": ["laser", "cnc"]}
    assert report.notes == {"delimiter": "comma", "columns not used": "none", "said at": "2020-09-13T12:26:40Z"}
    assert (report.refused, report.warnings) == ([], {})


@pytest.mark.parametrize(("mark", "called"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")])
def test_the_delimiter_is_the_one_under_which_the_header_fits(mark: str, called: str) -> None:
    report = read(mark.join(["agent", "resource", "quantity", "note"]) + "\n" + mark.join(["north", "pla", "3", '"a,b;c|d"']), "offers")
    assert (len(report.taken), report.notes["delimiter"]) == (1, called)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_one(end: str) -> None:
    report = read(end.join(["name,id", '"Two', 'lines",1', "One,2", ""]), "agents")
    assert (sources(report), report.refused) == (["agent:two-lines", "agent:one"], [])
    assert "blank line" not in report.warnings


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        pytest.param(
            "agent,ressource,quantity\n", "offers", "no column “resource” .is it “ressource”.*it reads: agent,ress", id="a near heading"
        ),
        pytest.param("", "offers", "it reads: nothing at all", id="an empty file"),
        pytest.param("agent,resource,quantity,quantity\n", "offers", "“quantity” more than once", id="a heading twice"),
        pytest.param("lat,long\n1,2\n", "agents", "neither a column “agent” nor “name”", id="nobody who speaks"),
        pytest.param('"agent,resource,quantity\n', "offers", "no column", id="a header whose quote never closes"),
        pytest.param("{}\n", "fablabs", "no column “name”", id="no table at all"),
    ],
)
def test_a_header_that_does_not_fit_refuses_the_table(text: str, name: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        read(text, name)


def test_columns_that_say_nothing_to_us_are_named() -> None:
    assert read("name,phone,fax\nA,1,2\n", "agents").notes["columns not used"] == "phone, fax"


def test_another_heading_can_stand_for_a_column() -> None:
    menge = table("offers").with_columns({"quantity": "Menge", "unit": "Einheit"})
    report = read_table("agent;resource;Menge;Einheit\nnord;pla;2.5;kg\n", menge, said_us=SAID_US)
    assert json.loads(report.taken[0])["data"] == {"resource": "pla", "quantity": {"value": 2.5, "unit": "kg"}}
    with pytest.raises(Refused, match="no column “Einheit”"):
        read_table("agent;resource;Menge\n", menge, said_us=SAID_US)
    with pytest.raises(Refused, match="'price' is nothing a table can say"):
        table("offers").with_columns({"price": "Preis"})


def test_rows_that_are_none_are_refused_and_the_next_is_read() -> None:
    text = 'name,id\n\nOne,1\nTwo\n"Three,3\nFour,4,4\n"Fi"ve,5\nSix,6\n'
    report = read(text, "agents")
    assert sources(report) == ["agent:one", "agent:six"]
    assert [(refused.row, refused.excerpt) for refused in report.refused] == [
        (4, "Two"),
        (5, '"Three,3'),
        (6, "Four,4,4"),
        (7, '"Fi"ve,5'),
    ]
    assert "the row has 1 cells, the header 2" in report.refused[0].reason
    assert "quotes do not pair up" in report.refused[1].reason
    assert report.warnings["blank line"] == 1


def test_every_row_is_taken_or_refused() -> None:
    rows = ["A,1", "B", '"C,3', "D,4", '"E"",5', "\x00,6", "=F(),7", ",8", "D,4", "G,9"]
    report = read("name,id\n" + "\n".join(rows), "agents")
    assert len(report.taken) + len(report.refused) == len(rows)
    assert sources(report) == ["agent:a", "agent:g"]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("a\u202eb,1,,", "U\\+202E"),
        ("a\x00b,1,,", "U\\+0000"),
        ("\"=cmd|' /C calc'!A0\",1,,", "begins like a formula"),
        ("\x1b[2J\x7f,1,,", "U\\+001B"),
        (",1,,", "has no name"),
        ("A,1,200,3", "lat is 200"),
        ("A,1,1;2,3", "lat is '1;2'"),
    ],
)
def test_an_agent_row_is_refused_with_its_line_and_reason(row: str, why: str) -> None:
    report = read(f"name,id,lat,long\nGood,0,1,2\n{row}\n", "agents")
    assert sources(report) == ["agent:good"]
    (refused,) = report.refused
    assert refused.row == 3
    assert re.search(why, refused.reason)
    assert (refused.reason + refused.excerpt).isprintable()


def test_agents_who_would_be_called_the_same_carry_their_id() -> None:
    report = read("name,id\nFab Lab,7\nfab-lab!,8\nOther,9\n", "agents")
    assert sources(report) == ["agent:fab-lab-7", "agent:fab-lab-8", "agent:other"]
    assert report.warnings["name shared with another: agent name carries the id"] == 2


def test_agents_that_nothing_tells_apart_are_refused_not_merged() -> None:
    report = read("name\nFab Lab\nFab lab\n", "agents")
    assert report.taken == []
    assert [refused.row for refused in report.refused] == [2, 3]
    assert "no id tells the two apart" in report.refused[0].reason


def test_an_agent_column_is_taken_as_it_is() -> None:
    report = read("agent,name\nNord_1,Atelier\nNord_1,Again\nno good,Name\n", "agents", prefix="bzh.")
    assert sources(report) == ["agent:bzh.Nord_1"]
    assert [refused.row for refused in report.refused] == [3, 4]
    assert "stands already in line 2" in report.refused[0].reason


def test_missing_and_doubtful_places_are_counted() -> None:
    report = read("name,id,lat,long\nA?,1,,\nB,2,1,\nC,3,0,0\nΩ,4,1,1\n", "agents")
    assert sources(report) == ["agent:a", "agent:b", "agent:c", "agent:agent-4"]
    assert report.warnings == {
        "no coordinates: taken without a place": 1,
        "only one of two coordinates: taken without a place": 1,
        "place at 0° north 0° east: probably not known": 1,
        "name with “?” or “\ufffd”: a letter was probably lost before it came here": 1,
        "name without a letter of a to z: the agent is called agent and its id": 1,
    }
    assert ["place" in json.loads(line)["data"] for line in report.taken] == [False, False, True, True]


def test_offers_and_needs_carry_what_the_columns_say() -> None:
    head = "agent,resource,quantity,unit,time,begin,end,due,minimum,tier,within_km,id\n"
    row = "clinic,pla,2.5,kg,2026-03-01 08:00:00+01:00,,2026-03-09T00:00:00Z,2026-03-05T12:00:00Z,0.5,0,300,n-1\n"
    (event,) = map(json.loads, read(head + row, "needs").taken)
    assert (event["type"], event["subject"], event["time"]) == ("stigmergy.need.v1", "n-1", "2026-03-01T07:00:00Z")
    assert event["data"] == {
        "resource": "pla",
        "quantity": {"value": 2.5, "unit": "kg"},
        "minimum": 0.5,
        "tier": 0,
        "within_km": 300,
        "end": "2026-03-09T00:00:00Z",
        "due": "2026-03-05T12:00:00Z",
    }


def test_stock_counts_all_that_is_there() -> None:
    (event,) = map(json.loads, read("agent,resource,quantity\nnord,pla,3\n", "stock").taken)
    assert event["data"] == {"resource": "pla", "quantity": {"value": 3, "unit": "1"}, "basis": "total"}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("don1,gowns,100000000000000.0,2020-04-18 13:18:00+00:00", "100000000000000"),
        ("don1,gowns,2.5,2020-04-18 13:18:00+00:00", "2.5"),
        ("don1,gowns,-4,2020-04-18 13:18:00+00:00", "-4"),
        ("don1,gowns,some,2020-04-18 13:18:00+00:00", "the quantity is 'some'"),
        ("don1,gowns,5,2020-04-18 13:18:00", "the time .*without an offset"),
        ("don1,gowns,5,yesterday", "the time "),
        ("don1,,5,2020-04-18 13:18:00+00:00", "names no resource"),
        ("d\u202e1,gowns,5,2020-04-18 13:18:00+00:00", ""),
        ("don\x7f,gowns,5,2020-04-18 13:18:00+00:00", "007F"),
        (",gowns,5,2020-04-18 13:18:00+00:00", ""),
    ],
)
def test_goods_that_cannot_be_are_refused_with_their_line(row: str, why: str) -> None:
    good = "don0,gowns,5.0,2020-04-18 13:18:00+00:00"
    report = read(f"don_id,ppe,qty,date\n{good}\n{row}\n", "ppe-match/donors")
    assert len(report.taken) == 1
    (refused,) = report.refused
    assert refused.row == 3
    assert refused.reason.isprintable()
    assert re.search(why, refused.reason)


def test_rows_about_one_resource_are_signals_of_their_own_and_stay_the_same_when_rows_are_added() -> None:
    head = "agent,resource,quantity\n"
    rows = ["nord,pla,3\n", "sud,pla,3\n", "nord,pla,3\n", "nord,abs,1\n"]
    report = read(head + "".join(rows), "offers")
    assert [json.loads(line)["subject"] for line in report.taken] == ["pla", "pla", "pla-2", "abs"]
    assert report.warnings == {"row equal to an earlier one: taken as one more": 1}
    assert read(head + "".join(rows) + "nord,pla,9\n", "offers").taken[:4] == report.taken


def test_an_id_of_goods_that_stands_twice_is_refused() -> None:
    report = read("agent,resource,quantity,id\nnord,pla,3,a\nnord,pla,4,a\nsud,pla,4,a\n", "offers")
    assert [json.loads(line)["source"] for line in report.taken] == ["agent:nord", "agent:sud"]
    assert [refused.row for refused in report.refused] == [3]


def test_the_same_text_gives_the_same_lines() -> None:
    text = "name,id\nA,1\nB,2\n"
    assert read(text, "agents").taken == read(text, "agents").taken
