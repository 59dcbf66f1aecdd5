"""The supervisor's side of Python calls: workers that are kept, handed out, and replaced.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import signal
import socket

from longshore.remote.logs import Logs
from longshore.remote.processes import MARKER, send_signal, spawn
from longshore.remote.protocol import encode
from longshore.remote.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, Tuple

    from longshore.remote.attempt import Attempt
    from longshore.remote.limits import MemoryLimit
    from longshore.remote.logs import Left
    from longshore.remote.services import Services

    Key = Tuple[Any, ...]

__all__ = ["Worker", "Workers"]

_MOST_IDLE = 64
# Variables that a process, or a library in it, looks at once only. Calls that differ in them do not share a worker.
_STARTUP = ("PYTHON", "LD_", "DYLD_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "VECLIB_", "CUDA_")


class Worker:
    """One process that makes calls."""

    __slots__ = ("attempt", "key", "left", "limit", "pid", "stream")

    def __init__(self, key: Key, pid: int, logs: Logs, limit: MemoryLimit | None) -> None:
        self.key = key
        self.limit = limit
        self.pid = pid
        self.left: Left = (logs.out, logs.err)
        """The files that it prints into; None for one that belongs to an earlier call and must be replaced."""
        self.stream: Stream | None = None
        self.attempt: Attempt | None = None


class Workers:
    """All workers of a supervisor."""

    def __init__(self, services: Services, program: str, answered: Callable[[Worker, dict[str, Any]], None]) -> None:
        """Prepare; no worker is started before there is a call.

        Args:
            services: what workers are made of.
            program: path of ``worker.py``.
            answered: called with a worker and its answer.
        """
        self._services = services
        self._program = program
        self._answered = answered
        self._command = ("", "")
        self._base: Mapping[str, str] = {}
        self._generation = 0
        self._idle: dict[Key, list[Worker]] = {}
        self._by_pid: dict[int, Worker] = {}

    @property
    def pids(self) -> Collection[int]:
        """The processes of all workers."""
        return self._by_pid.keys()

    def configure(self, interpreter: str, project: str, base: Mapping[str, str]) -> None:
        """Say what workers are started with from now on; idle ones that were started otherwise are ended."""
        if (interpreter, project) == self._command and base == self._base:
            return
        self._command = (interpreter, project)
        self._base = base
        self._generation += 1
        for idle in list(self._idle.values()):
            for worker in list(idle):
                self.dismiss(worker)

    def start(self, attempt: Attempt, limits: dict[str, str], env: dict[str, str]) -> None:
        """Hand a call to a worker, an idle one or a new one. It leads the attempt's processes from now on, and its logs
        are the attempt's.

        Args:
            attempt: what to call; its workdir is there.
            limits: variables that tell it what it may use.
            env: its own variables, which count more.

        Raises:
            OSError: when no worker can be started.
        """
        startup = limits
        for name in [name for name in env if name.startswith(_STARTUP)]:
            startup[name] = env.pop(name)
        key = (self._generation, attempt.memory, *startup.values(), *startup)
        idle = self._idle.get(key)
        worker = idle.pop() if idle else self._new(key, {**self._base, **startup}, attempt.memory)
        order = {**attempt.order["call"], "cwd": attempt.workdir, "env": env}
        attempt.logs = self._logs(worker, order)
        worker.attempt = attempt
        attempt.worker = worker
        attempt.limit = worker.limit
        attempt.leader = worker.pid
        if worker.stream is not None:
            worker.stream.write(encode(order))

    def _logs(self, worker: Worker, order: dict[str, Any]) -> Logs:
        """Give what the worker prints into, and tell it where it has to open another file first."""
        out, err = worker.left
        if out is None:
            out = self._services.shelf.take()
            order["out"] = out.path
        if err is None:
            err = self._services.shelf.take()
            order["err"] = err.path
        worker.left = (out, err)
        return Logs(out, err)

    def _new(self, key: Key, env: dict[str, str], memory_bytes: int) -> Worker:
        shelf = self._services.shelf
        logs = Logs(shelf.take(), shelf.take())
        ours, theirs = socket.socketpair()
        env.pop(MARKER, None)
        interpreter, project = self._command
        argv = [interpreter, self._program, project]
        limit = self._services.groups.limit(memory_bytes)
        try:
            pid = spawn(interpreter, argv, env, (self._services.null, *logs.handles, theirs.fileno()), limit)
        except OSError:
            ours.close()
            if limit is not None:
                limit.remove()
            shelf.give_back((logs.out, logs.err))
            raise
        finally:
            theirs.close()
        worker = Worker(key, pid, logs, limit)
        # A worker that hangs up is about to end, and its end is told by the system.
        worker.stream = Stream(
            ours, self._services.watch, lambda messages: self._answered(worker, messages[0]), lambda _reason: None
        )
        self._by_pid[pid] = worker
        return worker

    def rest(self, worker: Worker, left: Left) -> None:
        """Take a worker back whose call has left nothing behind, with those of its logs that the attempt has left."""
        worker.attempt = None
        worker.left = left
        self._idle.setdefault(worker.key, []).append(worker)
        if not self._is_good(worker) or sum(map(len, self._idle.values())) > _MOST_IDLE:
            self.dismiss(worker)

    def _is_good(self, worker: Worker) -> bool:
        if worker.stream is None or worker.stream.closed or worker.key[0] != self._generation:
            return False
        # What the kernel has killed once would be evidence against each later call.
        return worker.limit is None or not worker.limit.kills()

    def dismiss(self, worker: Worker) -> None:
        """End a worker that has no call."""
        self._forget(worker)
        send_signal([-worker.pid], signal.SIGKILL)

    def _forget(self, worker: Worker) -> None:
        if worker.stream is not None:
            worker.stream.close()
        idle = self._idle.get(worker.key, [])
        if worker in idle:
            idle.remove(worker)

    def ended(self, pid: int) -> Worker | None:
        """Note that a process has ended; give the worker if it was one."""
        worker = self._by_pid.pop(pid, None)
        if worker is not None:
            self._forget(worker)
            if worker.attempt is None:
                self._services.shelf.give_back(worker.left)
                if worker.limit is not None:
                    worker.limit.remove()
        return worker

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._by_pid.values()):
            self.dismiss(worker)
            os.waitpid(worker.pid, 0)
            self.ended(worker.pid)
