"""A run, as whoever started it holds it: watch it, wait for it, change it, fetch its results.

Nothing here is global: two runs go on at once in one process, each with a controller thread of its own. No signal
handlers are set and nothing is printed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from longshore.errors import LongshoreError, RunError, StagingError, UsageError
from longshore.model.events import CancelAsked, Event, StopAsked
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.engine import Engine
from longshore.runtime.history import RunReader, TaskInfo
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project
from longshore.scheduler.apply import selected
from longshore.scheduler.state import ENDED, TaskPhase, TaskState

__all__ = ["Run", "resume", "start"]


Listener = Callable[[Sequence[Event]], None]
"""Hears of events after they are committed, in the controller's thread; it must return soon."""


def start(
    spec: WorkflowSpec,
    folder: Path,
    options: RunOptions | None = None,
    *,
    run: str = "",
    listen: Listener | None = None,
) -> Run:
    """Begin a new run of a workflow whose paths are relative to ``folder``; return at once.

    ``listen`` misses nothing, since it is there before the first event. ``run`` is the id of the run if somebody has
    settled it already, as `longshore.runtime.project.new_run_id` makes them; there must be no such run yet.

    Raises:
        ConfigError: when the workflow cannot run as it is written; nothing has been made.
        PluginError: when a plugin that it names is missing or broken.
        JournalError: when the run's record cannot be written.
    """
    return Run(Engine.create(spec, Project(folder), options or RunOptions(), run), listen)


def resume(
    folder: Path,
    run: str | None = None,
    *,
    retry: bool = False,
    jobs: int | None = None,
    listen: Listener | None = None,
) -> Run:
    """Continue a run that has not ended, by default the latest: what ended is not run again, what still runs is
    adopted.

    ``retry`` gives tasks that failed another chance; then a run that has ended can be continued too. ``jobs`` replaces
    the number that the run began with.

    Raises:
        UsageError: when there is no such run.
        RunLocked: when another controller has it.
        JournalError: when its record is damaged.
    """
    project = Project(folder)
    engine = Engine.open(project, project.find_run(run), jobs=jobs)
    if retry:
        engine.retry(())
    return Run(engine, listen)


class Run:
    """One execution of a workflow, driven by a thread of this process until it has ended or is let go."""

    def __init__(self, engine: Engine, listen: Listener | None = None) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._over = False
        self._waiting = 0
        self._thread = threading.Thread(target=self._drive, name=f"longshore-{engine.run}", daemon=True)
        if listen is not None:
            engine.runner.listen(listen)
        engine.runner.listen(self._notice)
        self._thread.start()

    @property
    def id(self) -> str:
        """The run's id."""
        return self._engine.run

    @property
    def folder(self) -> Path:
        """Where its journal and logs are."""
        return self._engine.folder

    @property
    def results(self) -> Path:
        """Where the outputs of its last tasks come home to."""
        return self._engine.project.results(self.id)

    @property
    def state(self) -> str:
        """``running``, or how it ended: succeeded, failed, cancelled or interrupted."""
        return self._engine.runner.state.ended or "running"

    @property
    def phases(self) -> dict[TaskPhase, int]:
        """How many tasks are in each phase now."""
        return {phase: count for phase, count in dict(self._engine.runner.state.phases).items() if count}

    def tasks(self) -> list[TaskInfo]:
        """List all tasks and where they stand, in the order of the workflow."""
        return [_info(task) for task in list(self._engine.runner.state.tasks.values())]

    def task(self, name: str) -> TaskInfo:
        """Say where one task stands.

        Raises:
            UsageError: when there is no such task.
        """
        known = self._engine.runner.state.tasks.get(name)
        if known is None:
            raise UsageError(f"run {self.id} has no task {name!r}")
        return _info(known)

    def result(self, task: str) -> str | None:
        """Give back what a Python call returned, as JSON text; None while it has not succeeded.

        Raises:
            UsageError: when there is no such task.
        """
        known = self._engine.runner.state.tasks.get(task)
        if known is None:
            raise UsageError(f"run {self.id} has no task {task!r}")
        return known.result

    def wait(
        self,
        *,
        tasks: Sequence[str] = (),
        until: Callable[[Run], bool] | None = None,
        timeout: float | timedelta | None = None,
    ) -> str:
        """Wait until the run has ended, or the named tasks have, or ``until`` is true; answer the run's state.

        A timeout (seconds) that passes is no error: the answer is then ``running``.

        Raises:
            LongshoreError: whatever stopped the controller; the run can be continued with `resume`.
        """
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        if not tasks and until is None:
            self._thread.join(seconds)
            return self._outcome()
        deadline = None if seconds is None else time.monotonic() + seconds

        def reached() -> bool:
            if self._over:
                return True
            if until is not None and until(self):
                return True
            state = self._engine.runner.state
            return bool(tasks) and all(task.phase in ENDED for task in selected(state, tasks))

        with self._changed:
            self._waiting += 1
            try:
                while not reached():
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        break
                    self._changed.wait(left)
            finally:
                self._waiting -= 1
        return self._outcome()

    def _outcome(self) -> str:
        if self._over:
            self._thread.join()
            if self._error is not None:
                raise self._error
        return self.state

    def __iter__(self) -> Iterator[Event]:
        """Give every event of this run from now on, after it is committed, until the run has ended."""
        queue: SimpleQueue[Sequence[Event] | None] = SimpleQueue()
        with self._changed:
            over = self._over
            if not over:
                self._watchers.append(queue)
        while not over:
            events = queue.get()
            if events is None:
                break
            yield from events
        self.wait()

    def cancel(self, *tasks: str) -> None:
        """End these tasks, or the whole run when none are named; silent for those that have ended."""
        self._check(tasks)
        self._engine.runner.post(CancelAsked(at=datetime.now(UTC), tasks=tasks))

    def stop(self) -> None:
        """Start nothing more. When what runs has ended, the run is interrupted and can be continued."""
        self._engine.runner.post(StopAsked(at=datetime.now(UTC)))

    def retry(self, *tasks: str) -> None:
        """Give failed, cancelled or lost tasks another chance: these, or all of them."""
        self._check(tasks)
        self._engine.retry(tasks)

    def add(self, spec: WorkflowSpec) -> None:
        """Let the tasks of another workflow value join this run; their names must be new.

        Raises:
            UsageError: when a name is taken.
        """
        self._engine.add(spec)

    def detach(self) -> None:
        """Let the run go: this controller stops now, what runs lives on, and `resume` continues it."""
        self._engine.runner.fail(_Detached())
        self._thread.join()

    def fetch(self, to: Path, tasks: Sequence[str] = ()) -> list[Path]:
        """Copy the outputs of tasks that have succeeded, all or these, into a folder; answer what was written.

        Raises:
            StagingError: when some of it cannot be had any more; the rest has been copied then.
        """
        fetched = self._engine.fetch(to, tasks)
        if fetched.missing:
            raise StagingError("; ".join(fetched.missing.values()))
        return list(fetched.written)

    def reader(self) -> RunReader:
        """Look at the run's record."""
        return RunReader(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for the end; after an exception let the run go instead, so that it can be continued."""
        if error is None:
            self.wait()
        elif not self._over:
            self.detach()

    @property
    def _watchers(self) -> list[SimpleQueue[Sequence[Event] | None]]:
        return self._engine.watchers

    def _check(self, tasks: Sequence[str]) -> None:
        state = self._engine.runner.state
        unknown = [task for task in tasks if task not in state.tasks and task not in state.groups]
        if unknown:
            raise UsageError(f"run {self.id} has no task {unknown[0]!r}; `longshore status {self.id}` lists them")

    def _notice(self, events: Sequence[Event]) -> None:
        if not (self._watchers or self._waiting):
            return
        with self._changed:
            for watcher in self._watchers:
                watcher.put(events)
            self._changed.notify_all()

    def _drive(self) -> None:
        try:
            self._engine.drive()
        except _Detached:
            pass
        except LongshoreError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  whatever it is, whoever waits for the run hears of it
            self._error = RunError(f"the controller of run {self.id} failed: {type(error).__name__}: {error}")
            self._error.__cause__ = error
        finally:
            with self._changed:
                self._over = True
                for watcher in self._watchers:
                    watcher.put(None)
                self._changed.notify_all()


def _info(task: TaskState) -> TaskInfo:
    return TaskInfo(
        id=task.task.id,
        phase=task.phase.value,
        attempts=task.attempts,
        machine=task.machine,
        failure=task.failure.value if task.failure else "",
    )


class _Detached(LongshoreError):
    """The owner has let the run go."""
