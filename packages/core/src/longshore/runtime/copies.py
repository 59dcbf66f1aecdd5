"""Copies of a run's journal in a bucket, from which another computer takes the run over when this one is gone.

Each controller writes one object, named by its fence, again and again: a bucket shows the old content or the new, never
half of it, and the newest controller's counts. What machines prove of attempts stays with them until it is in a copy,
so a copy may be old: machines know the rest.
"""

from __future__ import annotations

import gzip
import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from longshore.errors import FenceRefused, JournalError, LongshoreError
from longshore.model.events import AttemptEnded, Event, MembersMade, TasksAdded
from longshore.runtime.stores import Stores

__all__ = ["JournalCopies", "fetch_copy", "newest_copy", "put_copy"]

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 20.0
"""A journal that changes all the time is copied so often."""
_FOLDER = "journal"
_ENDING = ".db.gz"
_URGENT = (MembersMade, TasksAdded)
"""Of tasks that no copy knows, nothing can be proven."""


class JournalCopies:
    """Copies one run's journal, in a thread of its own, whenever it has changed."""

    def __init__(
        self, journal: Path, folder: str, fence: int, *, fail: Callable[[LongshoreError], None], stores: Stores
    ) -> None:
        """``folder`` is the URL of the run's folder; ``fail`` is told when somebody has taken the run over."""
        self._journal = journal
        self._mark = journal.with_name("copied")
        self._folder = folder
        self._fence = fence
        self._fail = fail
        self._stores = stores
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._urgent = threading.Event()
        self._closed = threading.Event()
        self._held: list[AttemptEnded] = []
        self._safe = 0
        """So many of those that are held are in the copy."""
        self._thread = threading.Thread(target=self._work, name="longshore-copies", daemon=True)

    def begin(self) -> None:
        """Copy it for the first time, before anything is asked of a machine; then whenever it has changed.

        Raises:
            FenceRefused: when a newer controller has the run.
        """
        self._copy()
        self._thread.start()

    def committed(self, events: Sequence[Event]) -> None:
        """Learn that these are in the journal."""
        if any(isinstance(event, _URGENT) for event in events):
            self._urgent.set()
        self._changed.set()

    def hold(self, event: AttemptEnded) -> None:
        """Take note of the end of an attempt that its machine has to be able to prove until a copy says it."""
        with self._lock:
            self._held.append(event)

    def safe(self) -> list[AttemptEnded]:
        """Give what need not be held any more; each once."""
        with self._lock:
            safe, self._held = self._held[: self._safe], self._held[self._safe :]
            self._safe = 0
        return safe

    def close(self) -> None:
        """Copy it for the last time; that copy stays until all was fetched."""
        self._closed.set()
        self._changed.set()
        self._urgent.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._tried()

    def _work(self) -> None:
        while not self._closed.is_set():
            self._changed.wait()
            if self._closed.is_set():
                return
            self._changed.clear()
            self._tried()
            self._urgent.wait(_PAUSE_SECONDS)
            self._urgent.clear()

    def _tried(self) -> None:
        try:
            self._copy()
        except FenceRefused as error:
            self._fail(error)

    def _copy(self) -> None:
        """Copy it now; what prevents that is told, and does not stop the run."""
        with self._lock:
            held = len(self._held)
        try:
            newest = newest_copy(self._folder, self._stores)
            # None is left when somebody has taken the run over, and has brought it to its end.
            # (Our own end empties the run's folder there before the last copy is made.)
            gone = newest is None and self._mark.exists() and not self._closed.is_set()
            if gone or (newest or 0) > self._fence:
                raise FenceRefused("another computer has taken the run over", fence=newest or 0)
            put_copy(self._journal, self._folder, self._fence, self._stores)
            self._mark.touch()
        except FenceRefused:
            raise
        except (LongshoreError, OSError) as error:
            _log.warning("the journal could not be copied to %s: %s", self._folder, error)
            return
        with self._lock:
            self._safe = held


def newest_copy(folder: str, stores: Stores) -> int | None:
    """Say which fence the newest copy of a run's journal has; None when there is none.

    Raises:
        StagingError: when the bucket does not say.
    """
    found = [url.rpartition("/")[2] for url in stores.list(f"{folder}/{_FOLDER}/*{_ENDING}")]
    fences = [int(name.removesuffix(_ENDING)) for name in found if name.removesuffix(_ENDING).isdecimal()]
    return max(fences, default=None)


def fetch_copy(folder: str, fence: int, into: Path, stores: Stores) -> None:
    """Bring a copy here, as a journal.

    Raises:
        StagingError: when it cannot be had.
        JournalError: when it is none, or there is no room here.
    """
    packed = into.with_name(f"{into.name}.gz")
    try:
        stores.fetch(_place(folder, fence), packed)
        with gzip.open(packed, "rb") as source, into.open("wb") as target:
            shutil.copyfileobj(source, target)
    except (OSError, EOFError) as error:
        raise JournalError(f"the copy of the journal in {folder} cannot be laid here: {error}") from error
    finally:
        packed.unlink(missing_ok=True)


def put_copy(journal: Path, folder: str, fence: int, stores: Stores) -> None:
    """Copy a journal under this fence, so that whoever has a lower one goes no further.

    Raises:
        StagingError: when it cannot be put there.
        JournalError: when it cannot be read.
    """
    try:
        with TemporaryDirectory(prefix=".copy-", dir=journal.parent) as aside:
            packed = Path(aside) / "packed"
            _pack(journal, Path(aside) / "whole", packed)
            stores.put(packed, _place(folder, fence))
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"{journal} cannot be copied: {error}") from error


def _place(folder: str, fence: int) -> str:
    return f"{folder}/{_FOLDER}/{fence:08d}{_ENDING}"


def _pack(journal: Path, whole: Path, packed: Path) -> None:
    source = sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(whole)) as target:
        source.backup(target)
    with whole.open("rb") as content, gzip.open(packed, "wb", compresslevel=3) as file:
        shutil.copyfileobj(content, file)
