"""What is said as nearly everybody says it, read at a glance: exactly as its model reads it, or not at all.

The models in `signals.py` are the judge, and the only one who says what is wrong. Here the same validators are called by a table of
each model's fields, without the care that sentences need. Whatever is not plain is `ValueError`, and left to the judge.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import lru_cache
from inspect import signature
from itertools import repeat
from operator import call
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import PlainValidator

from coordinator.complaints import wire_name
from coordinator.errors import Refused
from coordinator.fields import LONGEST_LIST, read_agent_name, read_name
from coordinator.jsontext import plain_number

__all__ = ["NOT_PLAIN", "glance_at"]

NOT_PLAIN = (Refused, ValueError, KeyError, TypeError)  # how it shows that something is left to the judge
MOST_KEPT = 1 << 14  # of the values of one field, as they come again and again
REST = "rest"  # the field that takes all that its model does not know

Reader = Callable[[Any], Any]
Model = TypeVar("Model")


def glance_at(model: type[Model]) -> Callable[[object], Model]:
    """Return what makes a `model` of JSON that `read_plain` gave; one of `NOT_PLAIN` where the judge has to look.

    A member that the model does not know is left to the judge, so that no number in all of the JSON was passed over unseen.
    """
    hints = get_type_hints(model, include_extras=True)
    parts = fields(model)  # type: ignore[arg-type]
    places = {wire_name(part.name, hints[part.name]): place for place, part in enumerate(parts)}
    rest = places.pop(REST, None)
    every = {name: (place, _reader(hints[parts[place].name])) for name, place in places.items()}
    readers = {name: (place, reader) for name, (place, reader) in every.items() if not isinstance(reader, _Dependent)}
    dependent = {name: (place, reader.validator) for name, (place, reader) in every.items() if isinstance(reader, _Dependent)}
    required = [name for name, place in places.items() if parts[place].default is MISSING and parts[place].default_factory is MISSING]
    absent = [None if part.default is MISSING else part.default for part in parts]
    made_anew = [(place, part.default_factory) for place, part in enumerate(parts) if part.default_factory is not MISSING]
    # A frozen dataclass sets its fields by name, which is most of what it takes to make one; here no line of Python runs for any of them.
    setters = [getattr(model, part.name).__set__ for part in parts]
    names = [part.name for part in parts]
    check = getattr(model, "__post_init__", None)
    new = object.__new__

    def read(said: Any) -> Model:
        if type(said) is not dict:
            raise TypeError
        values: list[Any] = absent.copy()
        awaiting = []
        for place, make in made_anew:
            values[place] = make()
        for name, value in said.items():
            found = readers.get(name)
            if found is not None:
                values[found[0]] = found[1](value)
            elif name in dependent:
                awaiting.append((*dependent[name], value))
            elif rest is not None:
                values[rest][name] = _exact(value)
            else:
                raise KeyError
        for name in required:
            if name not in said:
                raise KeyError
        for place, validator, value in awaiting:
            before = _Before(dict(zip(names, values, strict=True)))
            values[place] = validator(_exact(value), before)
        made = new(model)
        deque(map(call, setters, repeat(made), values), 0)
        if check is not None:
            check(made)
        return made

    return read


@dataclass(frozen=True)
class _Before:
    """What a validator is told of where it reads: the fields before it; that anything is forbidden matters only where it is not plain."""

    data: dict[str, object] = field(default_factory=dict)
    context: None = None


@dataclass(frozen=True)
class _Dependent:
    """Reads a field by those before it."""

    validator: Callable[[Any, _Before], Any]


def _reader(hint: Any) -> Reader | _Dependent:
    """Return what reads a field so annotated."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _reader(next(part for part in inner if part is not NoneType))
    if origin is Annotated:
        validator = next((part.func for part in inner if isinstance(part, PlainValidator)), None)
        return _reader(inner[0]) if validator is None else _validating(validator, get_origin(inner[0]) or inner[0])
    if origin is tuple:
        item = _reader(inner[0])
        assert not isinstance(item, _Dependent)  # nothing stands before an item
        return _many(item)
    if origin is dict:
        return _members
    if origin is Literal:
        return {word: word for word in inner}.__getitem__
    if hint is bool:
        return _truth
    if not (isinstance(hint, type) and is_dataclass(hint)):
        return _exact
    return _remembering(glance_at(hint)) if _comes_again(hint) else glance_at(hint)


def _comes_again(model: type) -> bool:
    """Whether all that a model tells are numbers and texts, as of a place: an agent says the same in each of its signals."""
    return all(_plain_kind(hint) in (int, float, str) for hint in get_type_hints(model, include_extras=True).values())


def _plain_kind(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return _plain_kind(next(part for part in get_args(hint) if part is not NoneType))
    return _plain_kind(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def _remembering(reader: Callable[[object], Model]) -> Callable[[Any], Model]:
    """Return what gives the same frozen model again for the same said again."""

    @lru_cache(MOST_KEPT, typed=True)
    def made(*names_and_values: Any) -> Model:
        half = len(names_and_values) // 2
        return reader(dict(zip(names_and_values[:half], names_and_values[half:], strict=True)))

    def read(said: Any) -> Model:
        if type(said) is not dict:
            raise TypeError
        return made(*said, *said.values())

    return read


def _validating(validator: Callable[..., Any], kind: type) -> Reader | _Dependent:
    """Return a reader that calls a field's own validator."""
    if len(signature(validator).parameters) > 1:
        return _Dependent(validator) if kind is int else _amount(validator)
    if kind is str:
        # Names come again and again; other texts can be long, and hardly ever do.
        return lru_cache(MOST_KEPT)(validator) if validator in (read_name, read_agent_name) else validator
    if kind is dict:
        return lambda value: validator(_exact(value))
    # `typed`, for true and 1 are one key else.
    return lru_cache(MOST_KEPT, typed=True)(lambda value: validator(plain_number(value) if type(value) is float else value))


def _amount(validator: Callable[..., Any]) -> Reader:
    @lru_cache(MOST_KEPT, typed=True)
    def amount(value: object, unit: object) -> Any:
        return validator({"value": plain_number(value) if type(value) is float else value, "unit": unit}, _Before())

    def read(said: Any) -> Any:
        if type(said) is not dict or len(said) != 2:
            raise TypeError
        return amount(said["value"], said["unit"])

    return read


def _many(reader: Reader) -> Reader:
    def read(said: Any) -> tuple[Any, ...]:
        if type(said) is not list or len(said) > LONGEST_LIST:
            raise TypeError
        return tuple(map(reader, said))

    return read


def _truth(said: object) -> bool:
    if type(said) is not bool:
        raise TypeError
    return said


def _members(said: object) -> Any:
    if type(said) is not dict:
        raise TypeError
    return _exact(said)


def _exact(said: Any) -> Any:
    """Return any JSON with its fractions as `read_json` gives them."""
    if type(said) is float:
        return plain_number(said)
    if type(said) is dict:
        return {name: _exact(value) for name, value in said.items()}
    return [_exact(value) for value in said] if type(said) is list else said
