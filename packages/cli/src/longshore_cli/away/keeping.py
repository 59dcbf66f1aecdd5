"""There: a process that keeps one run's controller alive. It outlives the login that began it, and not the run."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType

from attrs import evolve

from longshore.config.document import from_document
from longshore.errors import FenceRefused, RunError, UsageError
from longshore.model.events import Event
from longshore.runtime.options import RunOptions
from longshore.runtime.processes import watch
from longshore.runtime.project import Project
from longshore.runtime.run import Run, resume, start
from longshore_cli.away.lasting import check_that_it_stays
from longshore_cli.away.orders import (
    ENDED,
    close_order,
    forget_order,
    is_kept,
    is_over,
    lock_file,
    order_file,
    order_of,
)
from longshore_cli.driving import attend
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.scheduling.timers import alone

__all__ = ["control", "keep", "keep_environment", "start_keeper", "wait_for_keeper"]

_QUICK_SECONDS = 60.0
_MOST_PAUSE_SECONDS = 60.0
_BEGUN = b"begun\n"
_KEPT = b"kept\n"
_LINE = 64
"""A lock's file has less: the keeper's number, and whether its controller has begun."""
_TRIES = 6
_GLANCE_SECONDS = 0.01
"""`is_kept` has the lock for some microseconds; whoever meets it looks again, as for the lock of a run."""


def keep_environment(project: Project, run: str, variables: Mapping[str, str]) -> None:
    """Keep what was handed over to a run's controllers until the run is over, for this user's eyes alone."""
    place = order_file(project, run).with_suffix(".env")
    if variables:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(dict(variables), file)
    else:
        place.unlink(missing_ok=True)


def _environment(project: Project, run: str) -> dict[str, str]:
    try:
        handed: dict[str, str] = json.loads(order_file(project, run).with_suffix(".env").read_text(encoding="utf-8"))
    except FileNotFoundError:
        handed = {}
    return {**os.environ, **handed}


def watch_keeper(project: Project, run: str) -> int | None:
    """Open a descriptor that becomes readable when the keeper of a run ends; None when it has none."""
    if not is_kept(project, run):
        return None
    with suppress(OSError, ValueError, IndexError):
        return watch(int(lock_file(project, run).read_text().split()[0]))
    return None


def wait_for_keeper(project: Project, run: str) -> None:
    """Wait until no keeper looks after a run."""
    with suppress(FileNotFoundError), lock_file(project, run).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def _program() -> list[str]:
    """Give the beginning of a command of ours; nothing that lies in the project's folder is imported by it."""
    return [sys.executable, "-I" if sys.flags.isolated else "-P", "-m", "longshore_cli"]


def start_keeper(project: Project, run: str, *, words: Sequence[str] = ()) -> None:
    """Start a keeper that outlives us, and wait until its controller has begun.

    ``words`` are for the first controller, as `control` takes them. Without any a run that is kept already is as it
    is wanted.

    Raises:
        RunError: when the controller has not begun; with what it said.
        UsageError: when there are words and somebody else keeps the run.
    """
    log = project.home / "seat" / f"{run}.log"
    log.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    said, saying = os.pipe()
    with log.open("ab") as output:
        offset = output.tell()
        subprocess.Popen(
            [*_program(), "away", "keep", run, "--tell", str(saying), "--", *words],
            cwd=project.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=[saying],
        )
    os.close(saying)
    with os.fdopen(said, "rb") as answer:
        told = answer.readline()
    if told == _KEPT and words:
        raise UsageError(f"Run {run} is running already.")
    if told not in {_BEGUN, _KEPT}:
        with log.open("rb") as output:
            output.seek(offset)
            raise RunError(output.read(1 << 16).decode("utf-8", "replace").strip() or "the controller has not begun")


def keep(project: Project, run: str, tell: int, words: Sequence[str]) -> int:
    """Keep the run's controller alive until the run is over; give the exit code.

    It is started again when it dies: at once the first time, and after pauses of up to a minute when it dies quickly.
    On SIGTERM, as when the computer is shut down, it is let go. ``tell`` is a descriptor that is told when the first
    controller has begun.
    """
    descriptor = os.open(lock_file(project, run), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _locked(project, run, descriptor, patient=bool(words)):
        os.write(tell, _KEPT)
        return 0
    try:
        with alone():
            check_that_it_stays()
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        return _Keeper(project, run).work(tell, words)
    finally:
        os.close(descriptor)


def _locked(project: Project, run: str, descriptor: int, *, patient: bool) -> bool:
    """Take the lock of a run's keeper; with ``patient`` wait for one that is about to leave, since the run is over."""
    before = os.pread(descriptor, _LINE, 0)
    while True:
        for _ in range(_TRIES):
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(_GLANCE_SECONDS)
        # One whose controller has not begun has just come.
        leaves = before.endswith(_BEGUN) and os.pread(descriptor, _LINE, 0) == before and is_over(project, run)
        if not patient or not leaves:
            return False
        ended = watch(int(before.split()[0]))
        if ended is not None:
            select.select([ended], [], [])
            os.close(ended)


class _Keeper:
    def __init__(self, project: Project, run: str) -> None:
        self._project = project
        self._run = run
        self._asked = threading.Event()
        self._controller: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._let_go)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _let_go(self, number: int, _frame: FrameType | None) -> None:
        self._asked.set()
        if self._controller is not None:
            self._controller.send_signal(signal.SIGTERM)

    def work(self, tell: int, words: Sequence[str]) -> int:
        quick = 0
        self._start(["--tell", str(tell), *words], [tell])
        os.close(tell)
        while True:
            assert self._controller is not None
            began = time.monotonic()
            code = self._controller.wait()
            over = is_over(self._project, self._run) or self._taken()
            if over:
                close_order(self._project, self._run)
            if over or self._asked.is_set() or not self._has_begun():
                return 0
            quick = quick + 1 if time.monotonic() - began < _QUICK_SECONDS else 0
            pause = min(2.0 ** (quick - 1), _MOST_PAUSE_SECONDS) if quick > 1 else 0.0
            say(f"longshore: {ENDED} with {code}; it is started again in {pause:.0f} s")
            if self._asked.wait(pause):
                return 0
            self._start([], [])

    def _taken(self) -> bool:
        """Say whether somebody else has taken the run over."""
        return not lock_file(self._project, self._run).exists()

    def _has_begun(self) -> bool:
        return (self._project.run_folder(self._run) / "run.db").exists()

    def _start(self, words: Sequence[str], descriptors: Sequence[int]) -> None:
        self._controller = subprocess.Popen(
            [*_program(), "away", "control", self._run, *words],
            cwd=self._project.folder,
            env=_environment(self._project, self._run),
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
        )


def control(
    project: Project,
    run: str,
    invocation: Invocation,
    *,
    tell: int,
    retry: bool,
    cancel: bool,
    jobs: int | None,
) -> int:
    """Be the run's controller until it has ended; begin it unless it has begun; give the exit code."""

    def begin(listen: Callable[[Sequence[Event]], None] | None) -> Run:
        if (project.run_folder(run) / "run.db").exists():
            begun = resume(project.folder, run, retry=retry, jobs=jobs, listen=listen)
        else:
            order = order_of(project, run)
            if order is None or "workflow" not in order:
                raise UsageError(f"nobody has asked for a run {run} here")
            shutil.rmtree(project.run_folder(run), ignore_errors=True)  # of one that was killed before it had begun
            options = RunOptions.from_json(order["options"])
            if jobs is not None:
                options = evolve(options, jobs=jobs)
            begun = start(from_document(order["workflow"]), project.folder, options, run=run, listen=listen)
        if cancel:
            begun.cancel()
        if retry:  # whoever looks at the journal from now on is not to see the end that it had
            begun.wait(until=lambda each: each.state == "running")
        with lock_file(project, run).open("ab") as file:
            file.write(_BEGUN)
        if tell >= 0:
            os.write(tell, _BEGUN)
            os.close(tell)
        return begun

    try:
        return attend(begin, invocation)
    except FenceRefused:
        # Somebody has taken it over: nothing is to be started again, and whoever looks here is to read why.
        forget_order(project, run, keep_log=True)
        raise
