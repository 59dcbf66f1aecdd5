"""`report` and `run --repeat`: figures that can be worked out again from the journal."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import statistics
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from longshore.config.document import to_document
from longshore.model.command import Shell
from longshore.model.events import AttemptEnded, AttemptIntended, Event, RunEnded
from longshore.model.outcome import Exited
from longshore.model.task import Parameter, Range, TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.attempt_rows import AttemptRow
from longshore.runtime.journal import Journal
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project as RunProject
from longshore_cli.report.figures import _most_at_once

from .fleets import on_a_cloud
from .harness import SECONDS, Project, wait_for

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
    [figures] = mixed.call("report", "--text", "--json").json["runs"]
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
    table = project.call("report", "--text").out
    assert table in told
    assert told.index(table) < told.index("2 succeeded\n")
    assert project.call("run", "--no-cache", "-q").err == ""


def test_a_time_without_a_controller_is_no_time_of_the_run(project: Project) -> None:
    """The run is interrupted between its tasks, and continued; what lies between is told by its journal."""
    project.write('name = "w"\n[tasks.a]\ncommand = "true"\n[tasks.b]\ncommand = "true"\nafter = ["a"]\n')
    project.call("run")
    [run] = [each["id"] for each in project.call("runs", "--json").json["runs"]]
    before = project.call("report", "--text", "--json").json["runs"][0]
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
    after = project.call("report", "--text", "--json").json["runs"][0]
    assert after["total"] == pytest.approx(before["total"], abs=0.1)
    assert after["parallel"] == pytest.approx(before["parallel"], abs=0.1)


def test_an_unfinished_run_has_figures_too(project: Project) -> None:
    project.write('name = "w"\n[tasks.a]\ncommand = "exit 1"\n[tasks.b]\ncommand = "true"\n')
    project.call("run", "--only", "b")
    [figures] = project.call("report", "--text", "--json").json["runs"]
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
    assert len(project.call("report", "--text", "--json").json["runs"]) == 1
    again = project.call("report", runs[1]["run"], "--text", "--json").json
    assert again == {**document["figures"], "files": []}
    head = project.call("report", runs[1]["run"], "--text").out.splitlines()[0]
    assert head.split() == ["1", "2", "3", "mean", "deviation"]


def test_a_repetition_with_failed_tasks_does_not_keep_the_others_from_being_made(project: Project) -> None:
    project.write('name = "w"\n[tasks.t]\ncommand = "exit 1"\n[tasks.u]\ncommand = "true"\n')
    project.call("run", "--repeat", "2", code=1)
    figures = project.call("report", "--text", "--json").json
    assert [run["errors"] for run in figures["runs"]] == [1, 1]
    assert figures["mean"]["errors"] == 1


@pytest.mark.parametrize("words", [("--continue",), ("--add", "longshore.toml")])
def test_repeating_contradicts_going_on(project: Project, words: tuple[str, ...]) -> None:
    project.write('name = "w"\n[tasks.t]\ncommand = "true"\n')
    assert "--repeat begins new runs" in project.call("run", "--repeat", "2", *words, code=2).err


@pytest.fixture
def drawn() -> None:
    """Skip, visibly, where what draws is not installed."""
    pytest.importorskip("vl_convert", reason="what draws reports is not installed here")


FILES = "report.html results.csv logs.csv errors.csv tasks.csv performance.txt gantt.svg gantt.png".split()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("drawn")
def test_the_files_of_a_report_tell_of_every_task_every_attempt_and_every_failure(mixed: Project) -> None:
    document = mixed.call("report", "--json").json
    files = [Path(name) for name in document["files"]]
    run = document["runs"][0]["run"]
    assert files == [mixed.folder / "results" / f"report-{run}" / name for name in FILES]
    folder = files[0].parent
    assert {row["task"]: row["state"] for row in rows(folder / "tasks.csv")} == {
        **{f"fit[n={n}]": "failed" if n == 2 else "succeeded" for n in (1, 2, 3, 4)},
        "all": "succeeded",
    }
    attempts = [body for kind, _, body in bodies(mixed, run) if kind == "AttemptEnded"]
    logs = {(row["task"], int(row["attempt"])): float(row["seconds"]) for row in rows(folder / "logs.csv")}
    assert logs == {
        (body["task"], body["attempt"]): pytest.approx(body["ended_at"] - body["started_at"], rel=0.01)
        for body in attempts
    }
    errors = [(row["task"], row["class"], row["then"]) for row in rows(folder / "errors.csv")]
    assert sorted(errors) == [
        ("fit[n=2]", "user code", "given up"),
        ("fit[n=2]", "user code", "tried again"),
        ("fit[n=3]", "user code", "tried again"),
    ]
    results = {row["task"]: row for row in rows(folder / "results.csv")}
    assert set(results) == {"fit[n=1]", "fit[n=3]", "fit[n=4]", "all"}
    assert (results["fit[n=4]"]["parameter.n"], results["fit[n=4]"]["outputs"]) == ("4", '["x.txt"]')
    assert mixed.call("report", "--text").out in (folder / "performance.txt").read_text()
    assert (folder / "gantt.svg").read_text().startswith("<svg")
    assert (folder / "gantt.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("drawn")
def test_a_task_that_could_not_begin_is_an_error_with_its_reason(project: Project) -> None:
    """The file is there when the run begins, and gone when its reader could."""
    home = project.folder
    project.write(
        f'name = "w"\n[tasks.a]\ncommand = "rm $HERE/gone.txt"\nenv = {{ HERE = "{home}" }}\n'
        '[tasks.t]\ncommand = "true"\ninputs = ["gone.txt"]\nafter = ["a"]\n'
    )
    project.write("", "gone.txt")
    project.call("run", code=1)
    folder = Path(project.call("report", "--json").json["files"][0]).parent
    [error] = rows(folder / "errors.csv")
    assert (error["task"], error["attempt"], error["class"]) == ("t", "", "staging")
    assert "gone.txt" in error["evidence"]


@pytest.mark.usefixtures("drawn")
def test_what_python_calls_return_has_a_column_for_each_key(project: Project) -> None:
    project.write(
        "from longshore import Workflow\n"
        "def fit(year): return {'year': year, 'score': {'r2': 0.5}, 'name': 'a,\"b\"'}\n"
        "workflow = Workflow('calls')\n"
        "for year in (2001, 2002): workflow.call(fit, year, name=f'fit{year}')\n",
        "calls.py",
    )
    project.call("run", "calls.py")
    folder = Path(project.call("report", "--json").json["files"][0]).parent
    assert [
        (row["task"], row["result.year"], row["result.score.r2"], row["result.name"])
        for row in rows(folder / "results.csv")
    ] == [("fit2001", "2001", "0.5", 'a,"b"'), ("fit2002", "2002", "0.5", 'a,"b"')]


@pytest.mark.usefixtures("drawn")
def test_a_run_in_which_everything_was_up_to_date_has_a_report_with_an_empty_picture(project: Project) -> None:
    project.write('name = "w"\n[tasks.a]\ncommand = "true"\n')
    project.call("run")
    project.call("run")

    document = project.call("report", "--json").json

    assert document["runs"][0]["up_to_date"] == 1
    folder = Path(document["files"][0]).parent
    assert (folder / "gantt.png").read_bytes().startswith(b"\x89PNG")
    assert "Infinity" not in (folder / "gantt.svg").read_text()


@pytest.mark.usefixtures("drawn")
def test_a_report_of_a_run_that_is_not_over_has_all_its_tasks(project: Project) -> None:
    home = project.folder
    project.write(
        f'name = "w"\n[tasks.a]\ncommand = "touch $HERE/up; sleep 60"\nenv = {{ HERE = "{home}" }}\n'
        '[tasks.b]\nfor_each.n = [1, 2]\ncommand = "true"\nafter = ["a"]\n'
    )
    running = project.begin("run")
    wait_for(project.folder / "up")
    document = project.call("report", "--json").json
    assert (document["runs"][0]["state"], document["runs"][0]["unfinished"]) == ("running", 3)
    table = rows(Path(document["files"][0]).parent / "tasks.csv")
    assert [(row["task"], row["state"]) for row in table][1:] == [("b[n=1]", "waiting"), ("b[n=2]", "waiting")]
    project.call("cancel")
    running.communicate(timeout=SECONDS)


@pytest.mark.usefixtures("drawn")
def test_a_report_goes_where_it_is_told_and_says_when_it_cannot(mixed: Project) -> None:
    told = mixed.call("report", "--to", "here").out.splitlines()
    assert told == [f"here/{name}" for name in FILES]
    assert sorted(path.name for path in (mixed.folder / "here").iterdir()) == sorted(FILES)
    mixed.write("", "file")
    assert "cannot be written to" in mixed.call("report", "--to", "file/report", code=2).err
    assert "give one of them" in mixed.call("report", "--text", "--to", "here", code=2).err


def test_without_what_draws_a_report_says_how_to_get_it_and_its_figures_are_told_all_the_same(mixed: Project) -> None:
    mixed.write("raise ImportError('not here', name='vl_convert')\n", "without/vl_convert.py")
    without = evolve(mixed, env=mixed.env | {"PYTHONPATH": str(mixed.folder / "without")})
    said = without.call("report", code=2).err
    assert "pip install 'longshore[report]'" in said
    assert "Traceback" not in said
    assert "efficiency" in without.call("report", "--text").out


@pytest.mark.usefixtures("drawn")
def test_what_was_rented_costs_what_the_run_said_when_each_machine_was_gone(project: Project) -> None:
    on_a_cloud(project)
    with (project.folder / "longshore.toml").open("a") as file:
        file.write("for_each.n = [1, 2, 3]\n")
    told = project.call("run", "--set", 'max_cost="2 USD"').err
    costs = [Decimal(amount) for amount in re.findall(r"it cost ([\d.]+) USD", told)]
    document = project.call("report", "--json").json
    [cost] = document["runs"][0]["costs"]
    assert Decimal(cost.split()[0]) == sum(costs) > 0
    shares = [row["cost"].split()[0] for row in rows(Path(document["files"][0]).parent / "tasks.csv")]
    assert 0 < sum(map(Decimal, shares)) < sum(costs)


@pytest.mark.usefixtures("drawn")
def test_what_draws_charts_is_put_together_once_and_a_page_does_not_depend_on_its_being_kept(mixed: Project) -> None:
    kept = Path(mixed.env["HOME"]) / ".cache" / "longshore" / "report"
    kept.mkdir(parents=True)
    (kept / "of-another-version.js").write_text("old")
    whole = page_of(mixed)
    [script] = kept.iterdir()
    assert script.read_text() in whole
    made = script.stat().st_mtime_ns

    assert script.read_text() in page_of(mixed)
    assert script.stat().st_mtime_ns == made, "it was made again"
    mixed.env["XDG_CACHE_HOME"] = str(mixed.folder / "longshore.toml")  # no folder can be made there
    assert script.read_text() in page_of(mixed)


def page_of(project: Project) -> str:
    [page, *_] = project.call("report").out.splitlines()
    return (project.folder / page).read_text()


@pytest.mark.usefixtures("drawn")
def test_a_report_of_ten_thousand_tasks_has_less_than_five_megabytes(project: Project) -> None:
    """The journal is written here, as a run of 10,000 short tasks writes it."""
    begin = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    spec = TaskSpec(
        name="t",
        command=Shell("true"),
        for_each=(Parameter(name="n", source=Range(first=1, last=10_000)),),
    )
    folder = RunProject(project.folder).create_run("20260102-030405-0000")
    meta = {
        "name": "w",
        "created": begin.isoformat(),
        "workflow": to_document(WorkflowSpec(name="w", tasks=(spec,))),
        "options": RunOptions().to_json(),
        "total": "10000",
    }
    with closing(Journal.create(folder, meta)) as journal:
        events: list[Event] = []
        for n in range(10_000):
            moment = begin + timedelta(milliseconds=n // 2)
            name = f"t[n={n + 1}]"
            events += [
                AttemptIntended(at=moment, task=name, attempt=1, machine="local"),
                AttemptEnded(
                    at=moment + timedelta(milliseconds=1),
                    task=name,
                    attempt=1,
                    outcome=Exited(0),
                    started_at=moment,
                    ended_at=moment + timedelta(milliseconds=1),
                ),
            ]
        journal.write(events, [(n, f"t[n={n + 1}]", "succeeded", 1, "local", "") for n in range(10_000)])
        journal.write([RunEnded(at=begin + timedelta(seconds=6), state="succeeded")], [])
        journal.commit()
    [figures] = (document := project.call("report", "--json").json)["runs"]
    assert (figures["workers"], round(figures["series"]), round(figures["parallel"])) == (2, 10, 5)
    sizes = {Path(name).name: Path(name).stat().st_size for name in document["files"]}
    assert sizes["report.html"] < 5_000_000
    assert sizes["gantt.svg"] < 1_000_000
    # Each of them can be looked at.
    text = Path(document["files"][0]).read_text()
    assert text.count('"task":"t[n=') == 10_000


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
