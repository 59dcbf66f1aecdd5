"""By what a task is known: everything that decides what it does, and nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from longshore.model.attempt import Item
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.task import Secret, Task, TaskSpec
from longshore.scheduler.identity import fixed_part, identity, input_parts

SPEC = TaskSpec(name="fit", command=Shell("fit a.csv"), outputs=("model.json",), env={"MODE": "fast"})
TASK = Task(id="fit[year=2001]", spec=SPEC, params=(("year", "2001"),), member="2001")
ITEM = Item(path="a.csv", sha256="a" * 64, size=3, source="/home/ada/project/a.csv")


def known_by(task: Task = TASK, items: tuple[Item, ...] = (ITEM,), environment: str = "") -> str:
    fixed = fixed_part(task, task.spec.command, environment)
    return identity(task, fixed, input_parts([("a.csv", items)]))[0]


def changed(**changes: Any) -> Task:
    return evolve(TASK, spec=evolve(SPEC, **changes))


@pytest.mark.parametrize(
    "other",
    [
        changed(command=Shell("fit  a.csv")),
        changed(command=Argv(("fit", "a.csv"))),
        changed(command=Call(function="m:fit")),
        changed(command=Call(function="m:fit", arguments='{"args": [1], "kwargs": {}}')),
        changed(command=Call(function="m:fit", pickle=b"1")),
        changed(command=Call(function="m:fit", pickle=b"2")),
        changed(env={"MODE": "slow"}),
        changed(env={}),
        changed(outputs=("model.json", "log.txt")),
        changed(outputs=("model.json/",)),
        evolve(TASK, params=(("year", "2002"),)),
        evolve(TASK, params=(("month", "2001"),)),
    ],
)
def test_what_decides_what_a_task_does_decides_its_identity(other: Task) -> None:
    assert known_by(other) != known_by()


@pytest.mark.parametrize(
    "item",
    [
        evolve(ITEM, sha256="b" * 64),
        evolve(ITEM, path="b.csv"),
        evolve(ITEM, mode=0o755),
        evolve(ITEM, kind="folder"),
    ],
)
def test_content_place_mode_and_kind_of_an_input_count(item: Item) -> None:
    assert known_by(items=(item,)) != known_by()


def test_the_software_counts() -> None:
    assert known_by(environment="numpy 2") != known_by()


@pytest.mark.parametrize(
    "other",
    [
        changed(name="refit"),
        changed(needs=Resources(cpus=8)),
        changed(retry=RetryPolicy(attempts=3)),
        changed(timeout=timedelta(hours=1)),
        changed(pool="cloud"),
        changed(keep=True),
        changed(priority=5),
        changed(after=("prepare",)),
        changed(secrets={"licence.lic": Secret(file="~/licence")}),
        evolve(TASK, id="fit", member=""),
    ],
)
def test_how_and_where_a_task_runs_does_not_count(other: Task) -> None:
    assert known_by(other) == known_by()


def test_where_a_file_lies_on_this_computer_does_not_count() -> None:
    assert known_by(items=(evolve(ITEM, source="/elsewhere/a.csv"),)) == known_by()


def test_tasks_that_run_for_their_effect_are_told_apart_by_their_ids() -> None:
    tasks = [Task(id=name, spec=TaskSpec(name=name, command=Shell("true"))) for name in ("one", "two")]

    assert known_by(tasks[0]) != known_by(tasks[1])


def test_the_parts_name_what_counts() -> None:
    fixed = fixed_part(TASK, SPEC.command, "numpy 2")

    parts = json.loads(identity(TASK, fixed, input_parts([("a.csv", [ITEM])]))[1])

    assert parts == {
        "command": "fit a.csv",
        "env": {"MODE": "fast"},
        "environment": "numpy 2",
        "outputs": ["model.json"],
        "params": {"year": "2001"},
        "inputs": {"a.csv": f"{'a' * 64} 644"},
    }


def test_many_inputs_of_one_glob_are_told_by_one_digest() -> None:
    items = [evolve(ITEM, path=f"data/{number}.csv") for number in range(1000)]

    parts = input_parts([("data/*.csv", items), ("a.csv", [ITEM])])

    assert list(parts) == ["data/*.csv", "a.csv"]
    assert parts["data/*.csv"].startswith("1000 files ")
    other = input_parts([("data/*.csv", [*items[:-1], evolve(items[-1], sha256="b" * 64)])])
    assert other["data/*.csv"] != parts["data/*.csv"]


texts = st.text(st.characters(exclude_categories=[]), max_size=5)
commands = st.one_of(
    st.builds(Shell, texts.filter(bool)),
    st.builds(Argv, st.lists(texts, min_size=1, max_size=3).map(tuple)),
)
tasks = st.builds(
    lambda command, env, outputs, params: (command, env, tuple(sorted(set(outputs))), tuple(dict(params).items())),
    commands,
    st.dictionaries(texts, texts, max_size=2),
    st.lists(texts, min_size=1, max_size=2),
    st.lists(st.tuples(texts, texts), max_size=2),
)

Words = tuple[Command, dict[str, str], tuple[str, ...], tuple[tuple[str, str], ...]]


def made_of(words: Words) -> str:
    command, env, outputs, params = words
    return known_by(Task(id="t", spec=TaskSpec(name="t", command=command, env=env, outputs=outputs), params=params), ())


@given(one=tasks, other=tasks)
def test_two_tasks_have_one_identity_only_if_they_do_the_same(one: Words, other: Words) -> None:
    same = one[:3] == other[:3] and dict(one[3]) == dict(other[3])

    assert (made_of(one) == made_of(other)) == same
