"""The command `connector`, run as people run it."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connectors.cli import app
from connectors.mappings import MAPPINGS
from coordinator.signals import parse_event

LABS = "id,name,city,county,country_code,latitude,longitude,capabilities,activity_status,url\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def labs(tmp_path: Path) -> Path:
    file = tmp_path / "labs.csv"
    file.write_text(LABS + "1,Séné,Séné,,FR,47.6,-2.7,laser,active,\n2,=1+1,,,FR,,,,active,\n3,Nord,,,FR,,,,active,\n", encoding="utf-8")
    os.utime(file, (1_600_000_000, 1_600_000_000))
    return file


def test_every_mapping_is_listed_in_a_line() -> None:
    result = run("list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(MAPPINGS)


def test_events_go_to_standard_output_and_the_report_beside_it(labs: Path) -> None:
    result = run("read", labs, "--as", "fablabs")
    assert result.exit_code == 1
    events = [parse_event(line, strict_fields=True) for line in result.stdout.splitlines()]
    assert [event.name for event in events] == ["sene", "nord"]
    assert f"{labs}: 2 events taken, 1 row refused" in result.stderr
    assert "said at: 2020-09-13T12:26:40Z" in result.stderr
    assert "encoding: utf-8" in result.stderr
    assert "warning, 1 ×: no coordinates: taken without a place" in result.stderr
    assert "refused, row 3: the name begins like a formula" in result.stderr
    assert result.stderr.endswith("  1 refused row is kept nowhere: --refused FILE writes all of them; mend them and read the file again\n")


def test_events_refused_rows_and_report_go_where_they_are_sent(labs: Path, tmp_path: Path) -> None:
    out, refused = tmp_path / "events.jsonl", tmp_path / "refused.jsonl"
    options = ("--out", out, "--refused", refused, "--json", "--prefix", "bzh.", "--time", "2026-03-01T08:00:00+01:00")
    result = run("read", labs, "--as", "fablabs", *options)
    assert (result.exit_code, result.stdout) == (1, "")
    events = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(event["source"], event["time"]) for event in events] == [
        (f"agent:bzh.{name}", "2026-03-01T07:00:00Z") for name in ("sene", "nord")
    ]
    (row,) = [json.loads(line) for line in refused.read_text(encoding="utf-8").splitlines()]
    assert (row["file"], row["row"], row["raw"]) == (str(labs), 3, "2,=1+1,,,FR,,,,active,")
    report = json.loads(result.stderr)
    assert (report["taken"], len(report["refused"]), report["notes"]["delimiter"]) == (2, 1, "comma")


def test_reading_a_file_again_prints_the_same_bytes(labs: Path) -> None:
    assert run("read", labs, "--as", "fablabs").stdout == run("read", labs, "--as", "fablabs").stdout


def test_packed_versions_are_read(tmp_path: Path) -> None:
    line = {"date": "2017-08-25T13:56:12+02:00", "geojson": {"type": "FeatureCollection", "features": []}}
    file = tmp_path / "versions.jsonl.gz"
    file.write_bytes(gzip.compress(json.dumps(line).encode() + b"\n"))
    result = run("read", file, "--as", "bzh-fablabs/versions")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "versions read: 1" in result.stderr


def test_a_heading_of_their_own_is_named_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "lager.csv"
    file.write_bytes("agent;Stoff;Menge\nnord;Müll;3\n".encode("cp1252"))
    result = run("read", file, "--as", "stock", "--encoding", "cp1252", "--column", "resource=Stoff", "--column", "quantity=Menge")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["data"]["resource"] == "Müll"


def test_refused_rows_beyond_a_screenful_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "offers.csv"
    file.write_text("agent,resource,quantity\nnord,pla,1\n" + "nord,pla,none\n" * 25)
    result = run("read", file, "--as", "offers")
    assert (result.exit_code, result.stderr.count("refused, row")) == (1, 20)
    assert "… and 5 more\n  25 refused rows are kept nowhere: --refused FILE writes all of them" in result.stderr
    result = run("read", file, "--as", "offers", "--refused", tmp_path / "refused.jsonl")
    assert f"  25 refused rows are in {tmp_path / 'refused.jsonl'}, a JSON object a line; mend them" in result.stderr
    assert len((tmp_path / "refused.jsonl").read_bytes().splitlines()) == 25


def test_a_file_taken_whole_ends_with_nought_and_tells_of_no_refused_rows(tmp_path: Path) -> None:
    file = tmp_path / "offers.csv"
    file.write_text("agent,resource,quantity\nnord,pla,1\n")
    result = run("read", file, "--as", "offers")
    assert result.exit_code == 0
    assert "0 rows refused" in result.stderr
    assert "--refused" not in result.stderr


def test_an_amount_that_could_be_two_numbers_is_taken_once_the_decimal_mark_is_said(tmp_path: Path) -> None:
    stock = tmp_path / "stock.csv"
    stock.write_text("agent;resource;quantity;unit\nnord;pla;1.000;g\nsud;pla;1,5;g\n")
    unsaid = run("read", stock, "--as", "stock")
    assert (unsaid.exit_code, unsaid.stdout) == (2, "")
    assert "say which by --decimal . or --decimal ," in unsaid.stderr
    said = run("read", stock, "--as", "stock", "--decimal", ",")
    assert said.exit_code == 0
    assert [json.loads(line)["data"]["quantity"]["value"] for line in said.stdout.splitlines()] == [1000, 1.5]


def test_a_coordinate_has_the_decimal_comma_of_its_table_and_needs_no_word_on_a_point(tmp_path: Path) -> None:
    agents = tmp_path / "agents.csv"
    agents.write_text("agent;lat;long\nnord;48,118;-1,680\nsud;48.118;-1.680\n")
    result = run("read", agents, "--as", "agents", "--decimal", ",")
    places = [json.loads(line)["data"]["place"] for line in result.stdout.splitlines()]
    assert (result.exit_code, places) == (0, [{"lat": 48.118, "long": -1.68}] * 2)
    unsaid = run("read", agents, "--as", "agents").stderr
    told = "lat is '48,118', where a number such as 48.1 was expected; name the decimal mark of the table by --decimal ,"
    assert told in unsaid


def test_pieces_of_a_bill_of_materials_are_read_with_the_decimal_mark_that_is_said(tmp_path: Path) -> None:
    parts = tmp_path / "wall.csv"
    parts.write_text("part;quantity\nscrew;1.000\n")
    assert "1 where “.” is the decimal mark and 1000 where “,” is" in run("read", parts, "--as", "bom").stderr
    result = run("read", parts, "--as", "bom", "--decimal", ",")
    assert json.loads(result.stdout)["data"]["inputs"] == [{"resource": "screw", "quantity": {"value": 1000, "unit": "1"}}]


@pytest.mark.parametrize(
    ("name", "content", "options", "why"),
    [
        pytest.param("none.csv", None, ["--as", "offers"], "No such file or directory", id="a file that is not there"),
        pytest.param("x.csv", b"agent\n", ["--as", "offer"], "no mapping is called 'offer' (is it offers?)", id="an unknown mapping"),
        pytest.param("x.csv", b"agent\n", ["--as", "offers"], "no column “resource”", id="a header that does not fit"),
        pytest.param("x.csv", "name\nDôme\n".encode("cp850"), ["--as", "agents"], "--encoding cp850", id="another encoding"),
        pytest.param("x.csv", b"name\n", ["--as", "agents", "--time", "now"], "--time is", id="a time that is none"),
        pytest.param("x.csv", b"name\n", ["--as", "agents", "--column", "name"], "OURS=THEIRS", id="a column without its heading"),
        pytest.param("x.csv", b"{}", ["--as", "points", "--column", "name=n"], "--column is for tables", id="a column of a map"),
        pytest.param(
            "x.csv", b"name\n", ["--as", "agents", "--out", "/nowhere/at/all"], "/nowhere/at/all: No such file", id="nowhere to write"
        ),
        pytest.param(
            "x.csv", b"{}", ["--as", "points", "--decimal", ","], "--decimal is for tables and bills", id="a decimal mark of a map"
        ),
        pytest.param("x.csv", b"name\n", ["--as", "agents", "--decimal", ";"], "“.” or “,” was expected", id="a decimal mark that is none"),
        pytest.param("x.geojson", b"[1,\n]", ["--as", "points"], "line 2 column 1", id="broken JSON"),
        pytest.param("x.jsonl.gz", b"plain", ["--as", "points"], "not whole gzip", id="not packed"),
        pytest.param("x.jsonl.gz", gzip.compress(b"x" * 999)[:-9], ["--as", "points"], "not whole gzip", id="packed and cut short"),
    ],
)
def test_a_file_that_cannot_be_read_ends_with_two_and_one_line(
    tmp_path: Path, name: str, content: bytes | None, options: list[str], why: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    result = run("read", file, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr
    assert result.stderr.startswith("connector: ")
    assert len(result.stderr.splitlines()) == 1


def test_help_loads_nothing_that_only_reading_needs() -> None:
    code = "import sys, connectors.cli; print(sorted({'pydantic', 'numpy', 'rich', 'csv', 'coordinator.signals'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_of_which_nothing_is_taken_ends_with_two(tmp_path: Path) -> None:
    offers = tmp_path / "offers.csv"
    offers.write_text("agent,resource,quantity,unit\na,gown,5,parsec\nb,gown,1e20,1\n")
    result = run("read", offers, "--as", "offers")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "0 events taken, 2 rows refused" in result.stderr
    assert (
        'unit is "parsec"; a UCUM code known here (of pieces, mass, time, length, area or volume) was expected: send 1 for pieces'
        in result.stderr
    )
    assert "the quantity is 1e20, beyond anything that is counted or measured" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT TESTED here: this system has no /dev/full, a device that is always full")
def test_a_disk_that_is_full_is_named_and_what_cannot_be_printed_ends_in_a_sentence(labs: Path) -> None:
    command = [sys.executable, "-c", "from connectors.cli import main; main()"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run([*command, "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (
        3,
        "connector: this machine could not take what was printed: No space left on device. Make room or mend that, then try again.\n",
    )
    ended = subprocess.run(
        [*command, "read", str(labs), "--as", "fablabs", "--out", "/dev/full"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (
        3,
        "connector: /dev/full cannot be written (No space left on device); check the folder and the space on the disk\n",
    )


def test_a_part_of_a_refused_row_is_asked_for_when_the_draft_is_adopted(tmp_path: Path) -> None:
    parts, drafts = tmp_path / "chair.csv", tmp_path / "drafts.jsonl"
    parts.write_text("part,quantity,unit\nseat,1,\nglue,abc,kg\n")
    assert run("read", parts, "--as", "bom", "--out", drafts).exit_code == 1
    words = ("adopt", drafts, "chair", "--as", "atelier", "--hours", "assembly=1")
    assert "nobody said how much glue goes in" in run(*words).stderr
    adopted = run(*words, "--takes", "glue=0.2:kg")
    assert json.loads(adopted.stdout)["data"]["inputs"][1] == {"resource": "glue", "quantity": {"value": 0.2, "unit": "kg"}}


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    result = run("read", tmp_path, "--as", "offers")
    assert (result.exit_code, result.stderr) == (2, f"connector: {tmp_path} is a folder; name the one file in it that is to be read\n")
