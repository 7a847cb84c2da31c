"""CloudEvents 1.0 in its two forms: structured JSON everywhere, binary (attributes as headers, data as value) on Kafka."""

from collections.abc import Iterable
from functools import lru_cache

import orjson

from coordinator.errors import Refused
from coordinator.jsontext import read_json, write_json
from coordinator.wording import shown

__all__ = ["from_binary", "to_binary"]

_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_JSON = "application/json"
_LONGEST_KNOWN = 64  # characters of a header's name that is remembered: a stranger's may have any length
_STRUCTURED = "application/cloudevents+json"


def to_binary(structured: bytes) -> tuple[list[tuple[str, bytes]], bytes | None]:
    """The Kafka headers and value of one structured event: each attribute a ``ce_`` header, in the order given, and its data as JSON.

    Null data is a null value, which is what a compacted topic forgets a key by. Refused when an attribute is not a text, number or
    boolean, as CloudEvents demands.
    """
    parted = _parted(structured)
    if parted is not None:
        return parted
    record = _event(structured)
    data = record.pop("data", None)
    content_type = record.pop("datacontenttype", _JSON)
    headers = [(_PREFIX + name, _header(name, value)) for name, value in record.items() if value is not None]
    headers.append((_CONTENT_TYPE, _header("datacontenttype", content_type)))
    return headers, None if data is None else write_json(data)


def from_binary(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> bytes:
    """One structured event from a Kafka message; a message that is structured already is checked and comes back in the same form.

    Headers that are not CloudEvents' own (tracing, for one) are passed over. Numbers keep every digit. Refused when the headers
    contradict each other or the value is not JSON.
    """
    attributes, content_type = _told(headers)
    media_type = _JSON if content_type == _JSON else content_type.partition(";")[0].strip().lower()
    if attributes and value and media_type == _JSON and _is_json(value):
        # What it says is read once, strictly, by whoever takes the event; here it only has to be one value of JSON.
        return b'%s,"data":%s}' % (orjson.dumps(attributes)[:-1], value)
    if media_type == _STRUCTURED or (not attributes and value is not None):
        return write_json(_event(value or b""))
    if media_type != _JSON and not media_type.endswith("+json"):
        raise Refused(f"content-type is {shown(content_type)}; {_JSON} was expected: send the data as JSON.")
    if not attributes:
        raise Refused("The message has neither ce_ headers nor a value; a CloudEvent was expected: send one in binary or structured form.")
    record: dict[str, object] = dict(attributes)
    if media_type != _JSON:
        record["datacontenttype"] = content_type
    record["data"] = read_json(value) if value else None
    return write_json(record)


def _parted(structured: bytes) -> tuple[list[tuple[str, bytes]], bytes | None] | None:
    """Return the headers and the bytes of the data, where the data comes last, as we write it, and both can be told at a glance.

    Within a text a quotation mark would be escaped, so what is looked for can only be the member itself. Attributes that come out again
    as they went in have no name twice, unless it is that of the data.
    """
    head, found, data = structured.partition(b',"data":')
    if not found or not data.endswith(b"}") or not _is_json(data[:-1]):
        return None
    head += b"}"
    try:
        record = orjson.loads(head)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or "data" in record or orjson.dumps(record) != head:
        return None
    content_type = record.pop("datacontenttype", _JSON)
    if type(content_type) is not str or not {str, int}.issuperset(map(type, record.values())):
        return None
    headers = [(_PREFIX + name, value.encode() if type(value) is str else b"%d" % value) for name, value in record.items()]
    headers.append((_CONTENT_TYPE, content_type.encode()))
    return headers, None if data == b"null}" else data[:-1]


def _is_json(value: bytes) -> bool:
    """Whether these bytes are one value of JSON, as far as can be told at once; more is found out by those who read it."""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _event(structured: bytes) -> dict[str, object]:
    record = read_json(structured)
    if not isinstance(record, dict):
        raise Refused(f"The message holds {shown(record)}; one CloudEvents object was expected: send it in {{ }}.")
    return record


def _header(name: str, value: object) -> bytes:
    match value:
        case bool():
            return b"true" if value else b"false"
        case str():
            return _utf8(name, value)
        case int():
            return str(value).encode()
    raise Refused(f"{name} is {shown(value)}; an attribute is a text, a whole number, true or false: move it into data.")


def _utf8(name: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise Refused(f"{name} is {shown(value)}, with half a surrogate pair; write the character itself.") from None


def _told(headers: Iterable[tuple[str, bytes | None]]) -> tuple[dict[str, str], str]:
    """Attributes by name, and the content type. Refused when one of CloudEvents' own headers stands twice or is not UTF-8."""
    attributes: dict[str, str] = {}
    content_type: dict[str, str] = {}
    for header, raw in headers:
        name = _known_name(header) if len(header) <= _LONGEST_KNOWN else _own_name(header)
        if name is None:
            continue
        told = content_type if name == _CONTENT_TYPE else attributes
        name = name.removeprefix(_PREFIX)
        if name in told:
            raise Refused(f"The header {shown(header.lower())} stands twice; readers would disagree which one counts: send it once.")
        if raw is None:
            raise Refused(f"The header {shown(header.lower())} has no value; give it one, or leave it out.")
        try:
            told[name] = raw.decode()
        except UnicodeDecodeError:
            raise Refused(f"The header {shown(header.lower())} is not UTF-8; send it as UTF-8.") from None
    return attributes, content_type.get(_CONTENT_TYPE, _JSON)


def _own_name(header: str) -> str | None:
    """The header in lower case; None for one that is not CloudEvents' own."""
    name = header.lower()
    return name if name == _CONTENT_TYPE or name.startswith(_PREFIX) else None


_known_name = lru_cache(1 << 10)(_own_name)  # the same few come again and again
