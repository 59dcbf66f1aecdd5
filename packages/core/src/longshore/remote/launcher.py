"""Starts what an order says: a program, a script, or a call in a worker.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import os
import time

from longshore.remote.logs import Logs
from longshore.remote.processes import MARKER, SHELL, boot_seconds, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from longshore.remote.attempt import Attempt
    from longshore.remote.services import Services

__all__ = ["Launcher", "note_not_started"]

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_GPUS = "CUDA_VISIBLE_DEVICES"
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_ROOM = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)


class Launcher:
    """Starts attempts."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def launch(self, attempt: Attempt) -> None:
        """Start an attempt in its workdir, with its logs.

        Nothing is started without the environment that it needs, which is noted on it.

        Raises:
            OSError: when that is impossible; then nothing was started.
        """
        services = self._services
        limits = self._limits(attempt)
        if "environment" in attempt.order and not self._has_environment(attempt):
            return
        if "call" in attempt.order:
            batch = [attempt, *attempt.followers]
            services.workers.start(batch, limits, [self._variables(call) for call in batch])
        else:
            attempt.logs = Logs(services.shelf.take(), services.shelf.take())
            attempt.leader = self._spawn(attempt, {**services.base, **limits, **self._variables(attempt)})
        attempt.started = time.time()
        attempt.started_boot = boot_seconds()

    def _has_environment(self, attempt: Attempt) -> bool:
        key = attempt.order["environment"]
        try:
            self._services.software.hold(key)
        except OSError:
            attempt.fail("environment", "the environment %s is not on this machine any more" % key)
            return False
        return True

    def _variables(self, attempt: Attempt) -> dict[str, str]:
        order = attempt.order
        env = {**order.get("env", {}), **order.get("private", {})}
        if "environment" in order:
            env.update(self._services.software.variables(order["environment"], {**self._services.base, **env}))
        return {**env, "PWD": attempt.workdir, MARKER: attempt.mark}

    def _limits(self, attempt: Attempt) -> dict[str, str]:
        """Give the variables that tell an attempt what it may use; what the user says himself comes after them."""
        limits: dict[str, str] = {}
        if attempt.cpus:
            limits = dict.fromkeys(_THREADS, str(max(1, int(attempt.cpus))))
        if self._services.room.gpus:
            # An attempt that asked for none must not disturb those that did.
            limits[_GPUS] = ",".join(attempt.gpu_names)
        return limits

    def _spawn(self, attempt: Attempt, env: dict[str, str]) -> int:
        services = self._services
        order = attempt.order
        assert attempt.logs is not None
        key = order.get("environment", "")
        streams = (services.null, *attempt.logs.handles)
        limit = attempt.limit = services.groups.limit(attempt.memory)
        os.chdir(attempt.workdir)
        if key and services.software.has_image(key):
            argv = order["argv"] if "argv" in order else ["sh", services.blobs.path(order["script"])]
            argv = services.software.into_image(attempt, argv, env)
            # The engine is a program of this machine, whatever PATH is meant for what it executes.
            return spawn(argv[0], argv, {**env, "PATH": services.base.get("PATH", os.defpath)}, streams, limit)
        if "script" in order:
            return spawn(SHELL, ["sh", services.blobs.path(order["script"])], env, streams, limit)
        if "build" in order:
            argv = services.software.prepare(attempt)
            return spawn(argv[0], argv, env, streams, limit)
        argv = order["argv"]
        search = env.get("PATH", os.defpath)
        try:
            return spawn(services.programs.find(argv[0], search), argv, env, streams, limit)
        except FileNotFoundError:
            # It may have been removed since it was found; or be a script whose interpreter is missing.
            services.programs.forget()
            return spawn(services.programs.find(argv[0], search), argv, env, streams, limit)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # An executable text without a first line that says what for: a shell executes it itself.
            return spawn(SHELL, ["sh", services.programs.find(argv[0], search), *argv[1:]], env, streams)


def note_not_started(attempt: Attempt, error: OSError) -> None:
    """Note on an attempt why it could not be started, as a shell would tell it."""
    what = _program(attempt.order)
    reason = (error.strerror or str(error)).lower()
    if error.errno in _NO_ROOM or error.errno in _NO_SPACE:
        attempt.lost = "no process could be started: %s" % reason
        attempt.fail("disk full" if error.errno in _NO_SPACE else "capacity", attempt.lost)
        return
    attempt.code = 126
    if error.errno == errno.ENOENT:
        attempt.code, reason = 127, "not found"
        if os.sep not in what:
            theirs = (
                "; nor does its environment" if attempt.order.get("environment") else "; an environment may bring it"
            )
            reason += ": this machine does not have it" + theirs
    attempt.fail("user code", "exit code %d\n%s: %s" % (attempt.code, what, reason))


def _program(order: dict[str, Any]) -> str:
    if "call" in order:
        return "the Python for %s" % order["call"]["function"]
    if "build" in order:
        return "the build of the environment %s" % order["build"]["name"]
    return str(order["argv"][0]) if "argv" in order else SHELL
