"""What has succeeded in a run, until later runs can know it."""

from __future__ import annotations

from collections.abc import Callable

from longshore.model.events import AttemptEnded
from longshore.runtime.cache import Success
from longshore.runtime.inputs import Resolved
from longshore.runtime.remembering import Remembering
from longshore.scheduler.state import DONE, RunState, TaskState

__all__ = ["Successes"]


class Successes:
    """Remembers what attempts have made as soon as it is where it has to be, and the journal can be trusted with it."""

    def __init__(
        self,
        run: str,
        state: RunState,
        remembering: Remembering,
        made_of: Callable[[TaskState], Resolved | None],
    ) -> None:
        """Know of none but those of which the outputs are not at home yet.

        Args:
            run: id of the run.
            state: how it stands; looked at only while it is not changed.
            remembering: puts them into the index across runs.
            made_of: says what a task's latest attempt was made of; None when that cannot be known any more.
        """
        self._run = run
        self._state = state
        self._remembering = remembering
        self._made_of = made_of
        self._fresh: list[Success] = []
        self._settling = dict(state.where.settling)

    def ended(self, event: AttemptEnded) -> None:
        """Take note of an attempt whose end is in the journal."""
        if event.task in self._state.where.settling:
            self._settling[event.task] = event
        else:
            self._note(event)

    def committed(self) -> None:
        """Take note of those whose outputs have come home by what is in the journal now."""
        for name in [name for name in self._settling if name not in self._state.where.settling]:
            self._note(self._settling.pop(name))

    def _note(self, event: AttemptEnded) -> None:
        """Remember what an attempt has made, if that is what its task has."""
        task = self._state.tasks[event.task]
        if task.phase not in DONE or task.attempts != event.attempt:
            return
        made_of = self._made_of(task)
        if made_of is not None and made_of.identity == task.identity:
            self._fresh.append(
                Success(
                    identity=task.identity,
                    workflow=self._state.workflow.name,
                    task=event.task,
                    run=self._run,
                    at=event.at,
                    parts=made_of.parts,
                    outputs=event.outputs,
                    result=event.result,
                )
            )

    def synced(self) -> None:
        """Put them into the index across runs, now that the journal can be trusted with them."""
        if self._fresh:
            self._remembering.add(self._fresh)
            self._fresh = []

    def close(self) -> None:
        """Wait until they are there."""
        self._remembering.close()
