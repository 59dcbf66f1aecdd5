"""Operations of the stand-in for Google Cloud: what was asked is done at once, and said to be done when it is waited
for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from longshore.testing.clouds.google_words import API, not_found
from longshore.testing.clouds.http_cloud import Answer, Request

__all__ = ["Operations"]


class Operations:
    """Those of one project, in its zones and of the whole."""

    def __init__(self, project: str, now: Callable[[], datetime]) -> None:
        self.waits = 2
        """So often must one be waited for."""
        self._project = project
        self._now = now
        self._numbers = count(1_000_000_001)
        self._known: dict[str, tuple[int, dict[str, Any]]] = {}

    def begun(self, kind: str, zone: str = "", *, error: tuple[str, str] | None = None) -> Answer:
        """Answer with an operation that has just begun, and will fail with this code and these words."""
        number = next(self._numbers)
        operation: dict[str, Any] = {
            "kind": "compute#operation",
            "id": str(number),
            "name": f"operation-{number}",
            "operationType": kind,
            "status": "RUNNING",
            "insertTime": self._now().isoformat(),
        }
        if zone:
            operation["zone"] = f"{API}/projects/{self._project}/zones/{zone}"
        done = {**operation, "status": "DONE", "progress": 100}
        if error is not None:
            done["error"] = {"errors": [{"code": error[0], "message": error[1]}]}
        self._known[operation["name"]] = (self.waits, done)
        return Answer(status=200, body=operation)

    def wait_in_zone(self, request: Request, _: str, name: str) -> Answer:
        """Wait for one of a zone."""
        return self.wait(request, name)

    def wait(self, _: Request, name: str) -> Answer:
        """Say how far one has come."""
        if name not in self._known:
            return not_found(name)
        left, done = self._known[name]
        self._known[name] = (left - 1, done)
        shown = {key: value for key, value in done.items() if key not in {"error", "progress"}}
        return Answer(status=200, body=done if left <= 1 else {**shown, "status": "RUNNING"})
