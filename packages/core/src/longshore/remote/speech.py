"""What a controller says to a supervisor: at once or in one piece, and so often that it knows that somebody attends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from longshore.remote.channel import Channel

__all__ = ["Speech"]

_BEATS = 4
"""So often is a machine told in its unattended time that somebody attends."""


class Speech:
    """Says things over one link after the other, each of which begins with the greeting that is true then.

    Whoever says something holds the lock.
    """

    def __init__(
        self, hello: Mapping[str, Any], encode: Callable[[dict[str, Any]], bytes], before: Callable[[], bytes]
    ) -> None:
        """Have nothing to say yet.

        Args:
            hello: the first message, as in `longshore.remote.protocol`.
            encode: writes a message.
            before: gives what is to be said before whatever is said next.
        """
        self.hello = dict(hello)
        self.channel = Channel()
        self.lock = self.channel.lock
        self.encode = encode
        self._before = before
        self._held: list[bytes] | None = None
        self._asked = False
        self._spoke = time.monotonic()

    def say(self, content: bytes) -> None:
        """Send, or hold back until all that is said together was said. The lock is held."""
        if self._held is not None:
            self._held.append(content)
        else:
            self.channel.send(self._before() + content)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what is said within this block in one piece, at its end."""
        with self.lock:
            self._held = []
        try:
            yield
        finally:
            with self.lock:
                held, self._held = self._held, None
                if held:
                    self.say(b"".join(held))

    def say_again(self, content: bytes) -> None:
        """Say to the next supervisor all that is not over. The lock is held."""
        if self._held is not None:
            # Orders among it may mean scripts that the new one does not have; they are sent again when it says so.
            self._held = []
        self.say(content)

    def attend(self, until: datetime | None = None) -> None:
        """Say that somebody attends; and until when at least, if that is another time now. The lock is held."""
        if until is not None:
            self.hello["unattended"] = max(0.0, (until - datetime.now(UTC)).total_seconds())
        self._spoke = time.monotonic()
        self.say(self.encode({"op": "beat", "unattended": self.hello["unattended"]}))

    def hear(self, patience: float) -> Iterator[bytes]:
        """Give what one link brings until it ends.

        When nothing has come for ``patience`` seconds, or for a part of the time that the machine may be unattended,
        the other side is asked for a word; when none comes for as long again, the link is taken for dead.
        """
        self._asked = False
        patience = patience if self.hello["tied"] else min(patience, self.hello["unattended"] / _BEATS)
        while content := self.channel.receive(patience, self._ask):
            self._asked = False
            if time.monotonic() - self._spoke >= patience:
                # It has much to tell; that it is listened to it does not know by that.
                with self.lock:
                    self.attend()
            yield content

    def _ask(self) -> bool:
        """Ask for a sign of life; False when the last question had no answer."""
        if self._asked:
            return False
        self._asked = True
        with self.lock:
            self.attend()
        return True
