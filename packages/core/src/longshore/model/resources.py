"""Amounts of what a machine has and a task needs."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge

__all__ = ["Resources"]

# Sums of fractional cpus (0.1 + 0.2) must not make a full machine look overfull.
_TOLERANCE = 1e-9


@frozen(kw_only=True)
class Resources:
    """Amounts of cpus, memory, gpus and disk: what a task needs, or what a machine has.

    For a task a zero means "does not say", and such a task fits wherever its other amounts fit.
    """

    cpus: float = field(default=1.0, validator=ge(0))
    memory_bytes: int = field(default=0, validator=ge(0))
    gpus: int = field(default=0, validator=ge(0))
    disk_bytes: int = field(default=0, validator=ge(0))

    def fits(self, room: Resources) -> bool:
        """Say whether this much can be taken out of ``room``."""
        return (
            self.cpus <= room.cpus + _TOLERANCE
            and self.memory_bytes <= room.memory_bytes
            and self.gpus <= room.gpus
            and self.disk_bytes <= room.disk_bytes
        )

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            cpus=self.cpus + other.cpus,
            memory_bytes=self.memory_bytes + other.memory_bytes,
            gpus=self.gpus + other.gpus,
            disk_bytes=self.disk_bytes + other.disk_bytes,
        )

    def __sub__(self, other: Resources) -> Resources:
        """Take ``other`` out of this.

        Raises:
            ValueError: when there is not so much here.
        """
        return Resources(
            cpus=max(0.0, self.cpus - other.cpus) if other.cpus <= self.cpus + _TOLERANCE else self.cpus - other.cpus,
            memory_bytes=self.memory_bytes - other.memory_bytes,
            gpus=self.gpus - other.gpus,
            disk_bytes=self.disk_bytes - other.disk_bytes,
        )
