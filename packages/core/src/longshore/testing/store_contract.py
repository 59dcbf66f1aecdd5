"""What every store and every observer promises, and a store that is a folder.

* T1 what was put is fetched again, byte for byte.
* T2 fetching what is not there raises a `StagingError`, and leaves nothing.
* T3 putting again replaces the object; nobody ever sees half of it.
* T4 listing gives the URLs that match, sorted, and nothing else.
* O1 an observer takes every kind of event without raising, and returns soon.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from longshore.errors import InputMissing, StagingError
from longshore.model.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    MachineAdded,
    MachineGone,
    RunContinued,
    RunEnded,
)
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost, Outcome
from longshore.model.resources import Resources
from longshore.plugin.observers import Closes, Observer
from longshore.plugin.stores import Store
from longshore.remote.copying import copy_file
from longshore.testing.contract import Contract

__all__ = ["FolderStore", "ObserverContract", "StoreContract"]

_AT = datetime(2026, 1, 1, tzinfo=UTC)


class FolderStore:
    """A store for URLs of the form ``<scheme>://<name>``, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, url: str, into: Path) -> None:
        """Bring one object here, whole or not at all.

        Raises:
            InputMissing: when there is none.
        """
        source = self._place(url)
        if not source.is_file():
            raise InputMissing(f"{url} does not exist")
        _copy(source, into)

    def put(self, path: Path, url: str) -> None:
        """Bring one file there."""
        _copy(path, self._place(url))

    def list(self, glob: str) -> Sequence[str]:
        """URLs that match, sorted."""
        scheme, _, pattern = glob.partition("://")
        names = (str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file())
        return sorted(f"{scheme}://{name}" for name in names if fnmatchcase(name, pattern))

    def _place(self, url: str) -> Path:
        return self._folder / url.partition("://")[2]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.urandom(6).hex()}"
    try:
        copy_file(str(source), str(partial), 0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class StoreContract(Contract):
    """The laws of a `longshore.plugin.Store`. Give fixtures ``store`` and ``base``: a URL, without a slash at its end,
    below which nothing is and everything may be written.
    """

    @pytest.mark.parametrize("content", [b"", b"hello\n", b"\0\xff" * 100_000], ids=["empty", "text", "large"])
    def test_T1_what_was_put_is_fetched_again(self, store: Store, base: str, tmp_path: Path, content: bytes) -> None:
        """What was put is fetched again, byte for byte."""
        (tmp_path / "ours").write_bytes(content)

        store.put(tmp_path / "ours", f"{base}/a file.txt")
        store.fetch(f"{base}/a file.txt", tmp_path / "again")

        assert (tmp_path / "again").read_bytes() == content

    def test_T2_what_is_not_there_is_said_and_leaves_nothing(self, store: Store, base: str, tmp_path: Path) -> None:
        """Fetching what is not there raises a `StagingError`, and leaves nothing."""
        with pytest.raises(StagingError):
            store.fetch(f"{base}/nothing", tmp_path / "here" / "nothing")

        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_T3_putting_again_replaces(self, store: Store, base: str, tmp_path: Path) -> None:
        """Putting again replaces the object, a longer one by a shorter one too."""
        for content in (b"long " * 1000, b"short"):
            (tmp_path / "ours").write_bytes(content)
            store.put(tmp_path / "ours", f"{base}/x")

        store.fetch(f"{base}/x", tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == b"short"

    def test_T4_listing_gives_what_matches_sorted(self, store: Store, base: str, tmp_path: Path) -> None:
        """Listing gives the URLs that match, sorted, and nothing else."""
        (tmp_path / "ours").write_bytes(b"x")
        for name in ("b.csv", "a.csv", "c.txt"):
            store.put(tmp_path / "ours", f"{base}/{name}")

        assert list(store.list(f"{base}/*.csv")) == [f"{base}/a.csv", f"{base}/b.csv"]
        assert list(store.list(f"{base}/*.nothing")) == []


class ObserverContract(Contract):
    """The laws of a `longshore.plugin.Observer`. Give a fixture ``observer``."""

    seconds = 10.0
    """How long it may take for a handful of events; far more than it should."""

    def test_O1_every_event_is_taken(self, observer: Observer) -> None:
        """It takes events without raising, and returns soon."""
        raised: list[Exception] = []

        def notice() -> None:
            try:
                for event in _events():
                    observer.notice(event)
            except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
                raised.append(error)

        telling = threading.Thread(target=notice, daemon=True)
        telling.start()
        telling.join(self.seconds)

        assert raised == []
        assert not telling.is_alive(), f"it has not returned after {self.seconds:g} s"
        if isinstance(observer, Closes):
            observer.close()


def _events() -> Sequence[Event]:
    ends: Sequence[tuple[Outcome, FailureClass | None]] = [
        (Exited(0), None),
        (Exited(1), FailureClass.USER_CODE),
        (Lost("x"), FailureClass.MACHINE_LOST),
    ]
    return [
        RunContinued(at=_AT, fence=1),
        MachineAdded(at=_AT, machine="m", pool="p", resources=Resources()),
        AttemptStarted(at=_AT, task="t", attempt=1),
        *(AttemptEnded(at=_AT, task="t", attempt=1, outcome=outcome, failure=failure) for outcome, failure in ends),
        AttemptEnded(at=_AT, task="t[x=ü]", attempt=2, outcome=Cancelled()),
        MachineGone(at=_AT, machine="m", reason="x"),
        RunEnded(at=_AT, state="failed"),
    ]
