"""JSON Schemas of what goes over the wire, made from the models; `schemas/` beside this file holds them for those who read no Python."""

import json
from typing import Any

from pydantic import TypeAdapter

from coordinator.fields import AgentName, Instant, Name
from coordinator.signals import KINDS, OWN_KINDS

__all__ = ["json_schemas", "schema_text"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind's `data`, by kind, and under "event" that of the whole event in structured form.

    They say what a line must look like. Windows that end before they begin, recipes that eat what they make and numbers finer than a
    grain are beyond them; `parse_event` refuses those.
    """
    schemas = {kind: _described(kind, TypeAdapter(model).json_schema()) for kind, model in KINDS.items()}
    schemas["need"]["oneOf"] = [{"required": ["resource", "quantity"]}, {"required": ["process", "effort"]}]
    return schemas | {"event": _envelope()}


def schema_text(schema: dict[str, Any]) -> str:
    """The text of the schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": _DIALECT, "$id": f"urn:stigmergy:{name}:v1", "title": f"stigmergy.{name}.v1", **_tidied(schema)}


def _tidied(schema: Any) -> Any:
    """The schema without pydantic's made-up titles, and with null allowed wherever a field may be absent."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidied(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    required = tidy.get("required", ())
    for name, part in tidy.get("properties", {}).items():
        if name not in required:
            tidy["properties"][name] = _or_null(part)
    return tidy


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema:
        return schema
    without_default = {key: value for key, value in schema.items() if key != "default"}
    kinds = without_default.pop("anyOf", None) or [without_default]
    kinds = kinds if {"type": "null"} in kinds else [*kinds, {"type": "null"}]
    default = {"default": schema["default"]} if schema.get("default") is not None else {}
    return {"anyOf": kinds} | default


def _envelope() -> dict[str, Any]:
    name, agent = TypeAdapter(Name).json_schema(), TypeAdapter(AgentName).json_schema()["pattern"].strip("^$")
    said = {
        "properties": {
            "type": {"enum": [f"stigmergy.{kind}.v1" for kind in KINDS if kind not in OWN_KINDS]},
            "source": {"pattern": f"^agent:{agent}$"},
        }
    }
    judged = {
        "properties": {
            "type": {"enum": [f"stigmergy.{kind}.v1" for kind in KINDS if kind in OWN_KINDS]},
            "source": {"pattern": f"^coordinator:{agent}$"},
        }
    }
    return {
        "$schema": _DIALECT,
        "$id": "urn:stigmergy:event:v1",
        "title": "One event in structured JSON",
        "description": "A CloudEvents 1.0 event. Other attributes are extensions; data is as the schema of its kind says.",
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "id": name,
            "source": {"type": "string"},
            "type": {"type": "string"},
            "subject": name,
            "time": TypeAdapter(Instant).json_schema(),
            "logtime": _or_null(TypeAdapter(Instant).json_schema()),
            "data": {"type": ["object", "null"], "description": "null withdraws the signal of this type, source and subject"},
        },
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "oneOf": [said, judged],
    }
