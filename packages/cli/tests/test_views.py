"""Commands that look at runs which have ended."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.remote.limits import MemoryGroups
from longshore.scheduler.state import TaskPhase
from longshore_cli.commands import status

from .harness import COMMAND, SECONDS, Project, wait_for

MIXED = """\
name = "mixed"

[tasks.fit]
for_each.n = [1, 2, 3]
command = "echo out $n; echo err $n >&2; test $n != 2 && echo $n > x.txt"
outputs = ["x.txt"]

[tasks.report]
command = "cat workflow:///fit/*/x.txt"

[tasks.quiet]
command = "true"

[tasks.gone]
command = "true"
outputs = ["nope.txt"]
"""


@pytest.fixture
def mixed(project: Project) -> Project:
    """A project whose latest run has failed tasks among others."""
    project.write(MIXED)
    project.call("run", code=1)
    return project


def test_the_states_that_status_knows_are_those_of_the_core() -> None:
    assert set(status.STATES) == {phase.value for phase in TaskPhase}


def test_status_tells_counts_failures_and_how_to_go_on(mixed: Project) -> None:
    out = mixed.call("status").out
    assert out.startswith("workflow mixed: 6 tasks, ended after ")
    assert "failed  fit[n=2]  user code, exit code 1\n    err 2\n" in out
    assert "3 succeeded, 2 failed, 1 skipped" in out
    assert "`longshore explain 'fit[n=2]'`" in out


def test_status_lists_tasks_by_state_and_by_machine(mixed: Project) -> None:
    assert [line.split()[:2] for line in mixed.call("status", "--state", "failed").out.splitlines()[1:]] == [
        ["failed", "fit[n=2]"],
        ["failed", "gone"],
    ]
    listed = mixed.call("status", "--machine", "local", "--state", "succeeded", "--json").json["listed"]
    assert [task["task"] for task in listed] == ["fit[n=1]", "fit[n=3]", "quiet"]
    assert "No task of run" in mixed.call("status", "--state", "lost").err


def test_status_of_a_task_shows_machine_workdir_and_attempts(mixed: Project) -> None:
    [task] = mixed.call("status", "fit[n=2]", "--json").json["tasks"]
    assert (task["phase"], task["machine"], task["class"]) == ("failed", "local", "user code")
    assert Path(task["workdir"]).is_dir()
    [attempt] = task["attempts"]
    assert (attempt["attempt"], attempt["outcome"], attempt["evidence"]) == (1, "exit code 1", ["exit code 1", "err 2"])
    assert "attempt 1   user code, exit code 1, took " in mixed.call("status", "fit[n=2]").out


def test_status_of_a_task_as_written_shows_all_members(mixed: Project) -> None:
    assert [task["task"] for task in mixed.call("status", "fit", "--json").json["tasks"]] == [
        "fit[n=1]",
        "fit[n=2]",
        "fit[n=3]",
    ]


def test_a_run_is_named_by_the_beginning_of_its_id(mixed: Project) -> None:
    [run] = mixed.call("runs", "--json").json["runs"]
    assert mixed.call("status", run["id"][:15], "--json").json["run"] == run["id"]
    assert mixed.call("status", run["id"], "quiet", "--json").json["tasks"][0]["phase"] == "succeeded"
    assert "there is no run '19990101'" in mixed.call("status", "--run", "19990101", code=2).err


def test_a_misspelt_task_is_answered_by_those_near_it(mixed: Project) -> None:
    assert "did you mean report?" in mixed.call("status", "reprot", code=2).err
    assert "did you mean" in mixed.call("explain", "fit[n=22]", code=2).err
    assert "did you mean quiet" in mixed.call("logs", "qiet", code=2).err


def test_without_runs_the_remedy_is_run(project: Project) -> None:
    for command in ("status", "resume", "cancel"):
        assert "`longshore run` makes one" in project.call(command, code=2).err
    assert "`longshore run` makes one" in project.call("runs").err


def test_explain_names_class_proof_and_what_was_done(project: Project) -> None:
    project.write(
        'name = "x"\n[tasks.t]\ncommand = "echo reason >&2; exit 3"\nretry = { attempts = 2, delay = "100 ms" }\n'
    )
    project.call("run", code=1)
    lines = [line.strip() for line in project.call("explain", "t").out.splitlines()]
    assert lines[:2] == ["t  failed", "it had to run: it had never succeeded before"]
    assert lines[2].startswith("attempt 1: user code, exit code 3 after ")
    assert "-> tried again after 100 ms (1 of 2 attempts that may end by user code)" in lines
    assert "-> given up (2 of 2 attempts that may end by user code)" in lines
    assert lines.count("reason") == 2
    [task] = project.call("explain", "t", "--json").json["tasks"]
    assert [attempt["done"][:8] for attempt in task["attempts"]] == ["tried ag", "given up"]


def test_explain_names_the_field_that_changed(project: Project) -> None:
    project.write("one", "in.txt")
    project.write('name = "x"\n[tasks.t]\ncommand = "cat in.txt"\n')
    project.call("run")
    project.call("run")
    assert "it did not run: it succeeded with the same identity in run" in project.call("explain", "t").out
    project.write("two", "in.txt")
    project.call("run")
    assert re.search(r"it had to run: \S*in\.txt changed", project.call("explain", "t").out)
    project.call("run", "--no-cache")
    assert "it had to run: the run was begun with --no-cache" in project.call("explain", "t").out
    project.call("run", "--rerun", "t")
    assert "it had to run: asked for by --rerun" in project.call("explain", "t").out


def test_explain_names_what_a_skipped_task_was_skipped_for(mixed: Project) -> None:
    assert "it did not run, because of fit[n=2] (failed)" in mixed.call("explain", "report").out


def test_an_input_that_vanished_is_told(project: Project) -> None:
    project.write("one", "in.txt")
    project.write(
        f'name = "x"\n[tasks.a]\ncommand = "rm {project.folder}/in.txt"\n'
        '[tasks.t]\nafter = ["a"]\ninputs = ["in.txt"]\ncommand = "cat in.txt"\n'
    )
    answer = project.call("run", code=1)
    assert re.search(r"failed  t  staging\n    .*in\.txt", answer.err)
    assert re.search(r"it did not run: .*in\.txt", project.call("explain", "t").out)


def test_logs_show_both_streams_by_one_command(mixed: Project) -> None:
    assert mixed.call("logs", "fit[n=1]").out == "--- stdout ---\nout 1\n--- stderr ---\nerr 1\n"
    assert mixed.call("logs", "fit[n=1]", "--out").out == "out 1\n"
    assert mixed.call("logs", "fit[n=1]", "--err").out == "err 1\n"
    assert mixed.call("logs", "fit[n=1]", "--attempt", "2", code=2).err.startswith("longshore: fit[n=1] had 1 attempts")


def test_logs_of_failed_tasks_come_with_their_names(mixed: Project) -> None:
    answer = mixed.call("logs", "--failed")
    assert answer.out.startswith("==> fit[n=2] (attempt 1) <==\n--- stdout ---\nout 2\n--- stderr ---\nerr 2\n==> gone")
    assert answer.err == "gone wrote nothing.\n"


def test_logs_say_where_there_is_nothing_to_show(mixed: Project) -> None:
    assert mixed.call("logs", "report").err == "report did not start: it is skipped.\n"
    assert mixed.call("logs", code=2).err.startswith("longshore: name a TASK, or say --failed")
    mixed.call("run", code=1)
    assert re.match(r"quiet was up to date and did not run; it ran in \d+", mixed.call("logs", "quiet").err)


def test_logs_are_bytes_in_a_pipe_and_safe_on_a_terminal(project: Project) -> None:
    project.write("""name = "x"\n[tasks.t]\ncommand = 'printf "\\033[31mred\\033[0m\\r\\n\\377end"'\n""")
    project.call("run")
    _, shown = project.terminal("logs", "t").end()
    assert shown == "red\r\n\ufffdend"
    _, raw = project.terminal("logs", "t", "--raw").end()
    assert "\x1b[31mred\x1b[0m" in raw


def test_runs_are_listed_newest_first_and_a_damaged_one_hides_nobody(mixed: Project) -> None:
    mixed.call("run", code=1)
    first, second = mixed.call("runs", "--json").json["runs"]
    assert first["id"] > second["id"]
    assert (first["workflow"], first["state"], first["tasks"]) == ("mixed", "failed", 6)
    (mixed.folder / ".longshore" / "runs" / second["id"] / "run.db").write_bytes(b"no database" * 500)
    out = mixed.call("runs").out
    assert first["id"] in out
    assert "damaged" in out
    assert mixed.call("runs", "--json").json["runs"][1]["state"] == "damaged"
    assert "damaged" in mixed.call("status", second["id"], code=2).err


def test_run_passes_over_a_damaged_record_and_says_so(mixed: Project) -> None:
    [run] = mixed.call("runs", "--json").json["runs"]
    (mixed.folder / ".longshore" / "runs" / run["id"] / "run.db").write_bytes(b"no database" * 500)
    answer = mixed.call("run", code=1)
    assert f"run {run['id']} is passed over" in answer.err


def test_output_into_a_pipe_that_closes_is_no_error(mixed: Project) -> None:
    command = " ".join(COMMAND)
    done = subprocess.run(
        ["bash", "-c", f"{command} status --json | head -c 1; exit ${{PIPESTATUS[0]}}"],
        cwd=mixed.folder,
        env=mixed.env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""


def test_clean_removes_what_is_old_and_never_results(mixed: Project) -> None:
    mixed.call("run", "--only", "quiet", "--only", "fit", "--first", "1")
    dry = mixed.call("clean", "--older-than", "0 s", "--dry-run", "--json").json
    assert (dry["dry_run"], len(dry["runs"])) == (True, 2)
    assert len(mixed.call("runs", "--json").json["runs"]) == 2
    done = mixed.call("clean", "--older-than", "0 s", "--json").json
    assert len(done["runs"]) == 2
    assert mixed.call("runs", "--json").json["runs"] == []
    assert list(mixed.folder.glob("results/2*/fit/1/x.txt"))


def test_clean_can_be_told_to_remove_workdirs_only(mixed: Project) -> None:
    [workdir] = [
        task["workdir"] for task in mixed.call("status", "--json").json["failed"] if task["task"] == "fit[n=2]"
    ]
    assert mixed.call("clean", "--workdirs").out == "removed nothing\n"
    assert "removed 2 workdirs" in mixed.call("clean", "--workdirs", "--older-than", "0 s").out
    assert not Path(workdir).exists()
    assert "6 tasks" in mixed.call("status").out


def test_an_unfinished_run_is_never_cleaned(project: Project) -> None:
    project.write(f'name = "x"\n[tasks.t]\ncommand = "touch {project.folder}/running; sleep 60"\n')
    running = project.begin("run")
    wait_for(project.folder / "running")
    assert project.call("clean", "--older-than", "0 s", "--json").json["runs"] == []
    running.kill()
    running.communicate(timeout=SECONDS)
    assert project.call("clean", "--older-than", "0 s", "--json").json["runs"] == []
    project.call("cancel")
    assert len(project.call("clean", "--older-than", "0 s", "--json").json["runs"]) == 1


def test_plan_says_what_would_run_and_why(mixed: Project) -> None:
    out = mixed.call("plan").out
    assert re.search(r"fit +1/3 +local ", out)
    assert re.search(r"report +1/1 +local +after fit ", out)
    assert "workflow mixed: 6 tasks, 3 would run, 3 would not\n" in out
    document = mixed.call("plan", "--json").json
    assert (document["total"], document["runs"]) == (6, 3)
    assert document["tasks"][3] == {
        "task": "report",
        "pool": "local",
        "runs": True,
        "reason": "after fit",
        "inputs": ["workflow:///fit/*/x.txt"],
    }
    assert mixed.call("plan", "--no-cache", "-q").out == "workflow mixed: 6 tasks, 6 would run, 0 would not\n"


def test_plan_refuses_what_fits_nowhere(project: Project) -> None:
    project.write('name = "x"\n[tasks.big]\ncommand = "true"\nneeds = { cpus = 5000 }\n')
    answer = project.call("plan", code=2)
    assert "tasks.big.needs" in answer.err
    assert "5000 cpus fit on no machine of pool local" in answer.err


THREE_ENDS = """
name = "ends"
[tasks.hungry]
command = "{python} -c 'print(1, flush=True); x = bytearray(10**9)'"
needs = {{ memory = "64 MiB" }}
[tasks.idle]
command = "echo out; echo err >&2"
outputs = ["never.txt"]
[tasks.stuck]
command = "echo begun; sleep 1000"
timeout = "1 s"
grace = "100 ms"
"""


def test_three_failures_have_three_classes_each_with_its_proof_and_one_command_shows_what_was_written(
    project: Project,
) -> None:
    group = MemoryGroups().limit(64 << 20)
    if group is None:
        pytest.skip("this user may make no control group with a memory limit here")
    group.remove()
    project.write(THREE_ENDS.format(python=sys.executable))

    failed = {each["task"]: each for each in project.call("run", "--json", "-q", code=1).json["failed"]}

    assert {name: each["class"] for name, each in failed.items()} == {
        "hungry": "out of memory",
        "idle": "user code",
        "stuck": "timeout",
    }
    proofs = {"hungry": "more than the 67108864 bytes", "idle": "never.txt", "stuck": "1 s"}
    for name, proof in proofs.items():
        assert proof in " ".join(failed[name]["evidence"])
        assert proof in project.call("explain", name).out
    assert {"err", "out"} <= set(project.call("logs", "idle").out.splitlines())
