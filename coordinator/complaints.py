"""One sentence out of what pydantic found wrong: the field, what came, what was expected, what to do."""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from coordinator.wording import near, shown

__all__ = ["complaint"]

_EXPECTED = {
    "bool_type": "true or false, without quotes,",
    "dict_type": "an object in { }",
    "model_type": "an object in { }",
    "string_type": "a text in quotes",
    "tuple_type": "a list in [ ]",
}


def complaint(errors: Sequence[ErrorDetails], model: type[BaseModel]) -> str:
    """The sentence for the first thing that is wrong with what `model` did not take."""
    error = errors[0]
    path = "data" + "".join(f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in error["loc"])
    kind, came, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error":
        return f"{path}{context['error']}"
    if kind == "missing":
        return f"{path} is missing; {_near_field(str(error['loc'][-1]), came, model)}"
    if kind == "extra_forbidden":
        name = str(error["loc"][-1])
        known = _fields_at(model, error["loc"][:-1])
        guess = near(name, known, 1)
        return f"{path} is not a known field; " + (
            f"did you mean {guess}?" if guess else f"leave it out, or use one of {', '.join(known)}."
        )
    if kind == "literal_error":
        expected = context["expected"].replace("'", '"')
        return f"{path} is {shown(came)}; {expected} was expected: send one of these."
    if kind == "too_long":
        return f"{path} has {context['actual_length']} items; at most {context['max_length']} are taken: split it or leave some out."
    expected = _EXPECTED.get(kind, "another kind of value")
    return f"{path} is {shown(came)}; {expected} was expected: send it so."


def _plain(step: str) -> str:
    """A key as it may stand in a sentence: keys come from outside too."""
    return shown(step)[1:-1]


def _near_field(name: str, came: object, model: type[BaseModel]) -> str:
    known = {field.alias or inner for inner, field in model.model_fields.items()}
    strangers = [key for key in came if key not in known] if isinstance(came, dict) else []
    guess = near(name, strangers, 1)
    return f"did you mean it by {shown(guess)}?" if guess else "it is required: add it."


def _fields_at(model: type[BaseModel], steps: Iterable[int | str]) -> list[str]:
    """The wire names of the fields of the model that stands at the path inside `model`."""
    for step in steps:
        if isinstance(step, str):
            by_name = {field.alias or name: field for name, field in model.model_fields.items()}
            inner = _model_in(by_name[step].annotation) if step in by_name else None
            if inner is None:
                return []
            model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The first model inside an annotation such as ``tuple[Step, ...]`` or ``Place | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in getattr(annotation, "__args__", ()) if (model := _model_in(part))), None)
