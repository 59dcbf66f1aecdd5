"""What a supervisor tells of what its machine uses, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.model.load import AttemptLoad, MachineLoad, Used

__all__ = ["load_of"]


def load_of(machine: str, told: Mapping[str, Any]) -> MachineLoad:
    """Read a ``beat`` that says what is used."""
    memory, disk = told.get("memory"), told.get("disk")
    return MachineLoad(
        machine=machine,
        cpus=told.get("cpus"),
        memory=None if memory is None else Used(*memory),
        disk=None if disk is None else Used(*disk),
        attempts=tuple(AttemptLoad(*row) for row in told["attempts"]),
    )
