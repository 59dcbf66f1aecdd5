"""A run folder of its own, real supervisors in it, and ways to wait for what they tell."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from longshore.builtin.local import LocalConfig, LocalExecutor, LocalSession
from longshore.errors import FenceRefused
from longshore.model.attempt import AttemptSpec
from longshore.model.command import Argv, Command
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext
from longshore.remote.watch import exit_handle

SECONDS = 30.0
"""No wait lasts longer; none comes near it."""

Told = AttemptStarted | AttemptEnded | MachineGone


class Bench:
    """One run on this computer."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.project.mkdir()
        self.run_folder = folder / "run"
        self.store = folder / "store"
        self.folder = self.run_folder / "machines" / "here"
        self.logs = self.run_folder / "logs"
        self.told: list[Told] = []
        self._queue: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._sessions: list[LocalSession] = []

    def open(
        self, *, fence: int = 1, unattended: timedelta = timedelta(hours=1), slots: int | None = None, **resources: Any
    ) -> LocalSession:
        context = ExecutorContext(
            run="r",
            run_folder=self.run_folder,
            project_folder=self.project,
            store_folder=self.store,
            unattended=unattended,
        )
        amounts = Resources(**{"cpus": 4.0, "memory_bytes": 8 << 30, **resources})
        machine = Machine(id="here", pool="here", resources=amounts, slots=slots)
        session = LocalExecutor(LocalConfig(), context).open(machine, fence=fence, sink=self._take)
        self._sessions.append(session)
        return session

    def _take(self, *events: Told) -> None:
        for event in events:
            self._queue.put(event)

    @property
    def session(self) -> LocalSession:
        return self._sessions[-1] if self._sessions else self.open()

    def go(self, task: str, command: Command, *, attempt: int = 1, **fields: Any) -> str:
        spec = AttemptSpec(id=f"r/{task}/{attempt}", command=command, **fields)
        self.session.create(spec)
        if spec.inputs:
            self.session.put(spec.id, spec.inputs, None)
        self.session.go(spec.id)
        return spec.id

    def execute(self, task: str, command: Command, **fields: Any) -> AttemptEnded:
        self.go(task, command, **fields)
        return self.ended(task)

    def ended(self, task: str, times: int = 1) -> AttemptEnded:
        return self._wait(lambda e: isinstance(e, AttemptEnded) and e.task == task, times)  # type: ignore[return-value]

    def started(self, task: str, times: int = 1) -> AttemptStarted:
        return self._wait(lambda e: isinstance(e, AttemptStarted) and e.task == task, times)  # type: ignore[return-value]

    def gone(self) -> MachineGone:
        return self._wait(lambda e: isinstance(e, MachineGone), 1)  # type: ignore[return-value]

    def _wait(self, matches: Callable[[Told], bool], times: int) -> Told:
        while len(found := [event for event in self.told if matches(event)]) < times:
            try:
                self.told.append(self._queue.get(timeout=SECONDS))
            except queue.Empty:
                raise AssertionError("not told") from None
        return found[times - 1]

    def settled(self) -> list[Told]:
        """Everything told up to the end of an attempt that is started now."""
        number = 1 + sum(isinstance(event, AttemptEnded) and event.task == "settle" for event in self.told)
        self.go("settle", Argv(("true",)), attempt=number)
        self.ended("settle", number)
        return self.told

    def ends_of(self, task: str) -> list[AttemptEnded]:
        return [event for event in self.settled() if isinstance(event, AttemptEnded) and event.task == task]

    def records(self) -> list[dict[str, Any]]:
        path = self.folder / "record"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def supervisor(self) -> int:
        """The process that serves the folder now, or did last."""
        pid = next(line["pid"] for line in reversed(self.records()) if line["event"] == "supervisor")
        return int(pid)

    def kill_supervisor(self) -> None:
        pid = self.supervisor()
        kill(pid)

    def close(self) -> None:
        """Leave no process behind."""
        if not self._sessions:
            return
        lines = self.records()
        over = {line["id"] for line in lines if line["event"] == "ended"}
        with suppress(FenceRefused):
            for line in lines:
                if line["event"] == "intent" and line["id"] not in over:
                    self.session.cancel(line["id"])
        for session in self._sessions:
            session.close()
        for pid in {line["pid"] for line in self.records() if line["event"] == "supervisor"}:
            with suppress(ProcessLookupError):
                wait_over(exit_handle(pid))


def kill(pid: int) -> None:
    """Kill a process that is not our child, and wait until it is gone."""
    handle = exit_handle(pid)
    os.kill(pid, signal.SIGKILL)
    wait_over(handle)


def wait_over(handle: Any) -> None:
    with handle:
        assert select.select([handle], [], [], SECONDS)[0], "the process does not end"
