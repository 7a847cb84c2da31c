"""Answers to questions as plain JSON values, the same for the command line and over HTTP."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from coordinator.times import format_instant
from coordinator.units import Quantity

__all__ = ["as_json"]


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
