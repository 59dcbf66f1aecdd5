"""How Azure writes its answers and ids, and whom its tokens are for, for the stand-in."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from longshore.testing.clouds.http_cloud import Answer, Request

__all__ = [
    "ADDRESS",
    "CARD",
    "DISK",
    "FIREWALL",
    "KEY",
    "NETWORK",
    "VM",
    "claims_of",
    "is_asked_for",
    "not_found",
    "page",
    "refused",
    "token_for",
]

VM, CARD, ADDRESS, DISK = "virtualMachines", "networkInterfaces", "publicIPAddresses", "disks"
FIREWALL, NETWORK, KEY = "networkSecurityGroups", "virtualNetworks", "sshPublicKeys"
"""Kinds of resources."""
_FILTER = re.compile(r"tagName eq '([^']*)' and tagValue eq '((?:[^']|'')*)'")
_PAGE = 50


def refused(status: int, code: str, message: str) -> Answer:
    """Say no."""
    return Answer(status=status, body={"error": {"code": code, "message": message}})


def not_found(name: str) -> Answer:
    """Say that there is no such thing."""
    return refused(404, "ResourceNotFound", f"The Resource '{name}' was not found.")


def page(request: Request, rows: Sequence[Any], *, key: str = "value", following: str = "nextLink") -> Answer:
    """Give the part of a list that is asked for, with the whole address of the next one."""
    first = int(request.query.get("$skip") or 0)
    body: dict[str, Any] = {key: rows[first : first + _PAGE]}
    if first + _PAGE < len(rows):
        query = {**request.query, "$skip": str(first + _PAGE)}
        words = "&".join(f"{name}={value}".replace(" ", "%20") for name, value in query.items())
        body[following] = f"https://{request.headers['host']}{request.path}?{words}"
    return Answer(status=200, body=body)


def is_asked_for(row: Mapping[str, Any], request: Request) -> bool:
    """Say whether a row is one of those that are asked for by a tag; Azure takes values in any letters."""
    if "$filter" not in request.query:
        return True
    match = _FILTER.fullmatch(request.query["$filter"])
    if match is None:
        return False
    value = row.get("tags", {}).get(match[1])
    return value is not None and value.lower() == match[2].replace("''", "'").lower()


def token_for(claims: Mapping[str, str]) -> str:
    """Write a token that nobody has signed."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{middle}.e30"


def claims_of(token: str) -> Mapping[str, Any]:
    """Read a token; nothing from what is none."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
