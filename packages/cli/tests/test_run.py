from __future__ import annotations

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from .harness import COMMAND, SECONDS, Project

DIAMOND = """\
name = "diamond"

[tasks.a]
command = "seq 3 > n.txt"
outputs = ["n.txt"]

[tasks.b]
command = "sort -r workflow:///a/n.txt > n.txt"
outputs = ["n.txt"]

[tasks.c]
command = "wc -l < workflow:///a/n.txt > n.txt"
outputs = ["n.txt"]

[tasks.d]
command = "cat workflow:///b/n.txt workflow:///c/n.txt > n.txt"
outputs = ["n.txt"]
"""

FAILING = """\
name = "failing"

[tasks.bad]
command = "echo some output; printf '\\\\033[31mthe reason\\\\033[0m\\\\n' >&2; exit 3"
outputs = ["x.txt"]
retry = { attempts = 2 }

[tasks.after]
command = "cat workflow:///bad/x.txt"

[tasks.fine]
command = "echo fine > x.txt"
outputs = ["x.txt"]
"""


def test_the_diamond_runs_and_its_result_comes_home(project: Project) -> None:
    project.write(DIAMOND)
    answer = project.call("run")
    assert re.search(r"run \S+ succeeded in .*: 4 succeeded\nresults: results/\S+/\n", answer.err)
    assert answer.out == ""
    assert [path.read_text().split() for path in project.folder.glob("results/2*/d/n.txt")] == [["3", "2", "1", "3"]]


def test_what_succeeded_before_is_not_run_again(project: Project) -> None:
    project.write(DIAMOND)
    project.call("run")
    assert project.call("run", "--json").json["phases"] == {"up to date": 4}


def test_no_cache_runs_all_and_rerun_runs_one(project: Project) -> None:
    project.write(DIAMOND)
    project.call("run")
    assert project.call("run", "--no-cache", "--json").json["phases"] == {"succeeded": 4}
    assert project.call("run", "--rerun", "b", "--json").json["phases"] == {"succeeded": 1, "up to date": 3}


def test_a_rerun_of_an_unknown_task_is_refused(project: Project) -> None:
    project.write(DIAMOND)
    assert "did you mean" not in project.call("run", "--rerun", "zzz", code=2).err
    assert not (project.folder / ".longshore").exists()


def test_failed_tasks_are_told_with_class_exit_code_and_the_end_of_stderr(project: Project) -> None:
    project.write(FAILING)
    answer = project.call("run", code=1)
    assert "failed  bad  user code, exit code 3 (2 attempts)\n    the reason\n" in answer.err
    assert "\x1b" not in answer.err
    assert "1 succeeded, 1 failed, 1 skipped" in answer.err
    assert "why: `longshore explain bad`" in answer.err
    assert "--retry` tries what did not succeed" in answer.err


def test_a_failure_that_is_repeated_is_told_as_such(project: Project) -> None:
    project.write(FAILING.replace("attempts = 2", 'attempts = 2, delay = "1 s"'))
    err = project.call("run", code=1).err
    assert re.search(r"bad failed after .*: user code, exit code 3; it is tried again\n", err)
    assert re.search(r"bad failed after .*: user code, exit code 3 \(attempt 2\)\n", err)


def test_json_is_one_document_with_what_failed(project: Project) -> None:
    project.write(FAILING)
    document = project.call("run", "--json", code=1).json
    [failed] = document["failed"]
    workdir = failed.pop("workdir")
    assert Path(workdir).is_dir()
    assert failed == {
        "task": "bad",
        "phase": "failed",
        "class": "user code",
        "outcome": "exit code 3",
        "attempts": 2,
        "evidence": ["the reason"],
    }
    assert (document["state"], document["tasks"]) == ("failed", 3)
    assert document["phases"] == {"succeeded": 1, "failed": 1, "skipped": 1}
    assert document["undelivered"] == []


def test_quiet_says_nothing_of_a_success_and_all_of_a_failure(project: Project) -> None:
    project.write(DIAMOND)
    answer = project.call("run", "-q")
    assert (answer.out, answer.err) == ("", "")
    project.write(FAILING)
    assert "failed  bad" in project.call("run", "-q", code=1).err


def test_fail_fast_starts_nothing_more_after_a_failure(project: Project) -> None:
    tasks = "".join(f'[tasks.t{n}]\nafter = ["t{n - 1}"]\ncommand = "true"\n' for n in range(1, 4))
    project.write(
        f'name = "x"\n[tasks.bad]\ncommand = "false"\npriority = 1\n[tasks.t0]\ncommand = "sleep 0.2"\n{tasks}'
    )
    document = project.call("run", "--fail-fast", "-j", "1", "--json", code=1).json
    assert document["phases"].get("succeeded", 0) == 0
    assert project.call("run", "--new", "--json", code=1).json["phases"]["succeeded"] == 4


def test_jobs_bound_what_runs_at_once(project: Project) -> None:
    project.write(
        'name = "x"\n[tasks.t]\nfor_each.n = [1, 2, 3]\ncommand = "date +%s%N > a; sleep 0.1; date +%s%N > b"\n'
        'outputs = ["a", "b"]\n'
    )
    project.call("run", "-j", "1")
    times = sorted(
        (int((folder / "a").read_text()), int((folder / "b").read_text()))
        for folder in project.folder.glob("results/2*/t/*")
    )
    assert len(times) == 3
    assert all(ended <= began for (_, ended), (began, _) in pairwise(times))


def test_only_and_first_narrow_a_workflow(project: Project) -> None:
    project.write(
        'name = "x"\n[tasks.t]\nfor_each.n = { range = [1, 9] }\ncommand = "true"\n[tasks.u]\ncommand = "true"\n'
    )
    document = project.call("run", "--only", "t", "--first", "2", "--json").json
    assert document["phases"] == {"succeeded": 2}


def test_set_puts_values_over_the_file(project: Project) -> None:
    project.write(DIAMOND)
    answer = project.call("run", "--set", 'tasks.a.command="seq 5 > n.txt"', "--json")
    assert answer.json["state"] == "succeeded"
    assert [path.read_text().split()[-1] for path in project.folder.glob("results/2*/d/n.txt")] == ["5"]


def test_every_mistake_is_told_with_place_key_and_remedy_and_nothing_runs(project: Project) -> None:
    project.write(
        'name = "x"\n\n[tasks.fit]\ncommand = "true"\npol = "local"\ntimeout = 3\n\n'
        '[tasks.next]\ncommand = "cat workflow:///fitt/x"\n'
    )
    answer = project.call("run", code=2)
    assert "3 mistakes" in answer.err
    assert "longshore.toml:5  tasks.fit.pol\n" in answer.err
    assert "-> did you mean" in answer.err
    assert "Traceback" not in answer.err
    assert not (project.folder / ".longshore").exists()


def test_mistakes_are_a_json_document_too(project: Project) -> None:
    project.write('name = "x"\n[tasks.fit]\ncommand = 3\n')
    error = project.call("run", "--json", code=2).json["error"]
    assert error["kind"] == "ConfigError"
    assert [(problem["place"], problem["key"]) for problem in error["problems"]] == [
        ("longshore.toml:3", "tasks.fit.command")
    ]


def test_without_a_workflow_file_the_remedy_is_init(project: Project) -> None:
    assert "`longshore init` writes one" in project.call("run", code=2).err


def test_a_python_file_runs_too(project: Project) -> None:
    project.write(
        'from longshore import Workflow\n\nworkflow = Workflow("py")\n'
        'workflow.shell("hello", "echo hi > hi.txt", outputs=["hi.txt"])\n',
        "flow.py",
    )
    assert project.call("run", "flow.py", "--json").json["phases"] == {"succeeded": 1}


def test_a_project_is_found_from_a_folder_below_it(project: Project) -> None:
    project.write(DIAMOND)
    below = project.folder / "deep" / "er"
    below.mkdir(parents=True)
    project.call("run", cwd=below)
    assert "4 succeeded" in project.call("status", cwd=below).out
    assert "4 succeeded" in project.call("status", "-C", str(project.folder), cwd=Path("/")).out


@pytest.mark.parametrize("words", [("--new", "--continue"), ("--run", "x"), ("-j", "0"), ("-q", "-v")])
def test_flags_that_make_no_sense_are_refused(project: Project, words: tuple[str, ...]) -> None:
    project.write(DIAMOND)
    answer = project.call("run", *words, code=2)
    assert "Usage: " in answer.err


def test_a_log_file_gets_everything(project: Project) -> None:
    project.write(DIAMOND)
    project.call("run", "-q", "--log-file", "run.log")
    text = (project.folder / "run.log").read_text()
    assert re.search(r"\d\d:\d\d:\d\d  d succeeded after ", text)


def test_a_folder_that_cannot_be_written_is_one_clear_error(project: Project) -> None:
    project.write(DIAMOND)
    (project.folder / ".longshore").write_text("in the way")
    answer = project.call("run", code=2)
    assert ".longshore" in answer.err
    assert "Traceback" not in answer.err


def test_workdirs_of_successes_are_kept_when_asked_for(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "echo kept > some.txt"\n')
    project.call("run", "--keep-workdirs")
    [task] = project.call("status", "t", "--json").json["tasks"]
    assert (Path(task["workdir"]) / "some.txt").read_text() == "kept\n"


def test_a_run_without_room_for_its_record_stops_and_says_so(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\nfor_each.n = { range = [1, 400] }\ncommand = "true"\n')
    limited = f"ulimit -f 60; exec {' '.join(COMMAND)} run"  # files of this process may have 60 kB; its tasks', too
    done = subprocess.run(
        ["bash", "-c", limited],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "The run has stopped, and what runs lives on; `longshore resume" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.call("resume", "--json").json["phases"] == {"succeeded": 400}
