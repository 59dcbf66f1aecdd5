"""What a machine may be asked to forget, although attempts go on meanwhile that read or write the same bytes.

A controller decides that nobody needs an object by what it knows. Until it hears of it, an attempt may have written
equal bytes, and they are kept once: so what attempts that are not released have written or will read is not forgotten.
What the machine alone knows of yet, it looks after itself. And what data are moved by is looked at only when no such
request is under way.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable

__all__ = ["Discards"]


class Discards:
    """The claims of attempts on objects, and the requests that have no answer yet. Used by several threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._claims: dict[str, set[str]] = {}
        self._unanswered = 0

    def claim(self, attempt: str, digests: Iterable[str]) -> None:
        """Note what an attempt reads, or has written."""
        with self._condition:
            self._claims.setdefault(attempt, set()).update(digests)

    def release(self, attempt: str) -> None:
        """Note that an attempt claims nothing any more."""
        with self._condition:
            self._claims.pop(attempt, None)

    def ask(self, digests: Collection[str]) -> list[str]:
        """Give those of the objects that may be forgotten; if there are any, an answer is expected from now on."""
        with self._condition:
            claimed = set().union(*self._claims.values())
            allowed = [sha256 for sha256 in digests if sha256 not in claimed]
            self._unanswered += bool(allowed)
            return allowed

    def answered(self) -> None:
        """Note an answer."""
        with self._condition:
            self._unanswered = max(0, self._unanswered - 1)
            self._condition.notify_all()

    def reset(self) -> None:
        """Expect no answers any more: the link that they would have come by has ended, and with it the requests."""
        with self._condition:
            self._unanswered = 0
            self._condition.notify_all()

    def settle(self) -> None:
        """Wait until every request is answered."""
        with self._condition:
            self._condition.wait_for(lambda: not self._unanswered)
