"""One sentence out of what pydantic found wrong: the field, what came, what was expected, what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from typing import get_args, get_type_hints

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from coordinator.wording import near, shown

__all__ = ["complaint", "wire_name"]

_EXPECTED = {
    "bool_type": "true or false, without quotes,",
    "dict_type": "an object in { }",
    "dataclass_type": "an object in { }",
    "string_type": "a text in quotes",
    "tuple_type": "a list in [ ]",
}


def complaint(errors: Sequence[ErrorDetails], model: type) -> str:
    """The sentence for the first thing that is wrong with what `model` did not take."""
    error = errors[0]
    path = "data" + "".join(f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in error["loc"])
    kind, came, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error":
        return f"{path}{context['error']}"
    if kind == "missing":
        return f"{path} is missing; {_near_field(str(error['loc'][-1]), came, model)}"
    if kind == "unexpected_keyword_argument":
        name = str(error["loc"][-1])
        known = _fields_at(model, error["loc"][:-1])
        guess = near(name, known, 1)
        return f"{path} is not a known field; " + (
            f"did you mean {guess}?" if guess else f"leave it out, or use one of {', '.join(known)}."
        )
    if kind == "literal_error":
        expected = context["expected"].replace("'", '"')
        return f"{path} is {shown(came)}; {expected} was expected: send one of these."
    expected = _EXPECTED.get(kind, "another kind of value")
    return f"{path} is {shown(came)}; {expected} was expected: send it so."


def _plain(step: str) -> str:
    """A key as it may stand in a sentence: keys come from outside too."""
    return shown(step)[1:-1]


def _near_field(name: str, came: object, model: type) -> str:
    strangers = came.keys() - _fields(model).keys() if isinstance(came, dict) else ()
    guess = near(name, sorted(strangers), 1)
    return f"did you mean it by {shown(guess)}?" if guess else "it is required: add it."


def _fields(model: type) -> dict[str, object]:
    """What each field of a model is annotated with, by its name on the wire."""
    return {wire_name(name, hint): hint for name, hint in get_type_hints(model, include_extras=True).items()}


def wire_name(name: str, hint: object) -> str:
    """What a field so annotated is called in JSON."""
    return next((part.alias for part in getattr(hint, "__metadata__", ()) if isinstance(part, FieldInfo) and part.alias), name)


def _fields_at(model: type, steps: Iterable[int | str]) -> list[str]:
    """The wire names of the fields of the model that stands at the path inside `model`."""
    for step in steps:
        if isinstance(step, str):
            inner = _model_in(_fields(model)[step])
            if inner is None:
                return []
            model = inner
    return list(_fields(model))


def _model_in(annotation: object) -> type | None:
    """The first model inside an annotation such as ``tuple[Step, ...]`` or ``Place | None``."""
    if isinstance(annotation, type) and is_dataclass(annotation):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)
