"""A run at a glance says what its events say: at its end, while it goes on, and at each past moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from longshore import Run, load, resume, start
from longshore.errors import UsageError
from longshore.model.events import AttemptIntended
from longshore.runtime.history import RunReader
from longshore.runtime.journal import Journal, task_row
from longshore.runtime.overview import read_overview, refreshed
from longshore.runtime.past import moment_of
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin

WORKFLOW = """
name = "mixed"
[tasks.names]
command = "printf 'a\\nb\\nc\\n' > list"
[tasks.fit]
for_each.name = { lines_of = "workflow:///names/list" }
command = "test $name != b && echo > x"
outputs = ["x"]
[tasks.all]
command = "cat workflow:///fit/*/x"
[tasks.other]
for_each.n = { range = [1, 5] }
command = "true"
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run in which members came later, and one of them failed."""
    file = tmp_path_factory.mktemp("mixed") / "longshore.toml"
    file.write_text(WORKFLOW)
    loaded = load(file)
    with start(loaded.spec, loaded.folder) as running:
        running.wait(timeout=120)
    return running


def folded(reader: RunReader, until: datetime) -> Mapping[str, Counter[str]]:
    """Count the members of each task as written by their phases, from the events up to a moment."""
    state = begin(reader.workflow())
    for _, event in reader.events():
        if event.at <= until:
            apply(state, event)
    counts: dict[str, Counter[str]] = {}
    for name, task in state.tasks.items():
        counts.setdefault(name.partition("[")[0], Counter())[task.phase.value] += 1
    return counts


def test_at_each_moment_the_past_is_what_had_happened_until_then(run: Run) -> None:
    moments = sorted({event.at for _, event in run.reader().events()})
    for moment in moments:
        past = read_overview(RunReader(run.folder, until=moment))
        groups = {group.name: Counter(group.phases) for group in past.groups}
        assert groups == folded(run.reader(), moment)
        assert past.info.tasks == sum(counts.total() for counts in groups.values())
        assert past.at == moment
        assert past.info.state == ("running" if moment < moments[-1] else "failed")


def test_the_pages_of_a_past_moment_have_each_task_once(run: Run) -> None:
    moments = sorted({event.at for _, event in run.reader().events()})
    for moment in moments[:: max(1, len(moments) // 5)]:
        past = read_overview(RunReader(run.folder, until=moment))
        first = past.tasks(most=3)
        found = [task for skip in range(0, first.total, 3) for task in past.tasks(skip=skip, most=3).tasks]
        assert Counter(task.phase for task in found) == Counter(past.info.phases)
        assert len({task.id for task in found}) == len(found) == past.info.tasks


def test_tasks_are_narrowed_by_state_name_machine_and_part_of_their_ids(run: Run) -> None:
    overview = read_overview(run.reader())
    [machine] = overview.machines

    assert [task.id for task in overview.tasks(phase="failed").tasks] == ["fit[name=b]"]
    assert [task.id for task in overview.tasks(name="fit").tasks] == ["fit[name=a]", "fit[name=b]", "fit[name=c]"]
    assert [task.id for task in overview.tasks(search="n=4").tasks] == ["other[n=4]"]
    assert overview.tasks(machine=machine.row.machine).total == machine.ended == 9
    assert overview.tasks(name="fit", skip=1, most=1).tasks == overview.tasks(phase="failed").tasks
    assert overview.tasks(phase="waiting").total == 0


def test_what_is_refreshed_after_each_event_is_what_would_be_read_anew(run: Run, tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, run.reader().meta())
    state = begin(run.reader().workflow())
    seen = read_overview(RunReader(tmp_path))
    for _, event in run.reader().events():
        apply(state, event)
        journal.write([event], list(map(task_row, state.moved.values())))
        journal.commit()
        state.moved.clear()

        seen = refreshed(seen)

        assert seen == read_overview(RunReader(tmp_path))
        assert refreshed(seen) is seen
    journal.close()
    assert seen.info.state == "failed"


def test_a_run_that_goes_on_again_is_seen_to(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(f'name = "w"\n[tasks.a]\ncommand = "test -e {tmp_path}/there"\n')
    loaded = load(tmp_path / "longshore.toml")
    with start(loaded.spec, loaded.folder) as running:
        running.wait(timeout=120)
    before = read_overview(running.reader())
    (tmp_path / "there").touch()
    with resume(tmp_path, running.id, retry=True) as again:
        again.wait(timeout=120)

    after = refreshed(before)

    assert (before.info.state, after.info.state) == ("failed", "succeeded")
    assert after == read_overview(running.reader())


BEGAN = datetime(2026, 3, 14, 23, 30, 20, 500_000, tzinfo=UTC)
LAST = BEGAN + timedelta(hours=3)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("23:30:20Z", BEGAN.replace(microsecond=999_999)),
        ("23:45Z", BEGAN.replace(minute=45, second=0, microsecond=999_999)),
        ("00:15Z", datetime(2026, 3, 15, 0, 15, 0, 999_999, tzinfo=UTC)),
        ("00:15:00.25Z", datetime(2026, 3, 15, 0, 15, 0, 250_000, tzinfo=UTC)),
        ("2026-03-15 01:00+01:00", datetime(2026, 3, 15, 0, 0, 0, 999_999, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_of_day_in_the_run_or_a_date_and_a_time(text: str, meant: datetime) -> None:
    assert moment_of(text, BEGAN, LAST) == meant


@pytest.mark.parametrize("text", ["", "noon", "25:00", "2026-13-01", "22:00Z", "2025-03-14 23:45", "9999-12-31 23:59"])
def test_a_moment_that_is_none_of_the_run_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError, match="moment"):
        moment_of(text, BEGAN, LAST)


def test_what_a_connection_of_the_past_shows_is_not_written(run: Run) -> None:
    before = (run.folder / "run.db").read_bytes()
    first = next(event for _, event in run.reader().events() if isinstance(event, AttemptIntended))

    past = RunReader(run.folder, until=first.at)

    assert past.task(first.task) is not None
    assert (run.folder / "run.db").read_bytes() == before
    assert run.reader().info().state == "failed"
