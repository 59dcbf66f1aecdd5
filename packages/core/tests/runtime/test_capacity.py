"""Runs of one user share this computer, across processes and their deaths, without looking again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from longshore.model.resources import Resources
from longshore.runtime.capacity import Capacity, Grant, capacity_folder

SECONDS = 120.0
TOTAL = Resources(cpus=4, memory_bytes=1000, gpus=2)
NONE = Resources(cpus=0)


def cpus(amount: float) -> Resources:
    return Resources(cpus=amount)


class Run:
    """A run as far as capacity is concerned."""

    def __init__(self, capacity: Capacity, poked: Event) -> None:
        self.capacity = capacity
        self.poked = poked

    def ask(self, want: float, using: float = 0, least: float = 1) -> float:
        return self.grant(want, using, least).resources.cpus

    def grant(self, want: float, using: float = 0, least: float = 1) -> Grant:
        self.poked.clear()
        return self.capacity.ask(using=cpus(using), want=cpus(want), least=cpus(least))

    def is_poked(self) -> bool:
        return self.poked.wait(SECONDS)


@contextmanager
def running(folder: Path) -> Iterator[Run]:
    poked = Event()
    with Capacity(TOTAL, poked.set, folder) as capacity:
        yield Run(capacity, poked)


HOLD = """
import sys
from pathlib import Path
from longshore.model.resources import Resources
from longshore.runtime.capacity import Capacity
total = Resources(cpus=4, memory_bytes=1000, gpus=2)
with Capacity(total, lambda: None, Path(sys.argv[1])) as capacity:
    print(capacity.ask(using=total, want=total, least=total).resources.cpus, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "4.0\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def test_a_run_alone_has_the_whole_computer(tmp_path: Path) -> None:
    with Capacity(TOTAL, Event().set, tmp_path) as capacity:
        grant = capacity.ask(using=NONE, want=TOTAL, least=cpus(1))

    assert grant == Grant(resources=TOTAL, gpus=(0, 1), contended=False)


def test_two_processes_never_have_more_than_there_is(tmp_path: Path) -> None:
    with another_process(tmp_path), running(tmp_path) as run:
        assert run.ask(4) == 0


def test_a_run_that_ends_wakes_the_one_that_waits(tmp_path: Path) -> None:
    with another_process(tmp_path) as other, running(tmp_path) as run:
        assert run.ask(4) == 0
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()

        assert run.is_poked()
        assert run.ask(4) == 4


def test_a_run_that_is_killed_wakes_the_one_that_waits(tmp_path: Path) -> None:
    with another_process(tmp_path) as other, running(tmp_path) as run:
        assert run.ask(4) == 0
        other.kill()

        assert run.is_poked()
        assert run.ask(4) == 4


def test_what_a_dead_run_held_is_free_when_somebody_asks(tmp_path: Path) -> None:
    with another_process(tmp_path) as other:
        other.kill()
        other.wait(SECONDS)

    with running(tmp_path) as run:
        assert run.ask(4) == 4


def test_a_run_that_has_too_much_is_told_and_shares_as_its_attempts_end(tmp_path: Path) -> None:
    with running(tmp_path) as first, running(tmp_path) as second:
        assert first.ask(4) == 4
        assert second.ask(4) == 0
        assert first.is_poked()

        grant = first.grant(4, using=3)
        assert grant.contended
        assert grant.resources.cpus == 3
        assert second.is_poked()
        assert second.ask(4) == 1


def test_a_run_that_wants_less_lets_the_others_know(tmp_path: Path) -> None:
    with running(tmp_path) as first, running(tmp_path) as second:
        first.ask(4)
        second.ask(4)

        assert first.ask(1, using=1) == 1

        assert second.is_poked()
        assert second.ask(4) == 3


def test_two_runs_of_one_process_are_two_runs(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        with running(tmp_path) as second:
            assert second.ask(3) == 3
            assert first.ask(4) == 1
        assert first.is_poked()
        assert first.ask(4, using=1) == 4


def test_nothing_is_left_when_all_have_ended(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        run.ask(4)

    assert json.loads((tmp_path / "capacity.json").read_text()) == []
    assert list(tmp_path.glob("*.poke")) == []


@pytest.mark.parametrize("damage", ["", "{", "[1]", '[{"run": 1}]', "\0" * 100])
def test_a_damaged_table_begins_anew(tmp_path: Path, damage: str) -> None:
    with running(tmp_path) as run:
        run.ask(4)
        (tmp_path / "capacity.json").write_text(damage)

        assert run.ask(4, using=4) == 4
        with running(tmp_path) as other:
            assert other.ask(4) == 0


def test_without_a_place_to_meet_each_run_has_all_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()

    with running(tmp_path / "file" / "folder") as run:
        assert run.ask(4) == 4
        assert run.ask(4) == 4

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "cannot find each other" in caplog.text


def test_desktop_and_cron_meet_in_one_folder(tmp_path: Path) -> None:
    desktop = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/home/ada"}

    assert capacity_folder(desktop) == tmp_path / "longshore"
    if not Path(f"/run/user/{os.geteuid()}").is_dir():
        host = os.uname().nodename
        assert capacity_folder({"HOME": "/home/ada"}) == Path("/home/ada/.local/state/longshore/computers") / host
        state = {"XDG_STATE_HOME": "/state", "XDG_RUNTIME_DIR": "/nowhere"}
        assert capacity_folder(state) == Path("/state/longshore/computers") / host
