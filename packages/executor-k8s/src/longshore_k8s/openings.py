"""What is being opened, so that nothing of it is left when the run is over before it is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from longshore.errors import LongshoreError, MachineUnreachable

__all__ = ["Openings"]


class Openings:
    """Those of one executor. Any thread may use it."""

    def __init__(self) -> None:
        self.withdrawn = False
        """Whether nothing is to be opened any more, and nothing to be left of what is."""
        self._removals: dict[str, Callable[[], None]] = {}
        """How to remove what is made for those that are being opened, by name."""
        self._lock = threading.Lock()

    def see(self) -> None:
        """Raise MachineUnreachable when nothing is to be opened any more."""
        if self.withdrawn:
            raise MachineUnreachable("the run is over")

    @contextmanager
    def removed_by(self, name: str, remove: Callable[[], None]) -> Iterator[None]:
        """Make what is being opened in a block, and have it removed when it is withdrawn before the block's end. Raises
        as `see`.
        """
        with self._lock:
            self.see()
            self._removals[name] = remove
        try:
            yield
        except BaseException:
            if self.withdrawn:
                remove()  # it may have been made after somebody had it removed
            raise
        finally:
            with self._lock:
                del self._removals[name]

    def withdraw(self) -> None:
        """Remove what is being opened, which ends that."""
        with self._lock:
            self.withdrawn = True
            removals = list(self._removals.values())
        for remove in removals:
            with suppress(LongshoreError):
                remove()
