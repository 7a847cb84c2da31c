"""Units and quantities: an exact table, whole grains, and names of other worlds."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import Refused
from coordinator.units import GRAIN_NAMES, LARGEST_VALUE, UNITS, Quantity, from_grains, to_grains, ucum_code, unit_of

CODES = st.sampled_from(sorted(UNITS))


@pytest.mark.parametrize(
    ("value", "code", "grains"),
    [
        pytest.param("20", "1", 20, id="pieces"),
        pytest.param("20.0", "1", 20, id="20.0 is 20"),
        pytest.param("2e1", "1", 20, id="2e1 is 20"),
        pytest.param("0.1", "kg", 100_000_000, id="a tenth of a kilogram"),
        pytest.param("12.5", "h", 45_000_000, id="hours"),
        pytest.param("1", "[lb_av]", 453_592_370, id="a pound is whole micrograms"),
        pytest.param("8", "[oz_av]", 226_796_185, id="eight ounces are"),
        pytest.param("1000", "[gal_us]", 3_785_411_784, id="a thousand gallons are whole cubic millimetres"),
        pytest.param("1e9", "1", 10**9, id="the largest value"),
    ],
)
def test_a_value_is_so_many_grains(value, code, grains):
    assert to_grains(Decimal(value), unit_of(code)) == grains


@pytest.mark.parametrize(
    ("value", "code", "reason"),
    [
        pytest.param("-3", "kg", "above zero", id="negative"),
        pytest.param("0", "kg", "above zero", id="zero"),
        pytest.param("2.5", "1", "pieces are whole", id="half a piece"),
        pytest.param("1e-10", "kg", "whole µg", id="finer than a grain"),
        pytest.param("1", "[foz_us]", "whole mm³", id="one fluid ounce"),
        pytest.param("1e14", "1", r'at most 1e9 .+ check it, or say it in a larger unit, such as "10\*6"\.$', id="1e14 pieces"),
        pytest.param("1e14", "kg", 'a larger unit, such as "t"', id="1e14 kg"),
        pytest.param("1e14", "t", r"at most 1e9 of its unit is taken: check it\.$", id="1e14 t, and there is no larger unit"),
        pytest.param("1e-999999999", "kg", "whole µg", id="an exponent that would fill the memory"),
        pytest.param("1e999999999", "kg", "at most 1e9", id="an exponent that would fill the memory too"),
        pytest.param("NaN", "kg", "finite", id="not a number"),
        pytest.param("-Infinity", "kg", "finite", id="infinite"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(value, code, reason):
    with pytest.raises(Refused, match=reason):
        to_grains(Decimal(value), unit_of(code))


@pytest.mark.parametrize(
    ("value", "code", "instead"),
    [
        pytest.param("0.3333333", "h", ", or say 20 min.", id="a third of an hour"),
        pytest.param("0.0138888889", "d", ", or say 20 min.", id="of a day"),
        pytest.param("7.7777777", "h", ".", id="466.67 minutes are no whole ones"),
        pytest.param("0.0251234567", "h", ".", id="nor are 1.5"),
        pytest.param("1.4912345678", "min", ".", id="whoever says minutes knows them"),
        pytest.param("95.1234567", "s", ".", id="and whoever says seconds does not mean minutes"),
        pytest.param("120.0000001", "s", ".", id="not even near two"),
    ],
)
def test_minutes_are_told_only_where_they_are_near_what_was_said(value, code, instead):
    with pytest.raises(Refused) as refused:
        to_grains(Decimal(value), unit_of(code))
    assert str(refused.value).endswith(f"amounts are whole ms: round it to fewer digits{instead}")


def test_a_tenth_of_a_kilogram_a_million_times_is_a_hundred_tonnes_exactly():
    total = sum(to_grains(Decimal("0.1"), UNITS["kg"]) for _ in range(1_000_000))
    assert from_grains(total, "kg") == 100_000
    assert isinstance(from_grains(total, "kg"), int)


@given(st.lists(st.decimals(min_value="0.001", max_value=1000, places=3), max_size=50))
def test_sums_are_exact(values):
    assert sum(to_grains(value, UNITS["kg"]) for value in values) == sum(values) * 10**9


@given(CODES, st.integers(1, LARGEST_VALUE), st.integers(0, 6))
def test_what_was_said_in_a_unit_reads_back_to_the_same_grains(code, digits, places):
    value = Decimal(digits).scaleb(-places)
    if (Fraction(value) * UNITS[code].grains).denominator == 1:
        grains = to_grains(value, UNITS[code])
        written = from_grains(grains, code)
        assert to_grains(Decimal(repr(written)), UNITS[code]) == grains
        assert Decimal(repr(written)) == value


@given(CODES, st.integers(1, 10**12))
def test_what_was_written_is_read_back_even_where_decimals_never_end(code, grains):
    if 0 < from_grains(grains, code) <= LARGEST_VALUE:
        written = from_grains(grains, code)
        assert to_grains(Decimal(repr(written)), UNITS[code], as_written=True) == grains


def test_decimals_that_never_end_are_refused_from_those_who_did_not_have_to_write_them():
    third = Decimal(repr(from_grains(1_200_000, "h")))
    assert to_grains(third, UNITS["h"], as_written=True) == 1_200_000
    with pytest.raises(Refused, match="whole ms"):
        to_grains(third, UNITS["h"])
    with pytest.raises(Refused, match="pieces are whole"):
        to_grains(Decimal("2.5"), UNITS["1"], as_written=True)


@given(CODES, st.integers(1, 10**6))
def test_whole_values_are_written_as_whole_numbers(code, value):
    grains = value * UNITS[code].grains
    if grains.denominator == 1:
        written = from_grains(int(grains), code)
        assert (written, type(written)) == (value, int)


def test_units_of_one_dimension_convert_exactly():
    assert to_grains(1, UNITS["h"]) == to_grains(60, UNITS["min"]) == to_grains(3_600, UNITS["s"])
    assert to_grains(1, UNITS["m3"]) == to_grains(1_000, UNITS["L"]) == to_grains(1_000, UNITS["dm3"])
    assert to_grains(16, UNITS["[oz_av]"]) == to_grains(1, UNITS["[lb_av]"])
    assert to_grains(12, UNITS["[in_i]"]) == to_grains(1, UNITS["[ft_i]"])
    assert to_grains(1, UNITS["har"]) == to_grains(100, UNITS["ar"]) == to_grains(10_000, UNITS["m2"])
    assert UNITS["[gal_us]"].grains == 231 * UNITS["[cin_i]"].grains == 4 * UNITS["[qt_us]"].grains == 128 * UNITS["[foz_us]"].grains
    assert UNITS["[lton_av]"].grains == 160 * UNITS["[stone_av]"].grains == 2_240 * UNITS["[lb_av]"].grains
    assert UNITS["[sft_i]"].grains == Fraction(3_048, 10) ** 2
    assert UNITS["[cin_i]"].grains == Fraction(254, 10) ** 3


def test_a_quantity_says_its_dimension_and_its_wire_form():
    quantity = Quantity(45_000_000, "h")
    assert quantity.dimension == "time"
    assert quantity.to_json() == {"value": 12.5, "unit": "h"}


def test_every_unit_has_a_known_dimension_and_a_name():
    assert {unit.dimension for unit in UNITS.values()} == set(GRAIN_NAMES)
    assert all(unit.name and unit.grains > 0 for unit in UNITS.values())
    assert len(UNITS) >= 60


def test_no_foreign_name_stands_for_two_units():
    for names in zip(*((unit.un_ece, unit.om2, unit.samm) for unit in UNITS.values()), strict=True):
        assert not [name for name, times in Counter(names).items() if name and times > 1]


@pytest.mark.parametrize(
    ("foreign", "code"),
    [
        pytest.param("KGM", "kg", id="UN/ECE"),
        pytest.param("HUR", "h", id="UN/ECE hour"),
        pytest.param("H87", "{piece}", id="UN/ECE piece"),
        pytest.param("om2:kilogram", "kg", id="OM2 with its prefix"),
        pytest.param("http://www.ontology-of-units-of-measure.org/resource/om-2/hour", "h", id="OM2 as an IRI"),
        pytest.param("unit:piece", "{piece}", id="SAMM with its prefix"),
        pytest.param("urn:samm:org.eclipse.esmf.samm:unit:2.1.0#kilogram", "kg", id="SAMM as a URN"),
    ],
)
def test_names_of_other_worlds_have_a_ucum_code(foreign, code):
    assert ucum_code(foreign) == code


@given(CODES)
def test_every_foreign_name_of_a_unit_means_a_unit_of_the_same_size(code):
    unit = UNITS[code]
    for foreign in filter(None, (unit.un_ece, unit.om2, unit.samm)):
        assert (UNITS[ucum_code(foreign)].grains, UNITS[ucum_code(foreign)].dimension) == (unit.grains, unit.dimension)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        pytest.param("bags", "kg, g, h", id="nothing near"),
        pytest.param("KGM", "send kg", id="a UN/ECE code"),
        pytest.param("Kg", "send kg", id="another case"),
        pytest.param("hours", "send h", id="an English plural"),
        pytest.param("parsec", "send 1 for pieces", id="nothing like it"),
        pytest.param("foo", r"did you mean \[ft_i\] \(foot\)\? Else send 1 for pieces", id="alike, and perhaps something else"),
        pytest.param("x" * 100_000, "…", id="a very long code"),
        pytest.param("\u202egk", "\\\\u202egk", id="a hidden character"),
    ],
)
def test_an_unknown_unit_is_refused_with_what_to_send(code, hint):
    with pytest.raises(Refused, match=hint) as refused:
        unit_of(code)
    assert len(str(refused.value)) < 250


def test_an_unknown_foreign_name_is_refused_with_near_ones():
    with pytest.raises(Refused, match="did you mean kilogram"):
        ucum_code("unit:kilogramm")
    with pytest.raises(Refused, match="UCUM code, such as"):
        ucum_code("unit:xyzzy")
