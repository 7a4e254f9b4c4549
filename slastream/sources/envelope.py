"""What bytes may be wrapped in: a schema registry's prefix, a BOM, CloudEvents. Knows no vendor."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from slastream.core.errors import Rejected
from slastream.sources.delivery import Delivery

MAX_BYTES = 5 * 1024 * 1024
MAX_ITEMS = 10_000
_BOM = b"\xef\xbb\xbf"
_STRUCTURED = "application/cloudevents"


def decode(value: bytes) -> Any:
    """Return the JSON of a value. Raises `not_json` or `too_large`.

    The five bytes that a schema registry's serialiser puts in front (0 and an id) are dropped.
    """
    if len(value) > MAX_BYTES:
        raise Rejected("too_large", f"{len(value)} bytes, more than {MAX_BYTES}")
    prefixed = value[:1] == b"\x00"
    if prefixed:
        value = value[5:]
    if value[:3] == _BOM:
        value = value[3:]
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as problem:
        hint = " after the schema registry prefix (only JSON is read)" if prefixed else ""
        raise Rejected("not_json", f"{problem.msg} at {problem.pos}{hint}"[:200]) from None


def is_structured(doc: object, delivery: Delivery) -> bool:
    """Tell whether a value is a whole CloudEvent (structured mode), by header or by its shape."""
    if not isinstance(doc, dict) or "specversion" not in doc:
        return False
    if (delivery.header("content-type") or "").lower().startswith(_STRUCTURED):
        return True
    return {"id", "source", "type"} <= doc.keys() and ("data" in doc or "data_base64" in doc)


def opened(doc: dict[str, Any]) -> tuple[Any, str | None]:
    """Return the data and the id of a structured CloudEvent."""
    name = doc.get("id")
    ce_id = name if isinstance(name, str) else None
    if "data_base64" in doc:
        packed = doc["data_base64"]
        if not isinstance(packed, str):
            raise Rejected("bad_type", "data_base64 of a CloudEvent must be text")
        try:
            return decode(base64.b64decode(packed, validate=True)), ce_id
        except (binascii.Error, ValueError):
            raise Rejected("not_json", "data_base64 of a CloudEvent is not base64") from None
    if "data" not in doc:
        raise Rejected("not_an_object", "a structured CloudEvent without data")
    return doc["data"], ce_id
