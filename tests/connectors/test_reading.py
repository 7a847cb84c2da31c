"""The shared rules: encodings, numbers, texts and agent names."""

import re

import pytest

from connectors.reading import agent_names, amount_of, decode, excerpt, number_of, place_of, slug, text_of
from coordinator.errors import Refused


@pytest.mark.parametrize(
    ("content", "encoding", "text", "read_as"),
    [
        pytest.param("né".encode(), None, "né", "utf-8", id="plain UTF-8"),
        pytest.param(b"\xef\xbb\xbfn\xc3\xa9", None, "né", "utf-8-sig", id="UTF-8 with its mark, which is taken off"),
        pytest.param(b"\xef\xbb\xbfn\xc3\xa9", "UTF-8", "né", "utf-8-sig", id="the mark goes too when UTF-8 is named"),
        pytest.param(b"n\x82", "cp850", "né", "cp850", id="the encoding that is named"),
        pytest.param("né".encode("utf-16"), "utf-16", "né", "utf-16", id="UTF-16 when named"),
    ],
)
def test_the_encoding_used_is_told(content: bytes, encoding: str | None, text: str, read_as: str) -> None:
    assert decode(content, encoding) == (text, read_as)


@pytest.mark.parametrize("encoding", ["cp1252", "cp850", "mac-roman"])
def test_bytes_that_are_not_utf8_are_refused_with_the_encoding_they_read_well_in(encoding: str) -> None:
    written = "id,name\n1,Atelier\n2,Fabrique de Séné près du théâtre\n".encode(encoding)
    with pytest.raises(Refused, match=rf"in line 3 is not UTF-8.*As {encoding} it would read “.*Séné.*say --encoding {encoding}"):
        decode(written)


@pytest.mark.parametrize(
    ("content", "encoding", "why"),
    [
        pytest.param("né".encode("utf-16"), None, "mark of UTF-16", id="UTF-16 is told by its mark"),
        pytest.param(b"abc", "cp99999", "'cp99999' is not an encoding", id="an encoding nobody knows"),
        pytest.param(b"abc", "hex", "'hex' is not an encoding of text", id="a codec that is not for text"),
        pytest.param(b"n\x81", "cp1252", "does not read as cp1252", id="the named encoding is not the one"),
        pytest.param(b"\xef\xbb\xbfn\x82", "utf-8", "byte 0x82 in line 1", id="the mark of UTF-8 before what is not"),
    ],
)
def test_what_cannot_be_decoded_is_refused(content: bytes, encoding: str | None, why: str) -> None:
    with pytest.raises(Refused, match=why):
        decode(content, encoding)


@pytest.mark.parametrize(("cell", "number"), [("20.0", 20), (" 12.5 ", 12.5), ("-3", -3), ("1e3", 1000), ("100000000000000.0", 10**14)])
def test_a_number_is_whole_where_it_can_be(cell: str, number: float) -> None:
    read = number_of(cell, "the quantity")
    assert (read, type(read)) == (number, type(number))


@pytest.mark.parametrize("cell", ["", "ten", "1,5", "1 000", "NaN", "inf", "0x10", "1_000", "٣", "1e400", "1e999999999", "--1"])
def test_what_is_not_one_plain_number_is_refused(cell: str) -> None:
    with pytest.raises(Refused, match="the quantity is"):
        number_of(cell, "the quantity")


def test_a_decimal_comma_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(Refused, match="write a decimal point"):
        number_of("1,5", "the quantity")


@pytest.mark.parametrize(
    ("cell", "decimal", "number"),
    [
        ("12", "", 12),
        ("0.125", "", 0.125),  # no thousands begin with 0
        ("12.50", "", 12.5),
        ("1234.567", "", 1234.567),  # nor with four digits
        ("1.000", ".", 1),
        ("1,000", ".", 1000),
        ("1,234,567.5", ".", 1234567.5),
        ("1.000", ",", 1000),
        ("1,5", ",", 1.5),
        ("1.234.567,5", ",", 1234567.5),
        ("1,000", ",", 1),
        ("-1.000", ",", -1000),
        ("1e3", ",", 1000),
        ("1 000", ",", 1000),
        ("1\u202f234\u00a0567,5", ",", 1234567.5),
        ("-1\u2009000.5", ".", -1000.5),
        ("1.500e3", ".", 1500),
        ("1.500e3", ",", 1500000),
        ("0.500e3", "", 500),
        ("1 234,5", ",", 1234.5),
        ("1\u00a0234\u00a0567", ",", 1234567),
        ("-1\u202f234,5", ",", -1234.5),
        ("1\u2009234.5", ".", 1234.5),
    ],
)
def test_an_amount_is_what_the_decimal_mark_of_its_table_makes_it(cell: str, decimal: str, number: float) -> None:
    read = amount_of(cell, "the quantity", decimal)
    assert (read, type(read)) == (number, type(number))


@pytest.mark.parametrize(
    ("cell", "either"),
    [
        ("1.000", "1 where “.” is the decimal mark and 1000 where “,” is"),
        ("12,500", "12.5 where “,” is the decimal mark and 12500 where “.” is"),
        ("1,5", "name the decimal mark of the table"),
        ("1.000.000", "name the decimal mark of the table"),
        ("1 000", "write it without spaces, or name the decimal mark of the table"),
        ("1 234,5", "name the decimal mark of the table"),
        ("1.500e3", "1500 where “.” is the decimal mark and 1500000 where “,” is"),
        ("+1.000", "1 where “.” is the decimal mark and 1000 where “,” is"),
    ],
)
def test_an_amount_that_could_be_two_numbers_is_never_guessed(cell: str, either: str) -> None:
    with pytest.raises(Refused, match=f"the quantity is '{re.escape(cell)}'.*{either}.*--decimal"):
        amount_of(cell, "the quantity")


@pytest.mark.parametrize(
    ("cell", "decimal"),
    [("1.5", ","), ("1.00", ","), ("1,5", "."), ("1,000,00", "."), ("0.125", ","), ("1,000.5", ","), ("1 00", ","), ("1 000.5", ",")],
)
def test_an_amount_that_does_not_fit_the_decimal_mark_is_refused(cell: str, decimal: str) -> None:
    with pytest.raises(Refused, match=f"the quantity is '{cell}', where .* with “[{decimal}]” as the decimal mark"):
        amount_of(cell, "the quantity", decimal)


@pytest.mark.parametrize("cell", ["1,2,3", "1 23,5", "about 1,5", "1.5.2"])
def test_a_decimal_mark_is_asked_for_only_where_it_would_help(cell: str) -> None:
    for decimal in (".", ","):
        with pytest.raises(Refused):
            amount_of(cell, "the quantity", decimal)
    with pytest.raises(Refused, match=f"the quantity is '{cell}', where a number such as 12 or 12.5 was expected") as refused:
        amount_of(cell, "the quantity")
    assert "--decimal" not in str(refused.value)


def test_an_amount_beyond_all_measure_is_shown_as_it_was_written() -> None:
    with pytest.raises(Refused, match="the quantity is 1,5e30, beyond anything"):
        amount_of("1,5e30", "the quantity", ",")


def test_spaces_are_tidied_and_letters_composed() -> None:
    assert text_of("  Fab\u00a0Lab\n Se\u0301ne\u0301 ", "the name") == "Fab Lab Séné"


@pytest.mark.parametrize("cell", ["a\x00b", "a\u202eb", "a\u2066b", "a\x1b[2Jb", "a\ud800b", "a\x7fb"])
def test_text_with_what_cannot_be_seen_is_refused(cell: str) -> None:
    with pytest.raises(Refused, match=r"the name holds the character U\+[0-9A-F]{4}"):
        text_of(cell, "the name")


@pytest.mark.parametrize("cell", ["=1+1", ' =HYPERLINK("x")', "@SUM(1)", "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\t=1"])
def test_text_a_spreadsheet_would_run_is_refused(cell: str) -> None:
    with pytest.raises(Refused, match="begins like a formula"):
        text_of(cell, "the name")


@pytest.mark.parametrize("cell", ["+Fab", "- Atelier -", "@home", "a=b"])
def test_names_that_only_begin_with_a_sign_are_taken(cell: str) -> None:
    assert text_of(cell, "the name") == cell


def test_a_french_number_is_told_as_it_was_written() -> None:
    with pytest.raises(Refused, match="the quantity is '1\u202f000', where a number"):
        number_of("1\u202f000", "the quantity")


def test_an_excerpt_is_short_and_moves_no_terminal() -> None:
    shown = excerpt("\x1b[2J\u202e" + "x" * 500)
    assert shown.startswith("\\x1b[2J\\u202ex")
    assert shown.endswith("…")
    assert len(shown) < 200


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("FabLab du Dôme à Caen", "fablab-du-dome-a-caen"),
        (" FABLAB+ (Łódź) ", "fablab-lodz"),
        ("Straße Ærø", "strasse-aero"),
        ("Carrefour Numérique²", "carrefour-numerique2"),
        ("Εργαστήριο", ""),
        ("????", ""),
    ],
)
def test_a_slug_keeps_plain_letters_and_digits(text: str, named: str) -> None:
    assert slug(text) == named


@pytest.mark.parametrize(
    ("called", "named"),
    [
        pytest.param([("A b", "1"), ("C", "2")], ["a-b", "c"], id="names alone need no id"),
        pytest.param([("A b", "1"), ("a-B", "2")], ["a-b-1", "a-b-2"], id="all who share a slug carry their id, the first too"),
        pytest.param([("??", "7"), ("Ω", "8")], ["lab-7", "lab-8"], id="a name with nothing to keep counts as the noun"),
        pytest.param([("??", "7")], ["lab-7"], id="and carries its id even alone"),
        pytest.param([("A", ""), ("A", "2")], [None, "a-2"], id="without an id one cannot be told apart"),
        pytest.param([("A", "2"), ("A", "2"), ("B", "")], [None, None, "b"], id="nor with the same id"),
        pytest.param([("A", "1"), ("A", "2"), ("A-1", "3")], [None, "a-2", None], id="nor where the id leads to another's name"),
        pytest.param([("there", "9")], ["there-9"], id="a name already taken gets its id"),
    ],
)
def test_agent_names_are_never_shared(called: list[tuple[str, str]], named: list[str | None]) -> None:
    assert agent_names(called, noun="lab", taken={"there"}) == named


def test_agent_names_do_not_depend_on_the_order_of_rows() -> None:
    called = [("A", "1"), ("a", "2"), ("B", "3"), ("?", "4")]
    there = dict(zip(called, agent_names(called, noun="lab"), strict=True))
    back = dict(zip(called[::-1], agent_names(called[::-1], noun="lab"), strict=True))
    assert there == back


@pytest.mark.parametrize(
    ("lat", "long", "why"),
    [
        ("91", "0", "lat is 91, where −90 to 90 was expected .are lat and long swapped"),
        ("0", "181", "long is 181, where −180 to 180"),
        ("N48", "2", "lat is 'N48', where a number"),
        (float("nan"), 2.0, "lat is nan"),
    ],
)
def test_a_place_beyond_the_globe_is_refused(lat: str | float, long: str | float, why: str) -> None:
    with pytest.raises(Refused, match=why):
        place_of(lat, long)
