"""The kit's store, observer and clock, and mutants of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longshore.model.events import Event
from longshore.plugin.observers import Observer
from longshore.plugin.stores import Store
from longshore.testing import FolderStore, ManualClock, ObserverContract, StoreContract


class TestFolderStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path_factory: pytest.TempPathFactory) -> Store:
        return FolderStore(tmp_path_factory.mktemp("store"))

    @pytest.fixture
    def base(self) -> str:
        return "folder://here"


class Collects:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[Event] = []

    def notice(self, event: Event) -> None:
        self.seen.append(event)


class TestCollects(ObserverContract):
    @pytest.fixture
    def observer(self) -> Observer:
        return Collects()


class Cuts(FolderStore):
    def put(self, path: Path, url: str) -> None:
        super().put(path, url)
        self._place(url).write_bytes(path.read_bytes()[:1000])


class LeavesEmpty(FolderStore):
    def fetch(self, url: str, into: Path) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        into.touch()
        super().fetch(url, into)


class KeepsTheFirst(FolderStore):
    def put(self, path: Path, url: str) -> None:
        if not self._place(url).exists():
            super().put(path, url)


class Unsorted(FolderStore):
    def list(self, glob: str) -> Sequence[str]:
        return list(super().list(glob))[::-1]


class Raises(Collects):
    def notice(self, event: Event) -> None:
        raise KeyError(event)


LAWS = StoreContract()
MUTANTS: list[tuple[type[FolderStore], Callable[..., None]]] = [
    (LeavesEmpty, LAWS.test_T2_what_is_not_there_is_said_and_leaves_nothing),
    (KeepsTheFirst, LAWS.test_T3_putting_again_replaces),
    (Unsorted, LAWS.test_T4_listing_gives_what_matches_sorted),
]


@pytest.mark.parametrize(("mutant", "law"), MUTANTS)
def test_a_store_that_breaks_a_law_is_caught_by_it(
    mutant: type[FolderStore], law: Callable[..., None], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(AssertionError):
        law(mutant(tmp_path_factory.mktemp("store")), "folder://here", tmp_path)


def test_a_store_that_cuts_files_is_caught(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(AssertionError):
        LAWS.test_T1_what_was_put_is_fetched_again(
            Cuts(tmp_path_factory.mktemp("store")), "folder://here", tmp_path, b"x" * 2000
        )


def test_an_observer_that_raises_is_caught() -> None:
    with pytest.raises(AssertionError, match="KeyError"):
        ObserverContract().test_O1_every_event_is_taken(Raises())


def test_two_processes_see_one_clock(tmp_path: Path) -> None:
    clock = ManualClock(tmp_path / "clock")
    program = (
        "import sys; from datetime import timedelta; from pathlib import Path; "
        "from longshore.testing.clock import ManualClock; ManualClock(Path(sys.argv[1])).advance(timedelta(hours=1))"
    )

    subprocess.run([sys.executable, "-c", program, str(tmp_path / "clock")], check=True, timeout=120)

    assert clock.now() == datetime(2026, 1, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(timedelta(seconds=-1))
