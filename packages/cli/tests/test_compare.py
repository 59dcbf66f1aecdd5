"""``longshore runs diff`` says what ran again and why; ``-P`` runs with other parameters."""

from __future__ import annotations

import pytest

from .harness import Project

FLOW = """\
name = "w"
[params]
rate = 2
[tasks.fit]
for_each.n = [1, 2, 3]
command = "test $n != 3 || test $rate != 3; echo $n > x.txt"
outputs = ["x.txt"]
[tasks.rate]
command = "echo $rate > r.txt"
outputs = ["r.txt"]
"""


@pytest.fixture
def runs(project: Project) -> tuple[Project, str, str]:
    """Two runs of a workflow whose parameter and members differ."""
    project.write(FLOW)
    first = project.call("run", "--json").json["run"]
    project.write(FLOW.replace("[1, 2, 3]", "[2, 3, 4]"))
    second = project.call("run", "--new", "-P", "rate=4", "--json").json["run"]
    return project, first, second


def test_tasks_that_ran_again_are_told_with_their_reason_and_those_of_one_run_alone(
    runs: tuple[Project, str, str],
) -> None:
    project, first, second = runs
    found = project.call("runs", "diff", first, second, "--json").json

    assert (found["first"]["run"], found["second"]["run"]) == (first, second)
    assert (found["first"]["ran"], found["second"]["ran"]) == (4, 4)
    assert found["params"] == {"rate": ["2", "4"]}
    assert {each["task"]: each["why"] for each in found["tasks"]} == {
        "fit[n=1]": "it is in the first run only",
        "fit[n=2]": "params.rate changed",
        "fit[n=3]": "params.rate changed",
        "fit[n=4]": "it had never succeeded",
        "rate": "params.rate changed",
    }
    assert found["seconds"] == pytest.approx(found["second"]["seconds"] - found["first"]["seconds"])
    assert found["costs"] == {}


def test_the_latest_run_is_the_second_when_none_is_named_and_what_is_alike_is_counted(
    runs: tuple[Project, str, str],
) -> None:
    project, _, second = runs
    project.call("run", "-P", "rate=4")

    out = project.call("runs", "diff", second).out

    assert out.endswith("0 tasks ran again or ended otherwise, 4 did not\n")
    assert "WHY" not in out


def test_a_parameter_of_a_for_each_runs_this_member_alone(project: Project) -> None:
    project.write(FLOW)

    assert project.call("run", "-P", "n=2", "--json").json["phases"] == {"succeeded": 2}
    assert "did you mean" in project.call("run", "--new", "-P", "rat=2", code=2).err
    assert "'n' has no such value" in project.call("plan", "-P", "n=7", code=2).err
