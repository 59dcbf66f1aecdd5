"""Google's own description of its APIs (Apache-2.0, reduced to the life of machines), and who is held to it."""

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

_FILE = Path(__file__).with_name("google.discovery.json")
_BAD = 400


def check(request: Request, answer: Answer | None) -> str:
    """Say what the description has against a request, or against the answer to it."""
    found = _method(request.method, request.path)
    if found is None:
        return "the description knows no such method"
    api, method = found
    if answer is not None:
        # What an error looks like is in no description.
        return "" if answer.status >= _BAD else _against(api, method.get("response"), answer.body)
    described = method["parameters"]
    known = {name for name, each in described.items() if each["location"] == "query"}
    common = _document()[api]["parameters"]
    known |= {*common, *(f"${name}" for name in common)}  # Google takes both spellings of these
    if request.query.keys() - known:
        return f"the query has {sorted(request.query.keys() - known)}, and the description {sorted(known)}"
    return _against(api, method.get("request"), request.body)


def _against(api: str, reference: Mapping[str, str] | None, value: Any) -> str:
    if reference is None:
        return "" if value in (None, {}) else "the description has no body"
    problems = sorted(_validator(api, reference["$ref"]).iter_errors(value), key=lambda each: len(each.path))
    return "; ".join(f"{'.'.join(map(str, each.path))}: {each.message[:300]}" for each in problems[:3])


@cache
def _document() -> Any:
    return json.loads(_FILE.read_text())


@cache
def _method(method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
    for api, document in _document().items():
        for each in document["methods"].values():
            path_of = re.escape(f"/{document['servicePath']}{each['path']}")
            template = re.sub(r"\\\{\\\+[a-z]+\\\}", "[^/]+/[^/]+", path_of)
            if each["httpMethod"] == method and re.fullmatch(re.sub(r"\\\{[A-Za-z]+\\\}", "[^/]+", template), path):
                return api, each
    return None


@cache
def _validator(api: str, name: str) -> Draft202012Validator:
    schemas = {key: _schema(value) for key, value in _document()[api]["schemas"].items()}
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schemas})


def _schema(part: Mapping[str, Any]) -> dict[str, Any]:
    """Say it in the words of JSON Schema, and that there is nothing else."""
    if "$ref" in part:
        return {"$ref": f"#/$defs/{part['$ref']}"}
    schema: dict[str, Any] = {key: part[key] for key in ("enum", "pattern") if key in part}
    if part.get("type", "any") != "any":
        schema["type"] = part["type"]
    if "items" in part:
        schema["items"] = _schema(part["items"])
    if "properties" in part:
        schema["properties"] = {name: _schema(each) for name, each in part["properties"].items()}
        schema["additionalProperties"] = False
    if "additionalProperties" in part:
        schema["additionalProperties"] = _schema(part["additionalProperties"])
    return schema
