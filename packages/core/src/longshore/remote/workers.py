"""All workers of a supervisor: started, kept, handed out, replaced.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import signal
import socket

from longshore.remote.calls import Worker
from longshore.remote.logs import Logs
from longshore.remote.processes import MARKER, send_signal, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any, Tuple

    from longshore.remote.attempt import Attempt
    from longshore.remote.logs import Left, Log
    from longshore.remote.services import Services

    Key = Tuple[Any, ...]

__all__ = ["WORKER", "Workers"]

WORKER = "worker"
"""What stands for an attempt's id in the mark of a worker."""

_MOST_IDLE = 64
_BELL_BYTES = 8
# Variables that a process, or a library in it, looks at once only. Calls that differ in them do not share a worker.
_STARTUP = ("PYTHON", "LD_", "DYLD_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "VECLIB_", "CUDA_")
# What is shorter may be followed by others in its batch; what waits behind something that is not is taken back.
_SHORT_SECONDS = 0.0005
_PATIENCE_SECONDS = 0.005
_MOST_FUNCTIONS = 10_000
_NOT_IN_BATCH = frozenset(("inputs", "outputs", "secrets", "keep", "timeout", "memory", "gpus", "environment"))


class Workers:
    """The workers, busy and idle."""

    def __init__(self, services: Services, program: str) -> None:
        """Prepare; no worker is started before there is a call. ``program`` is the path of ``worker.py``."""
        self._services = services
        self._program = program
        self._command = ("", "")
        self._base: Mapping[str, str] = {}
        self._generation = 0
        self._idle: dict[Key, list[Worker]] = {}
        self._idle_count = 0
        self._by_pid: dict[int, Worker] = {}
        self._seconds: dict[str, float] = {}
        """How long the last call of each function took."""
        self._plain: dict[tuple[str, ...], bool] = {}
        """By the names of variables: see `_is_plain`. Thousands of orders have the same ones."""
        self._impatient = False
        self._bell = -1, -1

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

    @property
    def ahead(self) -> bool:
        """Whether calls wait behind others in a batch."""
        return any(len(worker.batch) > 1 for worker in self._by_pid.values())

    def may_follow(self, attempt: Attempt) -> bool:
        """Say whether a call may be in a batch: it is short as far as anybody knows, and needs nothing of its own."""
        order = attempt.order
        if "call" not in order or self._seconds.get(order["call"]["function"], 1.0) > _SHORT_SECONDS:
            return False
        if not _NOT_IN_BATCH.isdisjoint(order):
            return False
        return self._is_plain(order.get("env", {})) and self._is_plain(order.get("private", {}))

    def _is_plain(self, env: Mapping[str, str]) -> bool:
        """Say whether none of these variables is looked at by a process once only."""
        names = tuple(env)
        plain = self._plain.get(names)
        if plain is None:
            if len(self._plain) > _MOST_FUNCTIONS:
                self._plain.clear()
            plain = self._plain[names] = not _startup(env)
        return plain

    def start(self, batch: list[Attempt], limits: dict[str, str], envs: list[dict[str, str]]) -> None:
        """Hand calls to a worker, an idle one or a new one. It leads their processes from now on.

        Args:
            batch: what to call, one after the other, in one workdir, which is there.
            limits: variables that tell them what they may use.
            envs: the variables of each, which count more.

        Raises:
            OSError: when no worker can be started.
        """
        message: dict[str, Any] = {"orders": [self._order(attempt, env) for attempt, env in zip(batch, envs)]}
        startup = {**limits, **_startup(envs[0])}
        # Code that is laid for a call is imported from there, and by nobody else: modules stay loaded.
        modules = batch[0].order.get("modules", "")
        environment = batch[0].order.get("environment", "")
        key = (self._generation, batch[0].memory, modules, environment, *startup.values(), *startup)
        worker = self._hire(key) or self._new(key, startup, batch[0])
        batch[0].logs, replaced = self._logs(worker)
        for attempt in batch:
            attempt.worker = worker
            attempt.leader = worker.pid
            attempt.limit = worker.limit
        worker.order(message, batch, replaced)
        if len(batch) > 1:
            self._be_patient()

    def _order(self, attempt: Attempt, env: dict[str, str]) -> dict[str, Any]:
        order = {**attempt.order["call"], "cwd": attempt.workdir, "env": env}
        if order.get("pickle"):
            order["pickle"] = self._services.blobs.path(order["pickle"])
        return order

    def _hire(self, key: Key) -> Worker | None:
        idle = self._idle.get(key)
        if not idle:
            return None
        self._idle_count -= 1
        return idle.pop()

    def _logs(self, worker: Worker) -> tuple[Logs, dict[int, Log]]:
        """Give what the worker prints into, and which of it is new to it, by descriptor."""
        out, err = worker.left
        replaced: dict[int, Log] = {}
        if out is None:
            out = replaced[1] = self._services.shelf.take()
        if err is None:
            err = replaced[2] = self._services.shelf.take()
        worker.left = (None, None)
        return Logs(out, err), replaced

    def _new(self, key: Key, startup: Mapping[str, str], first: Attempt) -> Worker:
        services = self._services
        if self._bell[0] < 0:
            self._bell = _pipe()
            services.watch.add(self._bell[0], self._rung)
        logs = Logs(services.shelf.take(), services.shelf.take())
        ours, theirs = socket.socketpair()
        tokens = _pipe()
        limit = services.groups.limit(first.memory)
        interpreter, project = self._command
        if "modules" in first.order:
            project = os.path.join(services.staging.modules, first.order["modules"])
        if "environment" in first.order:
            interpreter = services.software.python(first.order["environment"]) or interpreter
        env = {**self._base, **startup, MARKER: WORKER + "@" + services.place}
        handles = (services.null, *logs.handles, theirs.fileno(), tokens[0], self._bell[1])
        try:
            # Not in the folder of the last attempt, which may be gone before the worker begins; each call says its own.
            os.chdir("/")
            pid = spawn(interpreter, [interpreter, self._program, project], env, handles, limit)
        except OSError:
            ours.close()
            for handle in tokens:
                os.close(handle)
            services.shelf.give_back((logs.out, logs.err))
            if limit is not None:
                limit.remove()
            raise
        finally:
            theirs.close()
        worker = self._by_pid[pid] = Worker(pid, ours, tokens, services.watch)
        worker.key = key
        worker.limit = limit
        worker.left = (logs.out, logs.err)
        return worker

    # --- answers

    def _rung(self, _events: int) -> None:
        """Take the answers of those who have rung."""
        rings = os.read(self._bell[0], _BELL_BYTES << 9)
        pids = {int(rings[start : start + _BELL_BYTES]) for start in range(0, len(rings), _BELL_BYTES)}
        for pid in pids & self._by_pid.keys():
            self._hear(self._by_pid[pid])

    def hear(self, attempt: Attempt) -> None:
        """Take the answers of the worker that makes a call; those that have none have nothing to say."""
        if attempt.worker is not None:
            self._hear(attempt.worker)

    def _hear(self, worker: Worker) -> None:
        boss = self._services.boss
        for answer in worker.answers():
            attempt = worker.batch[0]
            if attempt.cancelled or attempt.timed_out or attempt.lost:
                continue  # the worker is being ended for that; its end is what counts
            if answer.get("last"):
                # There is something to see to before the others of the batch are begun.
                self._return(worker)
            del worker.batch[0]
            if len(self._seconds) > _MOST_FUNCTIONS:
                self._seconds.clear()
            self._seconds[attempt.order["call"]["function"]] = answer["seconds"]
            if worker.batch:
                attempt.pass_on(worker.batch[0])
                boss.began(worker.batch[0])
            boss.answered(attempt, answer)

    def _return(self, worker: Worker) -> None:
        back = worker.take_back()
        if back:
            self._services.boss.returned(back)

    def _be_patient(self) -> None:
        if not self._impatient:
            self._impatient = True
            self._services.watch.after(_PATIENCE_SECONDS, self._lose_patience)

    def _lose_patience(self) -> None:
        """Look after workers that should be done by now."""
        self._impatient = False
        self.take_back()
        if self.ahead:
            # One has claimed its next call already, and its answer to the one before is on its way.
            self._be_patient()

    def take_back(self) -> None:
        """Take all answers that are there, and back all calls that wait behind others."""
        for worker in list(self._by_pid.values()):
            if len(worker.batch) > 1:
                self._hear(worker)
                self._return(worker)

    # --- ends

    def rest(self, worker: Worker, left: Left) -> None:
        """Take a worker back whose call has left nothing behind, with those of its logs that the attempt has left."""
        if worker.closed:
            self._services.shelf.give_back(left)
            return
        worker.left = left
        self._idle.setdefault(worker.key, []).append(worker)
        self._idle_count += 1
        if not self._is_good(worker) or self._idle_count > _MOST_IDLE:
            self.dismiss(worker)

    def _is_good(self, worker: Worker) -> bool:
        if worker.key[0] != self._generation:
            return False
        # What the kernel has killed once would be evidence against each later call.
        return worker.limit is None or not worker.limit.kills()

    def dismiss(self, worker: Worker) -> None:
        """End a worker that has no call."""
        self._forget(worker)
        send_signal([-worker.pid], signal.SIGKILL)

    def _forget(self, worker: Worker) -> None:
        worker.close()
        idle = self._idle.get(worker.key, [])
        if worker in idle:
            idle.remove(worker)
            self._idle_count -= 1

    def ended(self, pid: int) -> Worker | None:
        """Note that a process has ended; give the worker if it was one, with what it was making in its batch."""
        worker = self._by_pid.get(pid)
        if worker is None:
            return None
        self._hear(worker)
        # It had begun the first only: it answers each before it begins the next, even if it has the token for that.
        back, worker.batch = worker.batch[1:], worker.batch[:1]
        if back:
            self._services.boss.returned(back)
        del self._by_pid[pid]
        self._forget(worker)
        self._services.shelf.give_back(worker.left)
        if worker.limit is not None and not worker.batch:
            worker.limit.remove()
        return worker

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._by_pid.values()):
            self.dismiss(worker)
            os.waitpid(worker.pid, 0)
            self.ended(worker.pid)


def _startup(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_STARTUP)}


def _pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    return read, write
