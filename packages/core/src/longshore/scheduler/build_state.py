"""What a run knows of the environments on its machines. Only `longshore.scheduler.apply` changes it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import define

from longshore.model.outcome import FailureClass

__all__ = ["BuildPhase", "BuildState"]


class BuildPhase(StrEnum):
    """How far an environment is on a machine."""

    ABSENT = "absent"
    """It is not there as far as anybody knows, or it will be built once more."""
    BUILDING = "building"
    BUILT = "built"
    FAILED = "failed"
    """It cannot be built there."""


@define(eq=False)
class BuildState:
    """One environment on one machine."""

    phase: BuildPhase = BuildPhase.ABSENT
    number: int = 0
    """Of the latest build, as in `longshore.model.environment_events.BuildIntended`."""
    key: str = ""
    """By what the machine knows it."""
    failures: int = 0
    again_at: datetime | None = None
    failure: FailureClass | None = None
    evidence: str = ""

    def doubt(self) -> None:
        """Let a new controller ask the machine again, unless it is being built: it may have been removed."""
        if self.phase is not BuildPhase.BUILDING:
            # The key stays: what was given to the machine before may still have to be started there.
            self.phase, self.failures, self.again_at = BuildPhase.ABSENT, 0, None

    def forgive(self) -> None:
        """Give it a fresh budget."""
        self.failures = 0
        if self.phase is BuildPhase.FAILED:
            self.phase, self.again_at = BuildPhase.ABSENT, None

    def miss(self) -> None:
        """Note that an attempt did not find it on the machine any more."""
        if self.built:
            self.phase = BuildPhase.ABSENT

    @property
    def built(self) -> bool:
        """Whether tasks that need it may be given to the machine."""
        return self.phase is BuildPhase.BUILT
