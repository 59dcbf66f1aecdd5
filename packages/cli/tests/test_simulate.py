"""`longshore plan` plays a run beforehand and compares strategies."""

from __future__ import annotations

import pytest

from .harness import Project

SIZES = """
name = "sizes"
[tasks.big]
for_each.n = { range = [1, 4] }
command = "true"
needs = { cpus = 8 }
[tasks.small]
for_each.n = { range = [1, 8] }
command = "true"
needs = { cpus = 2 }
"""
MACHINES = ("--machine", "cpus = 8, count = 2, price = '0.36 USD'", "--machine", "cpus = 16")


def test_strategies_are_compared_in_a_table(project: Project) -> None:
    project.write(SIZES)

    out = project.call("plan", "--strategy", "first-fit,spread", *MACHINES, "--seconds", "10").out

    lines = out.splitlines()
    assert lines[0].split() == "STRATEGY MAKESPAN COST CPUS IN USE LEAST BUSY MOST BUSY".split()
    assert [line.split()[0] for line in lines[1:3]] == ["first-fit", "spread"]
    assert "20 s  0.00 USD       75.0 %" in lines[1]
    assert "workflow sizes: 12 tasks on 3 machines, simulated" in out
    assert "nobody knows how long big, small takes; 10 s each are assumed" in out


def test_the_same_comparison_as_json_is_the_same_each_time(project: Project) -> None:
    project.write(SIZES)
    words = ("plan", "--strategy", "random,cheapest", *MACHINES, "--seconds", "10", "--json")

    document, again = project.call(*words).json, project.call(*words).json

    assert document == again
    assert (document["workflow"], document["total"], document["unknown"]) == ("sizes", 12, ["big", "small"])
    cheapest = document["strategies"][1]
    assert (cheapest["strategy"], cheapest["state"], cheapest["attempts"]) == ("cheapest", "succeeded", 12)
    assert cheapest["costs"] == [{"amount": "0.004000", "currency": "USD"}]
    assert sum(machine["attempts"] for machine in cheapest["machines"]) == 12
    assert [machine["cost"] is None for machine in cheapest["machines"]] == [False, False, True]


def test_verbose_shows_each_machine_and_quiet_the_table_alone(project: Project) -> None:
    project.write(SIZES)
    words = ("plan", "--simulate", *MACHINES, "--seconds", "10")

    assert "machine-3  local    16" in project.call(*words, "-v").out
    assert len(project.call(*words, "-q").out.splitlines()) == 2


def test_durations_come_from_a_file_or_from_what_was_recorded(project: Project) -> None:
    project.write(SIZES.replace("cpus = 8", "cpus = 1").replace("cpus = 2", "cpus = 1"))
    project.write("task,seconds\nbig,1 min\nsmall,30\n", "durations.csv")
    words = ("--machine", "cpus = 4", "--json")

    told = project.call("plan", "--durations", "durations.csv", *words).json
    project.call("run")
    recorded = project.call("plan", "--no-cache", "--simulate", *words).json

    assert (told["strategies"][0]["seconds"], told["unknown"]) == (120.0, [])
    assert 0 < recorded["strategies"][0]["seconds"] < 30
    assert (recorded["unknown"], recorded["up_to_date"]) == ([], 0)
    assert project.call("plan", "--simulate", *words).json["up_to_date"] == 12


def test_a_single_strategy_takes_options_and_does_not_simulate(project: Project) -> None:
    project.write(SIZES.replace("cpus = 8", "cpus = 1").replace("cpus = 2", "cpus = 1"))

    assert "12 would run" in project.call("plan", "--strategy", "random", "--set", "strategy.seed=7").out
    answer = project.call("plan", "--strategy", "random", "--set", "strategy.sed=7", code=2)
    assert "strategy.sed" in answer.err
    assert "did you mean seed?" in answer.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--machine", "cpus = x"), "no TOML table"),
        (("--machine", "cpus = 4 }\nx = { y = 1"), "more than one table"),
        (("--machine", "cpu = 4"), "there is no key 'cpu' here"),
        (("--machine", "count = 2"), "how many cpus"),
        (("--machine", "cpus = 4, price = '1'"), "no amount of money"),
        (("--machine", "cpus = 4, pool = 'x'", "--seconds", "1"), "no task goes to a pool 'x'"),
        (("--machine", "cpus = 4", "--seconds", "1"), "8 cpus fit on no machine of pool local (4 cpus)"),
        (("--strategy", "first-fit,,spread"), "a name is missing"),
        (("--strategy", "first-fit,spred", *MACHINES, "--seconds", "1"), "no strategy 'spred' is installed"),
        ((*MACHINES,), "tells how long its tasks take"),
        (("--boot", "5"), "has no unit"),
        (("--durations", "none.csv"), "none.csv"),
    ],
)
def test_a_mistake_is_said_once_and_nothing_is_played(project: Project, words: tuple[str, ...], says: str) -> None:
    project.write(SIZES)

    answer = project.call("plan", *words, code=2)

    assert says in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""
