"""How much of this computer is free, and who is next.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

from longshore.remote.neighbours import Use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from longshore.remote.attempt import Attempt
    from longshore.remote.neighbours import Neighbours

__all__ = ["Room"]

# Sums of fractional cpus must not make a full machine look overfull.
_TOLERANCE = 1e-9


class Room:
    """Counts what attempts have taken of a capacity."""

    def __init__(self, neighbours: Neighbours | None = None) -> None:
        """Count; with ``neighbours`` what there is is shared with other runs."""
        self._neighbours = neighbours
        self.set(0.0, 0, [], None)
        self._cpus = 0.0
        self._memory = 0
        self._count = 0
        self._gpus_taken: set[str] = set()

    def set(self, cpus: float, memory: int, gpus: list[str], slots: int | None) -> None:
        """Say how much there is in all; what is taken stays taken. No slots is no limit on their number."""
        self.cpus = cpus
        self.memory = memory
        self.gpus = gpus
        self.slots = slots

    def refusal(self, attempt: Attempt) -> str:
        """Say why an attempt can never run here; empty when it can."""
        for name, need, have in (
            ("cpus", attempt.cpus, self.cpus),
            ("bytes of memory", attempt.memory, self.memory),
            ("gpus", attempt.gpus, len(self.gpus)),
        ):
            if need > have + _TOLERANCE:
                return "it needs %g %s, and this machine has %g in all" % (need, name, have)
        return ""

    def take(self, attempt: Attempt) -> bool:
        """Take what an attempt needs, and give it its GPUs; False when there is not so much now."""
        if (
            self._cpus + attempt.cpus > self.cpus + _TOLERANCE
            or self._memory + attempt.memory > self.memory
            or len(self._gpus_taken) + attempt.gpus > len(self.gpus)
            or (self.slots is not None and self._count >= self.slots)
        ):
            return False
        free = [name for name in self.gpus if name not in self._gpus_taken] if attempt.gpus else []
        granted: list[str] | None = free[: attempt.gpus]
        if self._neighbours is not None:
            granted = self._neighbours.grant(self._used(), attempt.cpus, attempt.memory, attempt.gpus, free)
        if granted is None:
            return False
        if granted:
            attempt.gpu_names = granted
        self.force(attempt)
        return True

    def settle(self, *, waiting: bool) -> None:
        """Let other runs know what is taken, at the end of a turn; ``waiting``: attempts wait for more."""
        if self._neighbours is not None:
            self._neighbours.settle(self._used(), waiting=waiting)

    def _used(self) -> Use:
        return Use(self._cpus, self._memory, sorted(self._gpus_taken))

    def force(self, attempt: Attempt) -> None:
        """Note what an attempt has already, whether it fits or not."""
        self._cpus += attempt.cpus
        self._memory += attempt.memory
        self._count += 1
        self._gpus_taken.update(attempt.gpu_names)

    def give_back(self, attempt: Attempt) -> None:
        """Note that an attempt is over."""
        self._count -= 1
        # Rounding must not add up over thousands of attempts.
        self._cpus = self._cpus - attempt.cpus if self._count else 0.0
        self._memory -= attempt.memory
        self._gpus_taken.difference_update(attempt.gpu_names)
        if self._neighbours is not None:
            self._neighbours.changed()
