"""Units and quantities: an exact table of UCUM codes, and whole grains instead of floating point.

A quantity is held as a whole number of grains of its dimension: one piece, microgram, millisecond, micrometre, square millimetre or
cubic millimetre. What does not fit exactly is refused, so that sums, differences and comparisons are exact everywhere else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from types import MappingProxyType

from coordinator.errors import Refused
from coordinator.wording import shown

__all__ = ["GRAIN_NAMES", "LARGEST_VALUE", "UNITS", "Quantity", "Unit", "from_grains", "to_grains", "ucum_code", "unit_of"]

LARGEST_VALUE = 10**9  # of its unit; more is a slip of the keyboard (an offer of 1e14 pieces), and would overflow the solver's arrays
GRAIN_NAMES = {"pieces": "piece", "mass": "µg", "time": "ms", "length": "µm", "area": "mm²", "volume": "mm³"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit known by its UCUM code, with what other worlds call it ("" where they have no name for it)."""

    code: str
    dimension: str  # a key of GRAIN_NAMES
    grains: Fraction  # in one unit
    un_ece: str  # UN/ECE Recommendation 20
    om2: str  # Ontology of units of Measure 2, as Valueflows uses it
    samm: str  # unit catalogue of the Semantic Aspect Meta Model, as Catena-X uses it
    name: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """So many grains, and the unit in which they were said."""

    grains: int
    unit: str

    @property
    def dimension(self) -> str:
        """The key of `GRAIN_NAMES` that says what one grain is."""
        return UNITS[self.unit].dimension

    def to_json(self) -> dict[str, object]:
        """The wire form, in the unit in which the quantity was said."""
        return {"value": from_grains(self.grains, self.unit), "unit": self.unit}


def unit_of(code: str) -> Unit:
    """The unit of a UCUM code. Refused, with the codes that look or sound alike, when the table has none."""
    unit = UNITS.get(code)
    if unit is None:
        raise Refused(
            f"unit is {shown(code)}; a UCUM code known here (of pieces, mass, time, length, area or volume) was expected: {_hint(code)}."
        )
    return unit


def ucum_code(foreign: str) -> str:
    """The UCUM code of a UN/ECE, OM2 or SAMM name; a prefix such as ``unit:`` or an IRI before the name is passed over."""
    name = foreign.rstrip("/").replace("#", "/").replace(":", "/").rpartition("/")[2]
    code = _CODE_OF_FOREIGN.get(name)
    if code is None:
        near = get_close_matches(name, _CODE_OF_FOREIGN, n=3, cutoff=_LIKENESS)
        hint = f"did you mean {' or '.join(near)}?" if near else "send a UCUM code, such as 1 (pieces), kg, h, m, m2 or L."
        raise Refused(f"unit is {shown(foreign)}; a UN/ECE, OM2 or SAMM name of a known unit was expected: {hint}")
    return code


def to_grains(value: int | Decimal, unit: Unit, *, as_written: bool = False) -> int:
    """The whole number of grains that `value` of `unit` is.

    Refused when the value is not above zero, not finite, more than 1e9 of its unit, or not a whole number of grains. With `as_written`
    a value that `from_grains` wrote is read back to the same grains even where its decimals never end (20 min are 0.3333… h).
    """
    if isinstance(value, Decimal) and not value.is_finite():
        raise Refused(f"value is {value}; a finite number was expected: say how much there is.")
    if value <= 0:
        raise Refused(
            f"value is {shown(value)}; a quantity is above zero: say how much there is, or withdraw it, with null for all of data."
        )
    if value > LARGEST_VALUE:
        alike = (each for each in UNITS.values() if each.dimension == unit.dimension and "[" not in each.code)  # [lton_av] helps few
        largest = max(alike, key=lambda each: each.grains)
        advice = "check it." if unit.grains >= largest.grains else f"check it, or say it in a larger unit, such as {shown(largest.code)}."
        raise Refused(f"value is {shown(value)}; at most 1e9 of its unit is taken: {advice}")
    if isinstance(value, int):
        grains, rest = divmod(value * unit.grains.numerator, unit.grains.denominator)
    else:
        # Checked first, because the ratio of 1e-999999999 would fill the memory.
        if value.adjusted() < -_SMALLEST_DIGIT:
            raise Refused(f'value is {shown(value)}, in "{unit.code}"; {_grain_rule(unit)}')
        numerator, denominator = value.as_integer_ratio()
        grains, rest = divmod(numerator * unit.grains.numerator, denominator * unit.grains.denominator)
    if rest:
        if as_written:
            nearest = round(Fraction(value) * unit.grains)
            if from_grains(nearest, unit.code) == float(value):
                return nearest
        raise Refused(f'value is {shown(value)}, in "{unit.code}"; {_grain_rule(unit, Fraction(value))}')
    return grains


def from_grains(grains: int, code: str) -> int | float:
    """The JSON number that says `grains` in the unit: whole where it is whole, else the shortest that reads back to the same grains.

    A double tells 15 to 17 digits apart. Where the decimals need more, or never end (20 min in hours), the nearest double is returned,
    which only `to_grains(..., as_written=True)` reads back. What people say needs neither, and the planner moves whole packs of it.
    """
    unit = unit_of(code)
    numerator, denominator = grains * unit.grains.denominator, unit.grains.numerator
    whole, rest = divmod(numerator, denominator)
    return numerator / denominator if rest else whole  # int / int rounds once, to the nearest double


_LIKENESS = 0.75  # of 1: "metr" is like "metre", "parsec" is not like "are"
_MINUTE_APART = Fraction(1, 20)  # of a minute that what is written in hours or days may be off, where minutes seem meant
_SMALLEST_DIGIT = 30  # no unit of the table has a grain finer than 1e-30 of it


def _grain_rule(unit: Unit, value: Fraction = Fraction(0)) -> str:
    if unit.dimension == "pieces":
        return "pieces are whole: send a whole number, or another unit."
    rule = f"amounts are whole {GRAIN_NAMES[unit.dimension]}: round it to fewer digits"
    minutes = value * unit.grains / UNITS["min"].grains
    # As somebody writes a third of an hour, to three digits or more.
    is_nearly_whole = unit.code in ("h", "d") and round(minutes) > 0 and abs(minutes - round(minutes)) <= _MINUTE_APART
    return f"{rule}, or say {round(minutes)} min." if is_nearly_whole else f"{rule}."


def _hint(code: str) -> str:
    """What to send instead of a code that is not in the table."""
    if code in _CODE_OF_FOREIGN:
        return f"send {_CODE_OF_FOREIGN[code]}"
    folded = {known.casefold(): known for known in UNITS} | {unit.name.casefold(): unit.code for unit in UNITS.values()}
    if exact := folded.get(code.casefold()) or folded.get(code.casefold().rstrip("s")):
        return f"send {exact}"
    near = [_told(folded[word]) for word in get_close_matches(code.casefold()[:40], folded, n=3, cutoff=_LIKENESS)]
    known = "1 for pieces, or kg, g, h, min, m, m2, L and the like"
    # What only looks alike may be something else altogether: boxes of foo are no feet.
    return f"did you mean {' or '.join(dict.fromkeys(near))}? Else send {known}" if near else f"send {known}"


def _told(code: str) -> str:
    """A code with its name, where those differ by more than letters that were left out."""
    name = UNITS[code].name
    return code if code == name else f"{code} ({name})"


# Code | grains in one unit | UN/ECE Rec 20 | OM2 | SAMM | English name. A dash stands for "no name there".
_TABLE = {
    "pieces": """
        1          | 1                | C62 | one                      | one                   | piece
        {piece}    | 1                | H87 | piece                    | piece                 | piece
        {each}     | 1                | EA  | -                        | each                  | each
        {item}     | 1                | -   | -                        | -                     | item
        10*2       | 100              | CEN | hundredCount             | hundred               | hundred
        10*3       | 1000             | MIL | thousandPiece            | thousand              | thousand
        10*6       | 1000000          | MIO | -                        | million               | million
    """,
    "mass": """
        ug         | 1                | MC  | microgram                | microgram             | microgram
        mg         | 1000             | MGM | milligram                | milligram             | milligram
        cg         | 10000            | CGM | centigram                | centigram             | centigram
        g          | 1000000          | GRM | gram                     | gram                  | gram
        dag        | 10000000         | DJ  | decagram                 | decagram              | decagram
        hg         | 100000000        | HGM | hectogram                | hectogram             | hectogram
        kg         | 1000000000       | KGM | kilogram                 | kilogram              | kilogram
        t          | 1000000000000    | TNE | tonne                    | tonneMetricTon        | tonne
        [gr]       | 6479891/100      | GRN | grain                    | grain                 | grain
        [oz_av]    | 28349523125/1000 | ONZ | ounceAvoirdupois         | ounceAvoirdupois      | ounce
        [lb_av]    | 453592370        | LBR | poundAvoirdupois         | pound                 | pound
        [stone_av] | 6350293180       | STI | -                        | stoneUk               | stone
        [ston_av]  | 907184740000     | STN | ton-Short                | tonUsOrShortTonUkorus | short ton
        [lton_av]  | 1016046908800    | LTN | ton-Long                 | tonUkOrLongTonUs      | long ton
    """,
    "time": """
        us         | 1/1000           | B98 | microsecond-Time         | microsecond           | microsecond
        ms         | 1                | C26 | millisecond-Time         | millisecond           | millisecond
        s          | 1000             | SEC | second-Time              | secondUnitOfTime      | second
        min        | 60000            | MIN | minute-Time              | minuteUnitOfTime      | minute
        h          | 3600000          | HUR | hour                     | hour                  | hour
        d          | 86400000         | DAY | day                      | day                   | day
        wk         | 604800000        | WEE | week                     | week                  | week
    """,
    "length": """
        um         | 1                | 4H  | micrometre               | micrometre            | micrometre
        mm         | 1000             | MMT | millimetre               | millimetre            | millimetre
        cm         | 10000            | CMT | centimetre               | centimetre            | centimetre
        dm         | 100000           | DMT | decimetre                | decimetre             | decimetre
        m          | 1000000          | MTR | metre                    | metre                 | metre
        km         | 1000000000       | KMT | kilometre                | kilometre             | kilometre
        [in_i]     | 25400            | INH | inch-International       | inch                  | inch
        [ft_i]     | 304800           | FOT | foot-International       | foot                  | foot
        [yd_i]     | 914400           | YRD | yard-International       | yard                  | yard
        [mi_i]     | 1609344000       | SMI | mile-Statute             | mileStatuteMile       | mile
    """,
    "area": """
        mm2        | 1                | MMK | squareMillimetre         | squareMillimetre      | square millimetre
        cm2        | 100              | CMK | squareCentimetre         | squareCentimetre      | square centimetre
        dm2        | 10000            | DMK | squareDecimetre          | squareDecimetre       | square decimetre
        m2         | 1000000          | MTK | squareMetre              | squareMetre           | square metre
        ar         | 100000000        | ARE | are                      | are                   | are
        har        | 10000000000      | HAR | hectare                  | hectare               | hectare
        km2        | 1000000000000    | KMK | squareKilometre          | squareKilometre       | square kilometre
        [sin_i]    | 64516/100        | INK | squareInch-International | squareInch            | square inch
        [sft_i]    | 9290304/100      | FTK | squareFoot-International | squareFoot            | square foot
        [syd_i]    | 83612736/100     | YDK | squareYard-International | squareYard            | square yard
    """,
    "volume": """
        uL         | 1                | 4G  | microlitre               | microlitre            | microlitre
        mL         | 1000             | MLT | millilitre               | millilitre            | millilitre
        cL         | 10000            | CLT | centilitre               | centilitre            | centilitre
        dL         | 100000           | DLT | decilitre                | decilitre             | decilitre
        L          | 1000000          | LTR | litre                    | litre                 | litre
        hL         | 100000000        | HLT | hectolitre               | hectolitre            | hectolitre
        ml         | 1000             | -   | -                        | -                     | millilitre
        l          | 1000000          | -   | -                        | -                     | litre
        mm3        | 1                | MMQ | cubicMillimetre          | cubicMillimetre       | cubic millimetre
        cm3        | 1000             | CMQ | cubicCentimetre          | cubicCentimetre       | cubic centimetre
        dm3        | 1000000          | DMQ | cubicDecimetre           | cubicDecimetre        | cubic decimetre
        m3         | 1000000000       | MTQ | cubicMetre               | cubicMetre            | cubic metre
        [cin_i]    | 16387064/1000    | INQ | -                        | cubicInch             | cubic inch
        [cft_i]    | 28316846592/1000 | FTQ | -                        | cubicFoot             | cubic foot
        [foz_us]   | 473176473/16000  | OZA | fluidOunce-US            | fluidOunceUs          | US fluid ounce
        [pt_us]    | 473176473/1000   | PTL | liquidPint-US            | liquidPintUs          | US pint
        [qt_us]    | 946352946/1000   | QTL | liquidQuart-US           | liquidQuartUs         | US quart
        [gal_us]   | 3785411784/1000  | GLL | gallon-US                | gallonUs              | US gallon
        [gal_br]   | 4546090          | GLI | gallon-Imperial          | gallonUk              | imperial gallon
    """,
}


def _units() -> Iterator[Unit]:
    for dimension, rows in _TABLE.items():
        for row in rows.strip().splitlines():
            code, grains, un_ece, om2, samm, name = ("" if cell.strip() == "-" else cell.strip() for cell in row.split("|"))
            yield Unit(code, dimension, Fraction(grains), un_ece, om2, samm, name)


def _foreign_names(units: Iterable[Unit]) -> Iterator[tuple[str, str]]:
    for unit in units:
        yield from ((foreign, unit.code) for foreign in (unit.un_ece, unit.om2, unit.samm) if foreign)


UNITS: Mapping[str, Unit] = MappingProxyType({unit.code: unit for unit in _units()})
_CODE_OF_FOREIGN = dict(_foreign_names(UNITS.values()))
