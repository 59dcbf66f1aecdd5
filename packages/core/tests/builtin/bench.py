"""A run folder of its own, real supervisors in it, and ways to wait for what they tell."""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from longshore.builtin.local import LocalConfig, LocalExecutor, LocalSession
from longshore.errors import FenceRefused
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.remote.watch import exit_handle
from longshore.testing import ExecutorBench

SECONDS = 120.0
"""No wait lasts longer; none comes near it."""


class Bench(ExecutorBench):
    """One run on this computer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, LocalExecutor, LocalConfig(), computer(), kill=self.kill_supervisor, seconds=SECONDS)
        self.folder = self.run_folder / "machines" / "here"

    def open(
        self, *, fence: int = 1, machine: Machine | None = None, slots: int | None = None, **options: Any
    ) -> LocalSession:
        """Link to this computer, with ``unattended`` or with amounts of resources."""
        context = {name: options.pop(name) for name in ("unattended",) if name in options}
        session = super().open(fence=fence, machine=machine or computer(slots=slots, **options), **context)
        assert isinstance(session, LocalSession)
        return session

    @property
    def session(self) -> LocalSession:
        session = super().session
        assert isinstance(session, LocalSession)
        return session

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
            super().close()
            return
        lines = self.records()
        over = {line["id"] for line in lines if line["event"] == "ended"}
        with suppress(FenceRefused):
            for line in lines:
                if line["event"] == "intent" and line["id"] not in over:
                    self.session.cancel(line["id"])
        super().close()
        for pid in {line["pid"] for line in self.records() if line["event"] == "supervisor"}:
            with suppress(ProcessLookupError):
                wait_over(exit_handle(pid))


def computer(*, slots: int | None = None, **resources: Any) -> Machine:
    amounts = Resources(**{"cpus": 4.0, "memory_bytes": 8 << 30, **resources})
    return Machine(id="here", pool="here", resources=amounts, slots=slots, store="")


def kill(pid: int) -> None:
    """Kill a process that is not our child, and wait until it is gone."""
    handle = exit_handle(pid)
    os.kill(pid, signal.SIGKILL)
    wait_over(handle)


def wait_over(handle: Any) -> None:
    with handle:
        assert select.select([handle], [], [], SECONDS)[0], "the process does not end"
