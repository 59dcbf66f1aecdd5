"""This computer's cpus, memory and gpus, shared by all runs of its user: claims in one file under a lock, and pokes.

A run claims what it can use in one go and then does not look at the file again, until it is poked: through a named pipe
of its own another run says that it should ask again, because there is more to have, or because somebody waits. A run
that died is noticed by those who wait. Nothing here looks again and again, but where the system cannot tell of a
process's end.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from longshore.folders import state_folder
from longshore.model.resources import Resources
from longshore.runtime.processes import ProcessMark, is_alive, this_process, watch
from longshore.runtime.shares import NOTHING, Amounts, Claim, Settled, settle

__all__ = ["Capacity", "Grant", "capacity_folder"]

_log = logging.getLogger(__name__)
_TABLE = "capacity.json"
_LOOK_AGAIN_MS = 5000
"""For systems that cannot tell of another process's end, and only while a run waits."""


@frozen(kw_only=True)
class Grant:
    """What a run may use now."""

    resources: Resources
    gpus: tuple[int, ...]
    """Which ones, by index."""
    contended: bool
    """Another run could use more: ask again whenever an attempt ends, so that what is free goes to whoever is next."""


@frozen(kw_only=True)
class _Row:
    """A claim with whose it is."""

    claim: Claim
    process: ProcessMark
    total: Amounts


def capacity_folder(environ: Mapping[str, str]) -> Path:
    """Say where the runs of this user on this computer find each other, the same for a desktop's session and for
    cron.
    """
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    if runtime.is_dir() and os.access(runtime, os.W_OK):
        return runtime / "longshore"
    # A home folder may be shared by many computers.
    return state_folder(environ) / "computers" / os.uname().nodename


class Capacity:
    """One run's part of this computer, from ``with`` to its end.

    Where runs cannot find each other (a home folder that cannot be written), a warning is logged and each has all of
    the computer.
    """

    def __init__(self, total: Resources, changed: Callable[[], None], folder: Path | None = None) -> None:
        """Share a computer that has ``total``.

        ``changed`` is called in a thread of its own when it is worth to `ask` again; it must return soon. When runs
        do not agree on the total, the largest counts.
        """
        self._total = _amounts(total)
        self._folder = folder or capacity_folder(os.environ)
        self._process = this_process()
        self._key = f"{self._process.pid}-{os.urandom(4).hex()}"
        self._bell = Bell(self._folder / f"{self._key}.poke", changed)
        self._alone = False

    def __enter__(self) -> Self:
        """Join the other runs."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._bell.open()
        except OSError as error:
            self._give_up(error)
        return self

    def __exit__(self, *_: object) -> None:
        """Give everything back and wake those who wait for it."""
        if not self._alone:
            try:
                with self._table() as rows:
                    settled = self._settled(rows, NOTHING, NOTHING, NOTHING, ())
                    rows[:] = [row for row in rows if row.claim.key != self._key]
                _poke(self._folder, settled.poke)
            except OSError as error:
                self._give_up(error)
        self._bell.close()

    def ask(self, *, using: Resources, want: Resources, least: Resources, gpus: Collection[int] = ()) -> Grant:
        """Say what the run uses and could use in all, and learn what it may use; what it no longer wants is given back.

        ``using`` counts what its attempts have now, on ``gpus``; ``least`` is what its next task needs, without which
        it cannot go on. The grant covers ``using``, even if the run's share is smaller.
        """
        if not self._alone:
            try:
                return self._asked(_amounts(using), _amounts(want), _amounts(least), gpus)
            except OSError as error:
                self._give_up(error)
        return Grant(resources=want, gpus=tuple(range(self._total[2])), contended=False)

    def _asked(self, using: Amounts, want: Amounts, least: Amounts, gpus: Collection[int]) -> Grant:
        with self._table() as rows:
            settled = self._settled(rows, using, want, least, gpus)
        _poke(self._folder, settled.poke)
        held = settled.claim.held
        waiting = any(amount < wanted for amount, wanted in zip(held, want, strict=True))
        rivals = {row.process for row in rows if row.process.pid != self._process.pid}
        self._bell.watch(rivals if waiting else set())
        return Grant(
            resources=Resources(cpus=held[0], memory_bytes=held[1], gpus=held[2]),
            gpus=settled.claim.gpus,
            contended=settled.contended,
        )

    def _settled(
        self, rows: list[_Row], using: Amounts, want: Amounts, least: Amounts, gpus: Collection[int]
    ) -> Settled:
        now = time.time()
        mine = [row.claim for row in rows if row.claim.key == self._key] or [Claim(key=self._key, since=now)]
        others = [row for row in rows if row.claim.key != self._key]
        totals = [self._total, *(row.total for row in others)]
        settled = settle(
            [row.claim for row in others],
            mine[0],
            (max(each[0] for each in totals), max(each[1] for each in totals), max(each[2] for each in totals)),
            using=using,
            using_gpus=gpus,
            want=want,
            least=least,
            now=now,
        )
        rows[:] = [*others, _Row(claim=settled.claim, process=self._process, total=self._total)]
        return settled

    @contextmanager
    def _table(self) -> Iterator[list[_Row]]:
        """Have the claims of all living runs, to change them; nobody else has them meanwhile."""
        table = os.open(self._folder / _TABLE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(table, fcntl.LOCK_EX)
            old = os.pread(table, os.fstat(table).st_size, 0)
            rows = [row for row in _read(old) if is_alive(row.process)]
            yield rows
            new = json.dumps([_to_json(row) for row in rows]).encode("ascii")
            if new != old:
                # In place, since a rename costs more than all else here, and what is lost in a crash is told again.
                os.pwrite(table, new, 0)
                os.ftruncate(table, len(new))
        finally:
            os.close(table)

    def _give_up(self, error: OSError) -> None:
        self._alone = True
        _log.warning(
            "the runs on this computer cannot find each other in %s, so together they may use more than there is: %s",
            self._folder,
            error,
        )


class Bell:
    """A named pipe by which other runs wake this one, and an ear for the ends of their processes."""

    def __init__(self, path: Path, rung: Callable[[], None]) -> None:
        self._path = path
        self._rung = rung
        self._pipe = -1
        self._watched: set[ProcessMark] = set()
        self._thread = threading.Thread(target=self._listen, name="longshore-capacity", daemon=True)

    def open(self) -> None:
        """Make the pipe and listen, in a thread of its own."""
        os.mkfifo(self._path, 0o600)
        # For reading and writing, so that there is no end of file when a poker closes its end.
        self._pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread.start()

    def watch(self, processes: set[ProcessMark]) -> None:
        """Ring also when one of these processes ends; of others no longer."""
        if processes != self._watched:
            self._watched = processes
            os.write(self._pipe, b"w")

    def close(self) -> None:
        """Listen no more."""
        if self._pipe >= 0:
            os.write(self._pipe, b"q")
            self._thread.join()
            os.close(self._pipe)
            self._pipe = -1
        with suppress(OSError):
            self._path.unlink()

    def _listen(self) -> None:
        ears: dict[ProcessMark, int] = {}
        gone: set[ProcessMark] = set()
        while True:
            watched = self._watched - gone
            heard = self._hear(ears, patient=watched <= ears.keys())
            said = os.read(self._pipe, 4096) if self._pipe in heard else b""
            ended = {process for process, ear in ears.items() if ear in heard}
            gone |= ended
            watched = set() if b"q" in said else self._watched - gone
            for process in ears.keys() - watched:
                os.close(ears.pop(process))
            if b"q" in said:
                return
            for process in watched - ears.keys():
                ear = watch(process.pid)
                if ear is not None:
                    ears[process] = ear
            # One that ended before it was watched cannot be heard.
            missed = {process for process in watched if not is_alive(process)} if b"w" in said else set()
            gone |= missed
            if b"p" in said or ended or missed or not heard:
                self._rung()

    def _hear(self, ears: Mapping[ProcessMark, int], *, patient: bool) -> set[int]:
        poller = select.poll()
        for descriptor in (self._pipe, *ears.values()):
            poller.register(descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in poller.poll(None if patient else _LOOK_AGAIN_MS)}


def _poke(folder: Path, keys: Collection[str]) -> None:
    for key in keys:
        # A run that is gone has no pipe or nobody behind it, and one whose pipe is full will look anyway.
        with suppress(OSError):
            pipe = os.open(folder / f"{key}.poke", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(pipe, b"p")
            finally:
                os.close(pipe)


def _read(table: bytes) -> list[_Row]:
    try:
        return [_from_json(row) for row in json.loads(table or b"[]")]
    except (ValueError, KeyError, TypeError):
        _log.warning("the table of runs on this computer was damaged and begins anew; each enters its claim again")
        return []


def _to_json(row: _Row) -> dict[str, Any]:
    claim, process = row.claim, row.process
    return {
        "run": claim.key,
        "pid": process.pid,
        "start": process.start,
        "boot": process.boot,
        "host": process.host,
        "held": claim.held,
        "gpus": claim.gpus,
        "want": claim.want,
        "least": claim.least,
        "since": claim.since,
        "total": row.total,
    }


def _from_json(row: dict[str, Any]) -> _Row:
    def amounts(name: str) -> Amounts:
        cpus, memory, gpus = row[name]
        return float(cpus), int(memory), int(gpus)

    return _Row(
        claim=Claim(
            key=str(row["run"]),
            held=amounts("held"),
            gpus=tuple(map(int, row["gpus"])),
            want=amounts("want"),
            least=amounts("least"),
            since=float(row["since"]),
        ),
        process=ProcessMark(pid=int(row["pid"]), start=row["start"], boot=row["boot"], host=row["host"]),
        total=amounts("total"),
    )


def _amounts(resources: Resources) -> Amounts:
    return resources.cpus, resources.memory_bytes, resources.gpus
