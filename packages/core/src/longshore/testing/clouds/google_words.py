"""How Google Cloud writes its answers, and what is read from its instances, for the stand-in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.testing.clouds.http_cloud import Answer, Request
from longshore.testing.faults import Fault

__all__ = [
    "API",
    "NAME",
    "REFUSALS",
    "addresses",
    "born",
    "is_asked_for",
    "is_in",
    "issuer",
    "item",
    "not_found",
    "page",
    "refused",
]

API = "https://www.googleapis.com/compute/v1"
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
"""What things may be called."""
REFUSALS: Mapping[Fault, tuple[int, str, str]] = {
    Fault.CAPACITY: (503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources available."),
    Fault.QUOTA: (403, "quotaExceeded", "Quota 'CPUS' exceeded.  Limit: 24.0 in region europe-west4."),
    Fault.CREDENTIALS: (401, "authError", "Invalid Credentials"),
    Fault.DENIED: (403, "forbidden", "Required 'compute.instances.create' permission"),
    Fault.THROTTLED: (403, "rateLimitExceeded", "Rate Limit Exceeded"),
    Fault.INVALID: (400, "invalid", "Invalid value for field 'resource'."),
    Fault.UNKNOWN: (400, "somethingNew", "Nobody has heard of this"),
}

_FILTER = re.compile(r'labels\.([a-z0-9_-]+) = "([a-z0-9_-]*)"')
_PAGE = 100


def born(row: Mapping[str, Any]) -> datetime:
    """Say when an instance was made."""
    return datetime.fromisoformat(row["creationTimestamp"])


def is_asked_for(row: Mapping[str, Any], request: Request) -> bool:
    """Say whether a row is one of those that are asked for; a filter that is none is for no row."""
    if "filter" not in request.query:
        return True
    match = _FILTER.fullmatch(request.query["filter"])
    return match is not None and row["labels"].get(match[1]) == match[2]


def is_in(row: Mapping[str, Any], region: str) -> bool:
    """Say whether an instance is in a region."""
    zone: str = row["zone"]
    return zone.rpartition("/")[2].rpartition("-")[0] == region


def item(row: Mapping[str, Any], key: str) -> str:
    """Give an item of an instance's metadata; empty when it has none."""
    items = row.get("metadata", {}).get("items", ())
    return next((each["value"] for each in items if each["key"] == key), "")


def addresses(row: Mapping[str, Any]) -> list[str]:
    """List the addresses of an instance."""
    return [
        address
        for network in row["networkInterfaces"]
        for address in (network["networkIP"], *(access["natIP"] for access in network["accessConfigs"]))
    ]


def issuer(token: str) -> str:
    """Read whose a login is that somebody has signed: nobody holds a stand-in up by a false one."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return str(claims["iss"])
    except (IndexError, ValueError, KeyError, TypeError):
        return ""


def page(request: Request, key: str, rows: Sequence[Any]) -> dict[str, Any]:
    """Give the part of a list that is asked for."""
    first = int(request.query.get("pageToken") or 0)
    shown: dict[str, Any] = {key: rows[first : first + _PAGE]}
    return {**shown, "nextPageToken": str(first + _PAGE)} if first + _PAGE < len(rows) else shown


def refused(status: int, reason: str, message: str) -> Answer:
    """Say no."""
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return Answer(status=status, body={"error": {"code": status, "message": message, "errors": errors}})


def not_found(name: str) -> Answer:
    """Say that there is no such thing."""
    return refused(404, "notFound", f"The resource '{name}' was not found")
