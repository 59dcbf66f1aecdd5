"""A run is played beforehand with what the project knows: its records, its machines, what is up to date."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from longshore import Assumptions, ConfigError, VirtualMachine, load, simulate, start
from longshore.errors import PluginClash, PluginMissing, UsageError
from longshore.model.resources import Resources
from longshore.model.workflow import StrategySpec
from longshore.runtime.durations import read_durations
from longshore.runtime.options import RunOptions
from longshore.runtime.simulating import Simulated

from .conftest import Install
from .test_strategy_faults import FAULTY

CHAIN = """
name = "chain"
[tasks.a]
command = "echo 1 > out; echo x >> names; echo y >> names"
outputs = ["out", "names"]
[tasks.b]
command = "cat workflow:///a/out > out"
outputs = ["out"]
[tasks.c]
for_each.k = { lines_of = "workflow:///a/names" }
command = "cat workflow:///b/out; test $k = x || test $k = y"
"""
TEN_EACH = Assumptions(seconds=10.0)
TWO = tuple(VirtualMachine(id=name, pool="local", resources=Resources(cpus=2)) for name in "ab")

Playing = Callable[..., Simulated]


@pytest.fixture
def playing(tmp_path: Path) -> Playing:
    def played(
        text: str, assumptions: Assumptions | None = None, *names: str, cache: bool = True, jobs: int | None = None
    ) -> Simulated:
        (tmp_path / "longshore.toml").write_text(text)
        loaded = load(tmp_path)
        strategies = [StrategySpec(name=name) for name in names]
        return simulate(loaded.spec, loaded.folder, strategies, assumptions, RunOptions(cache=cache, jobs=jobs))

    return played


def execute(folder: Path) -> dict[str, timedelta | None]:
    """Run the workflow for real, and give how long its attempts took."""
    loaded = load(folder)
    with start(loaded.spec, loaded.folder) as run:
        assert run.wait(timeout=120) == "succeeded"
    return {attempt.task: attempt.duration for attempt in run.reader().attempts()}


def test_without_records_a_duration_must_be_told(playing: Playing) -> None:
    with pytest.raises(UsageError, match="--seconds"):
        playing(CHAIN)

    done = playing(CHAIN, TEN_EACH)

    assert done.runs[0].makespan == timedelta(seconds=30)
    assert done.unknown == ("a", "b", "c")
    assert (done.tasks, done.up_to_date) == (3, 0)


def test_tasks_take_as_long_as_they_did_and_members_are_those_that_were_made(playing: Playing, tmp_path: Path) -> None:
    playing(CHAIN, TEN_EACH)
    took = execute(tmp_path)

    done = playing(CHAIN, None, cache=False, jobs=1)

    (played,) = done.runs
    assert {stay.task: stay.end - stay.begin for stay in played.attempts} == took
    assert set(took) == {"a", "b", "c[k=x]", "c[k=y]"}
    assert done.unknown == ()


def test_what_is_up_to_date_is_not_played(playing: Playing, tmp_path: Path) -> None:
    playing(CHAIN, TEN_EACH)
    execute(tmp_path)

    done = playing(CHAIN.replace("cat workflow:///a/out > out", "cat workflow:///a/out > out; true"))

    assert done.up_to_date == 1
    assert sorted(stay.task for stay in done.runs[0].attempts) == ["b", "c[k=x]", "c[k=y]"]


def test_what_is_told_of_a_task_counts_more_than_of_all_its_members_and_both_more_than_records(
    playing: Playing, tmp_path: Path
) -> None:
    playing(CHAIN, TEN_EACH)
    execute(tmp_path)
    told = Assumptions(durations={"c": 100.0, "c[k=y]": 300.0, "a": 7.0})

    (played,) = playing(CHAIN, told, cache=False).runs

    lasts = {stay.task: (stay.end - stay.begin).total_seconds() for stay in played.attempts}
    assert (lasts["a"], lasts["c[k=x]"], lasts["c[k=y]"]) == (7.0, 100.0, 300.0)
    assert lasts["b"] < 7.0


def test_tasks_of_which_nothing_is_known_take_as_long_as_the_others_on_average(playing: Playing) -> None:
    done = playing(CHAIN, Assumptions(durations={"a": 10.0, "b": 20.0}))

    assert (done.unknown, done.assumed_seconds) == (("c",), 15.0)
    assert done.runs[0].makespan == timedelta(seconds=45)


WIDE = 'name = "wide"\n[tasks.t]\nfor_each.n = { range = [1, 6] }\ncommand = "true"\nneeds = { cpus = 2 }\n'


def test_strategies_are_compared_on_the_machines_that_are_assumed(playing: Playing) -> None:
    done = playing(WIDE, Assumptions(seconds=10.0, machines=TWO), "spread", "first-fit")

    assert [played.strategy for played in done.runs] == ["spread", "first-fit"]
    assert {played.makespan for played in done.runs} == {timedelta(seconds=30)}
    assert [use.machine.id for use in done.runs[0].machines] == ["a", "b"]


def test_what_fits_on_no_machine_that_is_assumed_is_refused(playing: Playing) -> None:
    with pytest.raises(ConfigError) as raised:
        playing(WIDE.replace("cpus = 2", "cpus = 3"), Assumptions(seconds=10.0, machines=TWO))

    assert [problem.key for problem in raised.value.problems] == ["tasks.t.needs"]


def test_a_machine_in_a_pool_that_nobody_uses_is_refused(playing: Playing) -> None:
    stray = VirtualMachine(id="a", pool="clodu", resources=Resources(cpus=2))

    with pytest.raises(ConfigError) as raised:
        playing(WIDE, Assumptions(seconds=1.0, machines=(stray,)))

    assert raised.value.problems[0].key == "pools.clodu"


def test_a_strategy_that_is_missing_twice_there_or_faulty_is_named(playing: Playing, install: Install) -> None:
    with pytest.raises(PluginMissing, match="'spred'"):
        playing(WIDE, TEN_EACH, "spred")
    install("dist", "strategy.faulty", FAULTY.format(answer="return None"))
    with pytest.raises(Exception, match=r"the strategy 'faulty' of dist 1\.5 must answer"):
        playing(WIDE, Assumptions(seconds=1.0, machines=TWO), "first-fit", "faulty")
    install("another", "strategy.faulty", FAULTY.format(answer="return []"))
    with pytest.raises(PluginClash, match=r"another and by dist|dist and by another"):
        playing(WIDE, TEN_EACH, "faulty")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("d.json", '{"a": 12.5, "c[k=x]": "2 min", "b": 0}', {"a": 12.5, "c[k=x]": 120.0, "b": 0.0}),
        ("d.csv", "task,seconds\na,12.5\n\nc[k=x], 2 min\n", {"a": 12.5, "c[k=x]": 120.0}),
        ("d.csv", '"c[k=x]","1 h"\r\nb,3e2\r\n', {"c[k=x]": 3600.0, "b": 300.0}),
        ("d.csv", "", {}),
    ],
)
def test_durations_are_read_from_json_and_csv(tmp_path: Path, name: str, text: str, expected: dict[str, float]) -> None:
    (tmp_path / name).write_text(text)

    assert read_durations(tmp_path / name, ["a", "b", "c", "c[k=x]"]) == expected


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a,1\nbb,2\n", ":2", "there is no task 'bb'"),
        ("a,-1\n", ":1", "no time that a task can take"),
        ("a,nan\n", ":1", "no time that a task can take"),
        ("a,soon\n", ":1", "'soon' is no duration"),
        ("a,1,2\n", ":1", "3 columns"),
        ('{"a": true}', "", "true is no duration"),
        ('{"a": null}', "", "is no duration"),
        ('{"a": 1', ":1", "not JSON"),
        ("[1]", "", "holds no object"),
        ("a,\udcff", "", "not UTF-8"),
    ],
)
def test_a_mistake_in_a_file_of_durations_is_said_with_its_place(
    tmp_path: Path, text: str, line: str, says: str
) -> None:
    file = tmp_path / "d"
    file.write_bytes(text.encode(errors="surrogateescape"))

    with pytest.raises(ConfigError) as raised:
        read_durations(file, ["a", "b"])

    (problem,) = raised.value.problems
    assert problem.place == f"{file}{line}"
    assert says in problem.message
    assert problem.remedy
