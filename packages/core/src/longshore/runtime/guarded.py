"""A strategy that answers for its own mistakes: whoever wrote it is named, and nothing foreign gets further."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import frozen

from longshore.errors import LongshoreError, PluginBroken
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import AssignmentStrategy
from longshore.runtime.within import TookTooLong, within

__all__ = ["PATIENCE", "Guarded"]

PATIENCE = timedelta(minutes=2)
"""So long a strategy that is not the core's own may think. The run waits for it."""


@frozen
class Guarded:
    """Asks a strategy, and says by name when it raises or answers with anything but assignments.

    Whether these fit is the scheduler's to check.
    """

    strategy: AssignmentStrategy
    label: str
    """Which strategy it is, and of which distribution."""
    patience: timedelta | None = None
    """So long it may think; None for as long as it likes."""

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments.

        Raises:
            PluginBroken: when the strategy fails, hangs, or its answer is no sequence of assignments.
        """
        answer: object
        try:
            if self.patience is None:
                answer = self.strategy.assign(waiting, machines, now)
            else:
                answer = within(self.patience, lambda: self.strategy.assign(waiting, machines, now))
        except TookTooLong:
            raise PluginBroken(
                f"{self.label} has not answered within {self.patience}; mend or replace it, then `longshore resume`"
            ) from None
        except LongshoreError:
            raise
        except Exception as error:
            raise PluginBroken(f"{self.label} failed: {type(error).__name__}: {error}") from error
        if not isinstance(answer, list | tuple):
            raise PluginBroken(f"{self.label} must answer with a list of Assignment, not with {_kind(answer)}")
        for each in answer:
            if type(each) is not Assignment:
                raise PluginBroken(f"{self.label} must answer with a list of Assignment; in it is {_kind(each)}")
        return answer


def _kind(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
