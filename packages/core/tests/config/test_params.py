"""Parameters of a workflow: who sees them, and what the command line may put in their place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from longshore import Param, Workflow, load
from longshore.config.load import Loaded
from longshore.config.resolve import resolve
from longshore.errors import ConfigError, UsageError
from longshore.model.task import TaskSpec, Values
from longshore.scheduler.graph import expand
from longshore.scheduler.narrow import only_values

Read = Callable[..., Loaded]

PARAMS = """
name = "w"
[params]
year = 2001
rate = 1.5
fast = true
label = "a b"
[tasks.shell]
command = 'echo $year "${label}" $other'
[tasks.named]
command = ["fit"]
params = ["rate"]
[tasks.file]
command = "true"
inputs = ["data/$year.csv"]
[tasks.call]
call = "json:dumps"
args = [{ "$param" = "fast" }]
[tasks.none]
command = "true"
[tasks.members]
for_each.n = [1, 2]
command = "echo $n $rate"
"""


def task(loaded: Loaded, name: str) -> TaskSpec:
    found = loaded.spec.task(name)
    assert found is not None
    return found


def test_a_parameter_reaches_the_tasks_that_speak_of_it_and_no_others(read: Read) -> None:
    loaded = read(PARAMS, {"data/2001.csv": ""})

    assert {each.name: dict(each.params) for each in loaded.spec.tasks} == {
        "shell": {"year": "2001", "label": "a b"},
        "named": {"rate": "1.5"},
        "file": {"year": "2001"},
        "call": {"fast": "true"},
        "none": {},
        "members": {"rate": "1.5"},
    }


def test_members_have_their_own_parameters_and_are_named_by_these_alone(read: Read) -> None:
    members = expand(task(read(PARAMS), "members"))

    assert [(each.id, each.member, each.params) for each in members] == [
        ("members[n=1]", "1", (("n", "1"), ("rate", "1.5"))),
        ("members[n=2]", "2", (("n", "2"), ("rate", "1.5"))),
    ]


def test_the_command_line_replaces_values_by_others_of_their_kind(read: Read, folder: Path) -> None:
    read(PARAMS)

    chosen = load(folder, params=["year= 1999", "rate=2", "fast=False", "label=x=y"])

    assert chosen.spec.params == {"year": "1999", "rate": "2.0", "fast": "false", "label": "x=y"}


@pytest.mark.parametrize(
    ("word", "says", "remedy"),
    [
        ("yaer=1", "no parameter 'yaer'", "did you mean 'year'?"),
        ("year=1.5", "'year' is a whole number, as in 2001", "write it so"),
        ("rate=x", "'rate' is a number, as in 1.5", "write it so"),
        ("fast=1", "'fast' is true or false, as in true", "write it so"),
        ("year", "no NAME=VALUE", "-P year=2001"),
        ("=1", "no NAME=VALUE", "-P year=2001"),
    ],
)
def test_a_word_that_fits_no_parameter_is_refused_with_what_would_do(
    read: Read, folder: Path, word: str, says: str, remedy: str
) -> None:
    read(PARAMS)

    with pytest.raises(ConfigError) as caught:
        load(folder, params=[word])

    [problem] = caught.value.problems
    assert problem.place == "the command line"
    assert says in problem.message
    assert remedy in problem.remedy


def test_a_value_of_a_for_each_is_kept_alone_and_the_others_are_named_when_it_is_none(read: Read, folder: Path) -> None:
    read('name = "w"\n[tasks.fit]\nfor_each.year = { range = [2001, 2005] }\ncommand = "true"\n')

    loaded = load(folder, params=["year=2003"])
    spec = resolve(loaded.spec, loaded.folder)

    assert loaded.chosen == {"year": "2003"}
    assert only_values(spec, loaded.chosen).tasks[0].for_each[0].source == Values(("2003",))
    with pytest.raises(UsageError, match=r"'year' has no such value; did you mean 200"):
        only_values(spec, {"year": "200"})


def test_a_program_declares_parameters_and_gives_them_to_calls(tmp_path: Path) -> None:
    flow = Workflow("w", params={"rate": 1.5})
    flow.shell("a", "echo $rate")
    flow.call(print, Param("rate"), name="b")

    assert [dict(each.params) for each in flow.spec(tmp_path).tasks] == [{"rate": "1.5"}, {"rate": "1.5"}]
