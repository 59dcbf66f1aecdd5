"""DigitalOcean's own description of its API (Apache-2.0, reduced to the life of machines), and who is held to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from longshore.testing.clouds import Answer, Request

__all__ = ["check"]

_FILE = Path(__file__).with_name("digitalocean.openapi.json")
_DEEPEST = 40


def check(request: Request, answer: Answer | None) -> str:
    """Say what the description has against a request, or against the answer to it."""
    found = _operation(request.method, request.path)
    if found is None:
        return "the description knows no such operation"
    if answer is not None:
        return _check_answer(found, answer)
    known = {each["name"] for each in found.get("parameters", ()) if each["in"] == "query"}
    if request.query.keys() - known:
        return f"the query has {sorted(request.query.keys() - known)}, and the description {sorted(known)}"
    schema = _schema(found.get("requestBody"))
    if schema is None:
        return "" if request.body is None else "the description wants no body"
    return _against(_closed(schema), request.body)


def _check_answer(operation: Mapping[str, Any], answer: Answer) -> str:
    described = operation["responses"].get(str(answer.status)) or operation["responses"].get("default")
    if described is None:
        return f"the description knows no status {answer.status}"
    schema = _schema(described)
    if schema is None:
        return "" if answer.body is None else "the description has no body"
    return _against(schema, answer.body)


def _against(schema: Mapping[str, Any], value: Any) -> str:
    problems = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda each: len(each.path))
    return "; ".join(f"{'.'.join(map(str, each.path))}: {each.message[:300]}" for each in problems[:3])


@cache
def _document() -> Any:
    return json.loads(_FILE.read_text())


@cache
def _operation(method: str, path: str) -> Mapping[str, Any] | None:
    for template, operations in _document()["paths"].items():
        pattern = re.sub(r"\\\{[a-z_]+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            operation: Mapping[str, Any] = _whole(operations[method.lower()], 0)
            return operation
    return None


def _schema(part: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    schema: Mapping[str, Any] | None = ((part or {}).get("content") or {}).get("application/json", {}).get("schema")
    return schema


def _whole(part: Any, depth: int) -> Any:
    """Put what is referred to in its place, and say in the words of JSON Schema what may be null."""
    if depth > _DEEPEST:
        return {}
    if isinstance(part, list):
        return [_whole(each, depth + 1) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        target = _document()
        for word in part["$ref"].removeprefix("#/").split("/"):
            target = target[word.replace("~1", "/").replace("~0", "~")]
        return _whole(target, depth + 1)
    whole = {key: _whole(value, depth + 1) for key, value in part.items() if key != "example"}
    if "enum" in whole:
        # It was YAML once, which takes the word for a truth value.
        whole["enum"] = ["off" if each is False else each for each in whole["enum"]]
    if whole.pop("nullable", False) is True:
        return {"anyOf": [whole, {"type": "null"}]}
    return whole


def _closed(schema: Any, *, part: bool = False) -> Any:
    """Let no object have what is not described, however deep it lies. A part of a whole does not describe all of it."""
    if not isinstance(schema, dict):
        return schema
    closed = dict(schema)
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            closed[word] = [_closed(each, part=True) for each in schema[word]]
    if "properties" in schema:
        closed["properties"] = {name: _closed(each) for name, each in schema["properties"].items()}
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    if not part and schema.get("type", "object") == "object" and "additionalProperties" not in schema:
        closed["unevaluatedProperties"] = False
    return closed
