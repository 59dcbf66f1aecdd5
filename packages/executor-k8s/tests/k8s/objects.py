"""What a cluster's server keeps: objects with versions, and what has changed, for those who watch."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["Objects", "Refusal", "now"]

Key = tuple[str, str, str]
"""Resource, namespace (empty where there is none) and name."""
_REASONS = {404: "NotFound", 409: "AlreadyExists", 410: "Expired", 422: "Invalid", 429: "TooManyRequests"}


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, code: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        reason = reason or _REASONS.get(code, "Failure")
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


def now() -> str:
    """The time, as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """Several threads use it at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: dict[Key, dict[str, Any]] = {}
        self._history: list[tuple[int, str, Key, dict[str, Any]]] = []
        self._version = 1000
        self._oldest = 1000
        self._cuts = 0

    # --- reading

    def get(self, key: Key) -> dict[str, Any]:
        """Give an object; 404 when there is none."""
        with self._changed:
            if key not in self._kept:
                raise Refusal(404, f'{key[0]} "{key[2]}" not found')
            return copy.deepcopy(self._kept[key])

    def all(self, resource: str, namespace: str = "") -> tuple[int, list[dict[str, Any]]]:
        """Give the version, and all objects of a resource, of one namespace or of all."""
        with self._changed:
            found = [
                copy.deepcopy(each)
                for (kind, where, _), each in sorted(self._kept.items())
                if kind == resource and namespace in ("", where)
            ]
            return self._version, found

    def since(self, version: int, seconds: float) -> Iterator[tuple[str, Key, dict[str, Any]] | None]:
        """Give what changes after a version, until the time is over or watches are cut; 410 when nobody knows.

        None says that nothing has happened yet, and that what was given may be sent.
        """
        end = time.monotonic() + seconds
        with self._changed:
            if version < self._oldest:
                raise Refusal(410, f"too old resource version: {version} ({self._oldest})")
            cuts = self._cuts
        while True:
            with self._changed:
                news = self._history[bisect_right(self._history, version, key=lambda each: each[0]) :]
                left = end - time.monotonic()
                if not news:
                    if left <= 0 or cuts != self._cuts:
                        return
                    self._changed.wait(left)
                    continue
            for number, kind, key, found in news:
                version = number
                yield kind, key, copy.deepcopy(found)
            yield None

    # --- changing

    def create(self, key: Key, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a new object; 409 when there is one of that name."""
        with self._changed:
            if key in self._kept:
                raise Refusal(409, f'{key[0]} "{key[2]}" already exists')
            made = copy.deepcopy(dict(given))
            meta = made.setdefault("metadata", {})
            meta.update(name=key[2], uid=str(uuid.uuid4()), creationTimestamp=now())
            if key[1]:
                meta["namespace"] = key[1]
            self._note("ADDED", key, made)
            return copy.deepcopy(made)

    def change(
        self, key: Key, work: Callable[[dict[str, Any]], None], *, version: str = "", uid: str = ""
    ) -> dict[str, Any]:
        """Change an object; 409 when it has another version, or is another one, than the caller knows."""
        with self._changed:
            found = self.get(key)
            meta = found["metadata"]
            if (version and version != meta["resourceVersion"]) or (uid and uid != meta["uid"]):
                raise Refusal(409, f"Operation cannot be fulfilled on {key[2]}: it has been modified", "Conflict")
            work(found)
            if "deletionTimestamp" in meta and not meta.get("finalizers") and key[0] != "pods":
                return self._drop(key, found)
            self._note("MODIFIED", key, found)
            return copy.deepcopy(found)

    def delete(self, key: Key) -> dict[str, Any]:
        """Mark an object as to be deleted; what has no finalizer and is no pod goes at once."""
        return self.change(key, lambda found: found["metadata"].setdefault("deletionTimestamp", now()))

    def finish(self, key: Key, uid: str) -> bool:
        """Remove a pod that has been deleted and has ended, unless a finalizer holds it; say whether it went."""
        with self._changed:
            found = self._kept.get(key)
            if found is None or found["metadata"]["uid"] != uid or found["metadata"].get("finalizers"):
                return False
            self._drop(key, copy.deepcopy(found))
            return True

    # --- mishaps

    def cut(self) -> None:
        """End all watches."""
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()

    def compact(self) -> None:
        """Forget what has happened: whoever asks for changes since then is told 410."""
        with self._changed:
            self._history.clear()
            self._version += 1
            self._oldest = self._version

    def _drop(self, key: Key, found: dict[str, Any]) -> dict[str, Any]:
        del self._kept[key]
        self._note("DELETED", key, found, keep=False)
        return found

    def _note(self, kind: str, key: Key, found: dict[str, Any], *, keep: bool = True) -> None:
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        if keep:
            self._kept[key] = found
        self._history.append((self._version, kind, key, copy.deepcopy(found)))
        self._changed.notify_all()
