"""`report` and `run --repeat`: figures that can be worked out again from the journal."""

from __future__ import annotations

import json
import sqlite3
import statistics
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.runtime.attempt_rows import AttemptRow
from longshore_cli.report.figures import _most_at_once

from .harness import Project

MIXED = """\
name = "mixed"

[tasks.fit]
for_each.n = [1, 2, 3, 4]
command = "sleep 0.$n; test $n != 2 || exit 3; test $n != 3 || test -e $FLAG || { touch $FLAG; exit 4; }; echo > x.txt"
outputs = ["x.txt"]
retry = { attempts = 2 }
env = { FLAG = "%s" }

[tasks.all]
command = "cat workflow:///fit/4/x.txt"
"""


@pytest.fixture
def mixed(project: Project) -> Project:
    """A project whose run has tasks that succeed at once, on the second try, and never."""
    project.write(MIXED % (project.folder / "flag"))
    project.call("run", "-j", "2", code=1)
    return project


def bodies(project: Project, run: str) -> list[tuple[str, float, dict[str, Any]]]:
    with closing(sqlite3.connect(project.folder / ".longshore" / "runs" / run / "run.db")) as db:
        rows = db.execute("SELECT kind, at, body FROM events ORDER BY seq").fetchall()
    return [(kind, at, json.loads(body)) for kind, at, body in rows]


def test_the_figures_can_be_worked_out_again_from_the_journal(mixed: Project) -> None:
    [figures] = mixed.call("report", "--json").json["runs"]
    events = bodies(mixed, figures["run"])
    ends = [body for kind, _, body in events if kind == "AttemptEnded"]
    times = {body["task"]: body["ended_at"] - body["started_at"] for body in ends if body["outcome"] == ["exited", 0]}
    span = max(body["ended_at"] for body in ends) - min(body["started_at"] for body in ends)
    points = sorted({moment for body in ends for moment in (body["started_at"], body["ended_at"])})
    busy = [sum(b["started_at"] <= begin and b["ended_at"] >= end for b in ends) for begin, end in pairwise(points)]
    assert figures["tasks"] == 5
    assert (figures["succeeded"], figures["errors"], figures["unfinished"]) == (4, 1, 0)
    assert figures["attempts"] == len(ends) == 7
    assert figures["mean"] == pytest.approx(statistics.mean(times.values()), rel=0.01)
    assert figures["shortest"] == pytest.approx(min(times.values()), rel=0.01)
    assert figures["longest"] == pytest.approx(max(times.values()), rel=0.01)
    assert figures["shortest_task"] == min(times, key=times.__getitem__)
    assert figures["longest_task"] == "fit[n=4]"
    assert figures["series"] == pytest.approx(sum(times.values()), rel=0.01)
    assert figures["parallel"] == pytest.approx(span, rel=0.01)
    assert figures["workers"] == max(busy) == 2
    assert figures["nodes"] == 1
    assert figures["efficiency"] == pytest.approx(sum(times.values()) / span / 2, rel=0.01)
    began = events[0][1]
    assert figures["setup"] == pytest.approx(min(body["started_at"] for body in ends) - began, abs=0.2)
    assert figures["total"] == pytest.approx(events[-1][1] - began, abs=0.2)


def test_a_run_ends_with_its_table(project: Project) -> None:
    project.write('name = "two"\n[tasks.t]\nfor_each.n = [1, 2]\ncommand = "true"\n')
    told = project.call("run").err
    table = project.call("report").out
    assert table in told
    assert told.index(table) < told.index("2 succeeded\n")
    assert project.call("run", "--no-cache", "-q").err == ""


def test_a_time_without_a_controller_is_no_time_of_the_run(project: Project) -> None:
    """The run is interrupted between its tasks, and continued; what lies between is told by its journal."""
    project.write('name = "w"\n[tasks.a]\ncommand = "true"\n[tasks.b]\ncommand = "true"\nafter = ["a"]\n')
    project.call("run")
    [run] = [each["id"] for each in project.call("runs", "--json").json["runs"]]
    before = project.call("report", "--json").json["runs"][0]
    with closing(sqlite3.connect(project.folder / ".longshore" / "runs" / run / "run.db")) as db:
        # As if an hour had gone by between the two.
        [(cut,)] = db.execute("SELECT min(seq) FROM events WHERE kind = 'AttemptIntended' AND body ->> 'task' = 'b'")
        db.execute("UPDATE events SET seq = seq + 1000 WHERE seq >= ?", (cut,))
        db.execute("UPDATE events SET at = at + 3600 WHERE seq >= 1000")
        for key in ("started_at", "ended_at"):
            db.execute(
                f"UPDATE events SET body = json_set(body, '$.{key}', body ->> '{key}' + 3600)"
                f" WHERE seq >= 1000 AND body ->> '{key}' IS NOT NULL"
            )
        db.execute(
            "INSERT INTO events SELECT 999, (SELECT min(at) FROM events WHERE seq >= 1000), 'RunContinued', ?",
            ('{"fence":2}',),
        )
        db.commit()
    after = project.call("report", "--json").json["runs"][0]
    assert after["total"] == pytest.approx(before["total"], abs=0.1)
    assert after["parallel"] == pytest.approx(before["parallel"], abs=0.1)


def test_an_unfinished_run_has_figures_too(project: Project) -> None:
    project.write('name = "w"\n[tasks.a]\ncommand = "exit 1"\n[tasks.b]\ncommand = "true"\n')
    project.call("run", "--only", "b")
    [figures] = project.call("report", "--json").json["runs"]
    assert (figures["tasks"], figures["succeeded"], figures["unfinished"]) == (1, 1, 0)


def test_repetitions_run_everything_again_and_have_a_mean_and_a_deviation(project: Project) -> None:
    project.write('name = "w"\n[tasks.t]\nfor_each.n = [1, 2]\ncommand = "sleep 0.$n"\n')
    document = project.call("run", "--repeat", "3", "--json", "-q").json
    runs = document["figures"]["runs"]
    assert [run["succeeded"] for run in runs] == [2, 2, 2]
    assert [run["run"] for run in runs] == [run["run"] for run in document["runs"]]
    assert document["figures"]["mean"]["series"] == pytest.approx(statistics.mean(run["series"] for run in runs))
    assert document["figures"]["deviation"]["series"] == pytest.approx(statistics.stdev(run["series"] for run in runs))
    project.call("run", "--new")
    assert len(project.call("report", "--json").json["runs"]) == 1
    again = project.call("report", runs[1]["run"], "--json").json
    assert again == document["figures"]
    head = project.call("report", runs[1]["run"]).out.splitlines()[0]
    assert head.split() == ["1", "2", "3", "mean", "deviation"]


def test_a_repetition_with_failed_tasks_does_not_keep_the_others_from_being_made(project: Project) -> None:
    project.write('name = "w"\n[tasks.t]\ncommand = "exit 1"\n[tasks.u]\ncommand = "true"\n')
    project.call("run", "--repeat", "2", code=1)
    figures = project.call("report", "--json").json
    assert [run["errors"] for run in figures["runs"]] == [1, 1]
    assert figures["mean"]["errors"] == 1


@pytest.mark.parametrize("words", [("--continue",), ("--add", "longshore.toml")])
def test_repeating_contradicts_going_on(project: Project, words: tuple[str, ...]) -> None:
    project.write('name = "w"\n[tasks.t]\ncommand = "true"\n')
    assert "--repeat begins new runs" in project.call("run", "--repeat", "2", *words, code=2).err


def attempt(started: float, took: float) -> AttemptRow:
    return AttemptRow(
        task="t",
        attempt=1,
        machine="m",
        intended=started,
        staged=None,
        started=started,
        ended=started + took,
        heard=started + took,
        outcome="exit code 0",
        failure="",
        evidence="",
        cpu_seconds=0.0,
        peak_memory_bytes=0,
        workdir="",
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=30))
def test_the_workers_are_the_most_attempts_of_one_moment(spans: list[tuple[int, int]]) -> None:
    counts = [sum(begin <= moment < begin + took for begin, took in spans) for moment in range(101)]
    assert _most_at_once([attempt(begin, took) for begin, took in spans]) == max(counts)
