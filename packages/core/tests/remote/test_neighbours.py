"""Supervisors that share a computer: no more is used than there is, and who has waited longest is next."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.remote.neighbours import Neighbours, Use

SECONDS = 120.0
NOTHING = Use(0.0, 0, [])
GPUS = ["0", "1"]


class Loop:
    """A `longshore.remote.watch.Watch` that goes on when it is told, and takes no signals."""

    def __init__(self) -> None:
        self._handles: dict[int, Callable[[int], None]] = {}
        self._due: list[Callable[[], None]] = []

    def add(self, handle: int, act: Callable[[int], None], _events: int = select.POLLIN) -> None:
        self._handles[handle] = act

    def remove(self, handle: int) -> None:
        del self._handles[handle]

    def after(self, _seconds: float, act: Callable[[], None]) -> Loop:
        self._due.append(act)
        return self

    def cancel(self) -> None:
        self._due.clear()

    def when_over(self, pid: int, act: Callable[[], None]) -> None:
        assert pid == os.getpid(), "all live in this process"

    def turn(self) -> None:
        due, self._due = self._due, []
        for act in due:
            act()
        for handle in select.select(list(self._handles), [], [], 0.05)[0]:
            self._handles[handle](select.POLLIN)


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path)
    yield crowd
    crowd.leave()


class Crowd:
    """Supervisors on one computer, in their order, each with a loop of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loops: list[Loop] = []
        self._all: list[Neighbours] = []

    def join(self, folder: Path | None = None) -> Neighbours:
        self._loops.append(Loop())
        one = Neighbours(self._loops[-1])  # type: ignore[arg-type]  # as much of a loop as it needs
        one.join(str(folder or self.folder), 4.0, 100)
        self._all.append(one)
        return one

    def until(self, look: Callable[[], bool]) -> None:
        """Let all loops go on until something is so."""
        deadline = time.monotonic() + SECONDS
        while not look():
            assert time.monotonic() < deadline
            for loop in self._loops:
                loop.turn()

    def leave(self) -> None:
        for one in self._all:
            one.leave()


def test_who_is_alone_has_all_and_who_comes_gets_what_is_left(crowd: Crowd) -> None:
    first, second = crowd.join(), crowd.join()
    assert first.grant(NOTHING, 3.0, 10, 0, GPUS) == []
    used = Use(3.0, 10, [])

    assert second.grant(NOTHING, 1.0, 10, 0, GPUS) is None

    def goes_on() -> bool:
        first.settle(used, waiting=False)
        return second.grant(NOTHING, 1.0, 10, 0, GPUS) == []

    crowd.until(goes_on)
    assert first.grant(used, 1.0, 10, 0, GPUS) is None
    assert second.grant(Use(1.0, 10, []), 0.5, 0, 0, GPUS) is None, "the other has waited for longer"


def test_who_has_waited_longest_is_next(crowd: Crowd) -> None:
    first, second, third = (crowd.join() for _ in range(3))
    second.grant(NOTHING, 0.5, 0, 0, GPUS)
    third.grant(NOTHING, 0.5, 0, 0, GPUS)
    little = Use(0.5, 0, [])

    def shared() -> bool:
        second.settle(little, waiting=False)
        return third.grant(little, 0.0, 0, 0, GPUS) == []

    crowd.until(shared)
    third.settle(little, waiting=False)
    assert first.grant(NOTHING, 4.0, 0, 0, GPUS) is None

    assert second.grant(little, 0.5, 0, 0, GPUS) is None, "it fits, but another one has waited"

    third.changed()
    third.settle(NOTHING, waiting=False)
    second.changed()
    second.settle(NOTHING, waiting=False)
    assert first.grant(NOTHING, 4.0, 0, 0, GPUS) == []


def test_gpus_are_given_to_one_at_a_time(crowd: Crowd) -> None:
    first, second = crowd.join(), crowd.join()
    assert first.grant(NOTHING, 1.0, 0, 1, GPUS) == ["0"]
    used = Use(1.0, 0, ["0"])
    given: list[list[str] | None] = []

    def goes_on() -> bool:
        first.settle(used, waiting=False)
        given.append(second.grant(NOTHING, 1.0, 0, 1, GPUS))
        return given[-1] is not None

    crowd.until(goes_on)
    assert given[-1] == ["1"]


def test_who_leaves_gives_all_back_and_a_damaged_table_begins_anew(crowd: Crowd) -> None:
    first, second = crowd.join(), crowd.join()
    first.grant(NOTHING, 4.0, 0, 0, GPUS)
    assert second.grant(NOTHING, 4.0, 0, 0, GPUS) is None

    first.leave()

    assert second.grant(NOTHING, 4.0, 0, 0, GPUS) == []
    second.leave()
    (crowd.folder / "table").write_text("nonsense")
    assert crowd.join().grant(NOTHING, 4.0, 0, 0, GPUS) == []


def test_where_nothing_can_be_written_each_has_all(crowd: Crowd) -> None:
    (crowd.folder / "file").touch()

    for each in [crowd.join(crowd.folder / "file" / "folder") for _ in range(2)]:
        assert each.grant(NOTHING, 4.0, 0, 2, GPUS) == ["0", "1"]
