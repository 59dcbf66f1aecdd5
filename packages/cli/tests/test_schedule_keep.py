"""`longshore schedule keep`: schedules where there is neither systemd nor cron."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_cli.scheduling.entry import Entry
from longshore_cli.scheduling.keeping import due, seen_until
from longshore_cli.scheduling.when import parse_when

from .harness import SECONDS, Project, wait_for

_FAKED = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
_MOMENTS = st.integers(0, 14 * 24 * 60).map(lambda n: datetime(2026, 3, 14, tzinfo=UTC) + timedelta(minutes=n))
_TIMES = st.sampled_from(["02:30", "Mon-Fri 18:00", "every 15 min", "every 2 h", "at boot"])


@contextmanager
def _kept(project: Project) -> Iterator[subprocess.Popen[str]]:
    """Keep schedules meanwhile, with neither systemd nor cron in reach."""
    project.write(f'name = "pv"\n[tasks.t]\ncommand = "touch {project.folder}/began; sleep 1000"\n')
    keeper = project.begin("schedule", "keep")
    try:
        assert keeper.stderr is not None
        assert "until Ctrl-C" in keeper.stderr.readline()
        yield keeper
    finally:
        keeper.terminate()
        keeper.communicate(timeout=SECONDS)


def _says(keeper: subprocess.Popen[str], words: str) -> None:
    """Wait until it says so."""
    assert keeper.stderr is not None
    while words not in (line := keeper.stderr.readline()):
        assert line, f"it ended and has never said {words!r}"


def test_what_is_scheduled_while_somebody_keeps_schedules_is_left_to_them(project: Project) -> None:
    with _kept(project):
        added = project.call("schedule", "add", "nightly", "02:30", "run", "--yes")
        assert "by longshore; next" in added.out
        project.call("schedule", "add", "nightly", "03:30", "run", "--yes")
    [listed] = project.call("schedule", "list", "--json").json["schedules"]
    assert (listed["name"], listed["when"], listed["by"]) == ("nightly", "03:30", "longshore")
    project.call("schedule", "rm", "nightly")
    assert project.call("schedule", "list", "--json").json["schedules"] == []


def test_what_is_due_at_boot_begins_with_the_keeper_and_ends_with_it(project: Project) -> None:
    with _kept(project):
        project.call("schedule", "add", "first", "at boot", "run")
    with _kept(project) as keeper:
        _says(keeper, "first is started")
        wait_for(project.folder / "began")
    assert project.call("status", "--json", code=None).json["state"] == "unfinished"


@pytest.mark.skipif(not _FAKED, reason="libfaketime is not installed")
def test_a_schedule_is_started_when_its_time_comes_also_one_that_is_made_meanwhile(project: Project) -> None:
    project.env.update({"LD_PRELOAD": str(_FAKED[0]), "FAKETIME": "@2026-03-14 02:29:55", "TZ": "UTC"})
    with _kept(project) as keeper:
        del project.env["LD_PRELOAD"]
        project.call("schedule", "add", "nightly", "every 1 min", "gc")
        _says(keeper, "nightly is started")
        _says(keeper, "nightly has ended")


def test_only_one_keeps_schedules(project: Project) -> None:
    with _kept(project):
        assert "is at it already" in project.call("schedule", "keep", code=2).err


@given(_TIMES, st.lists(_MOMENTS, min_size=2, max_size=20).map(sorted))
def test_every_time_that_has_come_is_seen_once_however_long_is_slept(when: str, wakes: list[datetime]) -> None:
    entry = Entry(name="e", when=parse_when(when), words=("gc",), folder=Path("/"))
    seen, started = wakes[0], 0
    expected, moment = 0, wakes[0]
    for now in wakes[1:]:
        started += len(due([entry], seen, now))
        seen = seen_until(seen, now)
        following = entry.when.after(moment)
        expected += following is not None and following <= now
        moment = now
    assert started == expected


@given(_MOMENTS, st.timedeltas(timedelta(0), timedelta(minutes=179)))
def test_a_clock_that_is_set_back_a_little_has_nothing_done_twice(now: datetime, back: timedelta) -> None:
    entry = Entry(name="e", when=parse_when("every 15 min"), words=("gc",), folder=Path("/"))
    assert due([entry], seen_until(now, now - back), now) == []


def test_a_clock_that_is_set_back_by_days_does_not_stop_everything() -> None:
    now = datetime(2026, 3, 14, tzinfo=UTC)
    assert seen_until(now, now - timedelta(days=3)) == now - timedelta(days=3)
