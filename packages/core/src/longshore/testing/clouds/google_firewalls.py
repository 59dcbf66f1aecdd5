"""Firewall rules of the stand-in for Google Cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any

from longshore.testing.clouds.google_operations import Operations
from longshore.testing.clouds.google_words import NAME, not_found, page, refused
from longshore.testing.clouds.http_cloud import Answer, Request

__all__ = ["Firewalls"]


class Firewalls:
    """Those of one project's networks."""

    def __init__(self, operations: Operations, now: Callable[[], datetime]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        """By name."""
        self._operations = operations
        self._now = now
        self._numbers = count(2_000_000_001)

    def add(self, body: Mapping[str, Any]) -> None:
        """Let a rule be there."""
        born = {"id": str(next(self._numbers)), "creationTimestamp": self._now().isoformat()}
        self.rows[body["name"]] = {"kind": "compute#firewall", **born, **body}

    def list(self, request: Request) -> Answer:
        """List a page."""
        listed = page(request, "items", [*self.rows.values()])
        return Answer(status=200, body={"kind": "compute#firewallList", **listed})

    def insert(self, request: Request) -> Answer:
        """Make one."""
        name = request.body["name"]
        if name in self.rows:
            return refused(409, "alreadyExists", f"The resource '{name}' already exists")
        if not NAME.fullmatch(name):
            return refused(400, "invalid", "Invalid value for field 'resource.name'.")
        self.add(request.body)
        return self._operations.begun("insert")

    def patch(self, request: Request, name: str) -> Answer:
        """Change one."""
        if name not in self.rows:
            return not_found(name)
        self.rows[name].update(request.body)
        return self._operations.begun("patch")

    def delete(self, _: Request, name: str) -> Answer:
        """Remove one."""
        return self._operations.begun("delete") if self.rows.pop(name, None) else not_found(name)
