"""What is being opened, so that nothing of it is left when the run is over before it is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from longshore.errors import LongshoreError, MachineUnreachable

__all__ = ["Openings"]

_SECONDS = 20.0
_WORDS = "the run is over"


class Openings:
    """Those of one executor. Any thread may use it."""

    def __init__(self) -> None:
        self.withdrawn = False
        """Whether nothing is to be opened any more, and nothing to be left of what is."""
        self._removals: dict[str, Callable[[], None]] = {}
        """How to end what is being opened, by name."""
        self._changed = threading.Condition()

    @contextmanager
    def begin(self, name: str) -> Iterator[None]:
        """Open something in a block. Raises MachineUnreachable when it is withdrawn before the block's end."""
        self.see()
        with self._changed:
            self._removals[name] = _nothing
        try:
            yield
            self.see()
        finally:
            with self._changed:
                del self._removals[name]
                self._changed.notify_all()

    def see(self) -> None:
        """Raise MachineUnreachable when nothing is to be opened any more."""
        if self.withdrawn:
            raise MachineUnreachable(_WORDS)

    @contextmanager
    def removed_by(self, name: str, remove: Callable[[], None]) -> Iterator[None]:
        """Make what is being opened in a block, and have it removed when it is withdrawn before it is open. Raises as
        `begin`.
        """
        with self._changed:
            self.see()
            self._removals[name] = remove
        try:
            yield
        except BaseException:
            if self.withdrawn:
                remove()  # it may have been made after somebody had it removed
            raise

    def withdraw(self) -> None:
        """Remove what is being opened, and wait until nothing is."""
        with self._changed:
            self.withdrawn = True
            removals = list(self._removals.values())
        for remove in removals:
            with suppress(LongshoreError):
                remove()
        with self._changed:
            self._changed.wait_for(lambda: not self._removals, _SECONDS)


def _nothing() -> None:
    """Nothing was made yet."""
