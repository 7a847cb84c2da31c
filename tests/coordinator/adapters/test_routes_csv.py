import gzip

import pytest

from coordinator.adapters.routes_csv import read_routes
from coordinator.errors import Refused

HEADER = "from,to,distance_km\n"


@pytest.fixture
def write(tmp_path):
    def write(text, name="routes.csv"):
        path = tmp_path / name
        data = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


@pytest.mark.parametrize("name", ["routes.csv", "routes.csv.gz"])
def test_kilometres_become_whole_metres_both_ways(write, name):
    routes = read_routes(write(HEADER + "don1,rec2,1.2345\nrec7,don1,0\n", name))
    assert routes.metres("don1", "rec2") == routes.metres("rec2", "don1") == 1234  # a half goes to the even metre
    assert routes.metres("don1", "rec7") == 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\ufeff" + HEADER + "a,b,2.5\n", id="a byte order mark"),
        pytest.param("from,to,distance_km\r\na,b,2.5\r\n", id="Windows line ends"),
        pytest.param(HEADER + "\na,b,2.5\n\n", id="blank lines"),
        pytest.param('"to","distance_km","note","from"\n"b","25e-1","by road, mostly","a"\n', id="more columns in another order"),
        pytest.param(HEADER + "a,b,2.5", id="no newline at the end"),
        pytest.param(HEADER + "a,b, 2.5000000000000000000000000000000000000", id="a padded number"),
    ],
)
def test_what_programs_write_differently_means_the_same(write, text):
    assert read_routes(write(text)).metres("a", "b") == 2500


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param("a,b,-1", r'has "-1" as distance_km; a plain number from 0 to 1000000 was expected', id="negative"),
        pytest.param("a,b,1000001", '"1000001"', id="too far"),
        pytest.param("a,b,nan", '"nan"', id="not a number"),
        pytest.param("a,b,1e999", '"1e999"', id="infinite"),
        pytest.param("a,b,1_0", '"1_0"', id="underscores"),
        pytest.param("a,b,", '""', id="empty"),
        pytest.param("a,b,1.2.3", r'"1\.2\.3"', id="two points"),
        pytest.param('a,b,"12,5"', '"12,5"', id="a decimal comma"),
        pytest.param("a,b", "has 2 fields; 3 were expected", id="too few fields"),
        pytest.param("a,b,1,2", "has 4 fields; 3 were expected", id="too many fields"),
        pytest.param(",b,1", "from is empty", id="no name"),
        pytest.param("a b,c,1", "from is .* an agent's name has only letters", id="a name no agent can have"),
        pytest.param("c,größe,1", "to is .* an agent's name has only letters", id="a name in Latin letters"),
        pytest.param("縫,c,1", "from is .* an agent's name has only letters", id="a name in other letters"),
        pytest.param(f"{'c' * 129},b,1", "from has 129 characters", id="a name too long"),
        pytest.param("a\0,b,1", "from is .* an agent's name has only letters", id="a hidden end"),
        pytest.param("a,b,0x10", '"0x10"', id="not decimal"),
        pytest.param('a,b,"1', "has an odd number of quotes", id="a quote left open"),
    ],
)
@pytest.mark.parametrize("before", [0, 20_010])
def test_a_bad_row_is_refused_with_its_line_number(write, bad, said, before):
    good = "".join(f"x{number},y,1\n" for number in range(before))
    with pytest.raises(Refused, match=rf"routes\.csv line {before + 3} .*{said}"):
        read_routes(write(f"{HEADER}a,b,7\n{good}{bad}\nc,d,8\n"))


@pytest.mark.parametrize("text", ["", "a,b,1\n", "from,to,miles\n", "from,to,to,distance_km\n"])
def test_another_header_is_refused_with_the_one_expected(write, text):
    with pytest.raises(Refused, match="a header with the columns from,to,distance_km was expected"):
        read_routes(write(text))


def test_a_header_alone_connects_nobody(write):
    assert read_routes(write(HEADER)).pairs == 0


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(Refused, match=r"missing\.csv cannot be read \(No such file"):
        read_routes(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress((HEADER + "a,b,1\n" * 50_000).encode())[:60], id="ends in the middle"),
        pytest.param((HEADER + "a,b,1\n").encode(), id="not compressed"),
        pytest.param(gzip.compress(HEADER.encode() + b"a,b\xff,1\n"), id="not UTF-8"),
    ],
)
def test_a_compressed_file_that_is_broken_is_refused(tmp_path, data):
    path = tmp_path / "routes.csv.gz"
    path.write_bytes(data)
    with pytest.raises(Refused, match="cannot be read"):
        read_routes(path)
