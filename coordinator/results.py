"""Answers to questions as plain JSON values, the same for the command line and over HTTP, and back."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from coordinator.times import format_instant, parse_instant
from coordinator.units import UNITS, Quantity

__all__ = ["as_json", "from_json"]


def as_json(value: Any) -> Any:
    """Return a result as plain JSON values: quantities and times as on the wire, distances in km, names without their inner unit."""
    if isinstance(value, Quantity):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return dict(_member(field.name, getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return {str(key.value if isinstance(key, Enum) else key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _member(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_us"):
        return name.removesuffix("_us"), None if value is None else format_instant(value)
    if name.endswith("_m"):
        return name.removesuffix("_m") + "_km", None if value is None else value / 1000
    return name, as_json(value)


def from_json(kind: Any, told: Any) -> Any:
    """Return the result of a kind that `as_json` told so: of a dataclass, or of a tuple, mapping or choice of such.

    Raises AttributeError, KeyError, Refused, TypeError or ValueError where it is told otherwise.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if told is None:
        return None
    if origin in (Union, UnionType):
        [*some] = (each for each in inner if each is not NoneType)
        return from_json(some[0], told) if len(some) == 1 else told
    if kind is Quantity:
        unit = UNITS[told["unit"]]
        return Quantity(round(Fraction(str(told["value"])) * unit.grains), unit.code)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: _read(field.name, hints[field.name], told) for field in fields(kind)})  # type: ignore[operator]
    if origin is tuple:
        kinds = [inner[0]] * len(told) if inner[-1] is Ellipsis else list(inner)
        return tuple(from_json(each, one) for each, one in zip(kinds, told, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {from_json(inner[0], name): from_json(inner[1], one) for name, one in told.items()}
    return kind(told) if isinstance(kind, type) and issubclass(kind, Enum) else told


def _read(name: str, kind: Any, told: Mapping[str, Any]) -> Any:
    """Return a member as `_member` told it."""
    if name.endswith("_us"):
        instant = told[name.removesuffix("_us")]
        return None if instant is None else parse_instant(instant)
    if name.endswith("_m"):
        km = told[name.removesuffix("_m") + "_km"]
        return None if km is None else round(km * 1000)
    return from_json(kind, told[name])
