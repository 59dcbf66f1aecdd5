"""Whole runs on this computer, from a workflow file to results on disk (stories W1 to W8)."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore import ConfigError, Run, RunOptions, Workflow, load, resume, start
from longshore.config.document import to_document
from longshore.errors import PluginMissing, RunLocked, UsageError
from longshore.model.events import AttemptEnded, AttemptStarted, InputsFailed, RunEnded
from longshore.runtime.asking import Events, ask
from longshore.runtime.history import AttemptInfo, RunReader
from longshore.runtime.planning import plan
from longshore.runtime.project import Project
from longshore.scheduler.state import TaskPhase

Play = Callable[..., Run]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(text: str, **options: object) -> Run:
        (tmp_path / "longshore.toml").write_text(text)
        loaded = load(tmp_path / "longshore.toml")
        with start(loaded.spec, loaded.folder, RunOptions(**options)) as running:  # type: ignore[arg-type]  # test sugar
            running.wait(timeout=120)
        return running

    return run


def phases(run: Run) -> dict[str, str]:
    return {task.id: task.phase for task in run.tasks()}


def attempt(run: Run, task: str) -> AttemptInfo:
    [*_, last] = run.reader().attempts(task)
    return last


DIAMOND = """
name = "diamond"
[tasks.a]
command = "echo one > a.txt"
[tasks.b]
command = "cat workflow:///a/a.txt > b.txt"
[tasks.c]
command = "sed s/one/two/ 'workflow:///a/a.txt'>c.txt; true"
[tasks.d]
command = "cat workflow:///b/b.txt workflow:///c/c.txt > d.txt"
outputs = ["d.txt"]
"""


def test_the_diamond_runs_by_its_references_alone(play: Play) -> None:
    run = play(DIAMOND)

    assert run.state == "succeeded"
    assert (run.results / "d" / "d.txt").read_text() == "one\ntwo\n"


def test_a_second_run_finds_everything_up_to_date_and_brings_the_results_home_again(play: Play) -> None:
    play(DIAMOND)

    run = play(DIAMOND)

    assert set(phases(run).values()) == {"up to date"}
    assert (run.results / "d" / "d.txt").read_text() == "one\ntwo\n"


def test_what_changed_runs_again_and_what_reads_the_same_bytes_does_not(play: Play) -> None:
    play(DIAMOND)

    run = play(DIAMOND.replace("echo one > a.txt", "printf 'one\\n' > a.txt".replace("\\", "\\\\")))

    assert phases(run) == {"a": "succeeded", "b": "up to date", "c": "up to date", "d": "up to date"}


def test_a_command_that_fails_fails_its_task_with_code_and_the_end_of_stderr(play: Play) -> None:
    run = play("""
name = "w"
[tasks.bad]
command = "echo going; echo this is why >&2; exit 3"
[tasks.reader]
command = "cat workflow:///bad/x"
[tasks.other]
command = "true"
""")

    assert phases(run) == {"bad": "failed", "reader": "skipped", "other": "succeeded"}
    assert run.state == "failed"
    assert attempt(run, "bad").outcome == "exit code 3"
    assert "this is why" in attempt(run, "bad").evidence
    assert attempt(run, "bad").failure == "user code"


def test_a_declared_output_that_was_not_written_fails_the_task(play: Play) -> None:
    run = play("""
name = "w"
[tasks.liar]
command = "true"
outputs = ["promised.txt"]
""")

    assert phases(run) == {"liar": "failed"}
    assert "promised.txt" in attempt(run, "liar").evidence


def test_an_input_that_vanishes_fails_its_task_before_the_command_starts(play: Play, tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("1")
    (tmp_path / "longshore.toml").write_text(
        """
name = "w"
[tasks.remover]
command = "rm $VICTIM"
env = { VICTIM = "%s" }
[tasks.reader]
command = "cat raw.csv; touch started"
inputs = ["raw.csv"]
after = ["remover"]
"""
        % (tmp_path / "raw.csv")
    )
    loaded = load(tmp_path / "longshore.toml")

    with start(loaded.spec, loaded.folder) as run:
        run.wait(timeout=120)

    assert phases(run) == {"remover": "succeeded", "reader": "failed"}
    assert [task.failure for task in run.tasks() if task.id == "reader"] == ["staging"]
    assert list(run.reader().attempts("reader")) == []


def test_a_timeout_ends_the_task_and_is_its_own_failure_class(play: Play) -> None:
    run = play("""
name = "w"
[tasks.slow]
command = "sleep 60"
timeout = "300 ms"
""")

    assert phases(run) == {"slow": "failed"}
    assert attempt(run, "slow").failure == "timeout"


def test_a_failed_task_is_tried_again_as_its_policy_says(play: Play, tmp_path: Path) -> None:
    run = play(f"""
name = "w"
[tasks.flaky]
command = "echo x >> {tmp_path}/count; test $(wc -l < {tmp_path}/count) -ge 3"
retry = {{ attempts = 3, delay = "10 ms" }}
""")

    assert phases(run) == {"flaky": "succeeded"}
    assert [a.attempt for a in run.reader().attempts("flaky")] == [1, 2, 3]


def test_members_can_be_made_of_what_an_earlier_task_wrote(play: Play) -> None:
    run = play("""
name = "w"
[tasks.list]
command = "printf 'x\\\\ny\\\\n' > names.txt"
outputs = ["names.txt"]
[tasks.fit]
for_each.name = { lines_of = "workflow:///list/names.txt" }
command = "echo fitted $name > out.txt"
outputs = ["out.txt"]
[tasks.all]
command = "cat workflow:///fit/*/out.txt > all.txt"
outputs = ["all.txt"]
""")

    assert run.state == "succeeded"
    assert (run.results / "all" / "all.txt").read_text() == "fitted x\nfitted y\n"
    assert run.reader().info().tasks == 4


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("head -c 200000 /dev/zero | tr '\\0' x", "has a line 1 with more than 120 KiB, which no variable can hold"),
        ("printf 'a\\nb\\000'", "has a line 2 with a NUL character"),
        ("printf 'caf\\351'", "is not UTF-8 text"),
    ],
)
def test_lines_that_can_be_no_values_fail_the_task_that_ranges_over_them_in_words(
    play: Play, written: str, says: str
) -> None:
    run = play(f"""
name = "w"
[tasks.list]
command = '''{written} > names.txt'''
outputs = ["names.txt"]
[tasks.fit]
for_each.name = {{ lines_of = "workflow:///list/names.txt" }}
command = "true"
""")

    assert phases(run) == {"list": "succeeded", "fit[*]": "failed"}
    [reason] = [each.reason for _, each in run.reader().events(kind="InputsFailed") if isinstance(each, InputsFailed)]
    assert says in reason


def test_parameters_reach_the_command_as_they_are_whatever_they_hold(play: Play) -> None:
    hostile = ["$(touch owned)", "a b", "'; exit 1; '", "line\nbreak", "-n", "*", "ünï"]
    run = play(f"""
name = "w"
[tasks.echo]
for_each.v = {json.dumps(hostile)}
command = '''printf %s "$v" > out.txt; test ! -e owned'''
outputs = ["out.txt"]
""")

    assert run.state == "succeeded"
    folders = run.results / "echo"
    assert sorted((folder / "out.txt").read_text() for folder in folders.iterdir()) == sorted(hostile)


def test_workdirs_of_tasks_that_succeeded_are_gone_and_those_of_failures_stay(play: Play) -> None:
    run = play("""
name = "w"
[tasks.good]
command = "echo a > x; echo b > y"
outputs = ["x"]
[tasks.bad]
command = "echo why > trace.txt; false"
""")

    assert not list(run.folder.glob("machines/*/work/good*"))
    assert (Path(attempt(run, "bad").workdir) / "trace.txt").read_text() == "why\n"


def test_python_calls_take_and_give_values_files_and_exceptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "steps.py").write_text(
        "def add(a, b): return {'sum': a + b}\n"
        "def double(x): return x['sum'] * 2\n"
        "def write(text): open('o.txt', 'w').write(text)\n"
        "def boom(): raise ValueError('no good')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import steps  # type: ignore[import-not-found]  # noqa: PLC0415  written above

    flow = Workflow("calls")
    total = flow.call(steps.add, 1, 2)
    flow.call(steps.double, total.result)
    written = flow.call(steps.write, "hello", outputs=["o.txt"])
    flow.shell("count", f"wc -c < {written.output('o.txt')} > n.txt", outputs=["n.txt"])
    flow.call(steps.boom)

    run = flow.run(tmp_path)

    assert phases(run) == {
        "add": "succeeded",
        "double": "succeeded",
        "write": "succeeded",
        "count": "succeeded",
        "boom": "failed",
    }
    assert run.result("double") == "6"
    assert (run.results / "count" / "n.txt").read_text().strip() == "5"
    assert "ValueError: no good" in attempt(run, "boom").evidence


def test_another_workflows_latest_success_can_be_read(play: Play) -> None:
    play("name = 'first'\n[tasks.a]\ncommand = 'echo 1 > a.txt'\noutputs = ['a.txt']\n")

    run = play("name = 'second'\n[tasks.b]\ncommand = 'cat workflow://first/a/a.txt > b.txt'\noutputs = ['b.txt']\n")

    assert run.state == "succeeded"
    assert (run.results / "b" / "b.txt").read_text() == "1\n"


def test_a_workflow_that_is_running_is_waited_for(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    first = Workflow("first")
    first.shell("a", f"cat {gate} > a.txt", outputs=["a.txt"])
    second = Workflow("second")
    second.shell("b", "cat workflow://first/a/a.txt > b.txt", outputs=["b.txt"])

    with first.start(tmp_path, jobs=4) as one:
        one.wait(until=lambda run: run.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
        with second.start(tmp_path, jobs=4) as two:
            assert two.wait(timeout=0.2) == "running"
            gate.write_text("through the gate")
            two.wait(timeout=120)

    assert (two.results / "b" / "b.txt").read_text() == "through the gate"


def test_no_run_of_another_workflow_is_said_in_words(play: Play) -> None:
    run = play("name = 'second'\n[tasks.b]\ncommand = 'cat workflow://first/a/a.txt'\n")

    assert run.state == "failed"
    assert [task.failure for task in run.tasks()] == ["staging"]


def test_a_reference_to_a_member_that_does_not_exist_is_refused_before_anything_runs(
    play: Play, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="2002"):
        play("""
name = "w"
[tasks.fit]
for_each.year = ["2000", "2001"]
command = "echo $year > o"
outputs = ["o"]
[tasks.b]
command = "cat workflow:///fit/2002/o"
""")

    assert not (tmp_path / ".longshore").exists()


def test_a_task_that_fits_nowhere_is_refused_before_anything_runs(play: Play, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fit on no machine"):
        play("name = 'w'\n[tasks.a]\ncommand = 'true'\nneeds = { cpus = 5000 }\n")

    assert not (tmp_path / ".longshore").exists()


@pytest.mark.parametrize("line", ["strategy = 'nonesuch'", "pools.far = { executor = 'nonesuch' }"])
def test_a_plugin_that_is_not_there_is_said_before_anything_is_made(play: Play, tmp_path: Path, line: str) -> None:
    with pytest.raises(PluginMissing, match="nonesuch"):
        play(f"name = 'w'\n{line}\n[tasks.a]\ncommand = 'true'\n")

    assert not (tmp_path / ".longshore").exists()


def test_what_is_private_is_in_no_file_that_stays(play: Play, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOKEN=very-secret-token\n")
    (tmp_path / "lic").write_text("very-secret-licence")
    run = play("""
name = "w"
env_file = ".env"
[tasks.a]
command = '''
test "$TOKEN" = very-secret-"token" && grep -q secret licence.lic && test $(stat -c %a licence.lic) = 600
'''
secrets = { "licence.lic" = { file = "lic" } }
[tasks.b]
command = "test -n $TOKEN; exit 1"
secrets = { "licence.lic" = { file = "lic" } }
""")

    assert phases(run) == {"a": "succeeded", "b": "failed"}
    for path in (tmp_path / ".longshore").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"very-secret-licence" not in content, path
            assert b"very-secret-token" not in content, path


def test_events_come_in_order_and_end_with_the_run(tmp_path: Path) -> None:
    flow = Workflow("events")
    flow.shell("a", "sleep 0.2")

    with flow.start(tmp_path) as run:
        events = list(run)

    kinds = [type(event) for event in events]
    assert kinds[-1] is RunEnded
    assert kinds.index(AttemptStarted) < kinds.index(AttemptEnded)


def test_cancel_ends_what_runs(tmp_path: Path) -> None:
    flow = Workflow("long")
    flow.shell("a", "sleep 600")
    flow.shell("b", "cat workflow:///a/x")

    with flow.start(tmp_path) as run:
        run.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
        run.cancel()
        assert run.wait(timeout=120) == "cancelled"

    assert phases(run) == {"a": "cancelled", "b": "cancelled"}


def test_tasks_that_join_a_running_run_do_not_disturb_it(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    flow = Workflow("grow")
    flow.shell("a", f"cat {gate} > a.txt", outputs=["a.txt"])
    more = Workflow("more")
    more.shell("b", "echo b > b.txt", outputs=["b.txt"])

    with flow.start(tmp_path, jobs=4) as run:
        run.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
        run.add(more.spec(tmp_path))
        run.wait(until=lambda now: phases(now).get("b") == "succeeded", timeout=120)
        assert phases(run) == {"a": "running", "b": "succeeded"}
        gate.write_text("done")
        assert run.wait(timeout=120) == "succeeded"

    assert run.reader().info().tasks == 2


def test_a_run_that_was_let_go_is_continued_and_what_runs_is_not_started_again(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    flow = Workflow("long")
    flow.shell("a", f"echo x >> {tmp_path}/count; cat {gate} > a.txt", outputs=["a.txt"])
    run = flow.start(tmp_path)
    run.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
    run.detach()
    assert RunReader(run.folder).info().state == "unfinished"

    with resume(tmp_path) as again:
        gate.write_text("done")
        assert again.wait(timeout=120) == "succeeded"

    assert again.id == run.id
    assert (tmp_path / "count").read_text() == "x\n"
    assert (again.results / "a" / "a.txt").read_text() == "done"


def test_a_run_that_is_stopped_as_soon_as_it_has_begun_is_interrupted_and_can_be_continued(tmp_path: Path) -> None:
    flow = Workflow("short")
    flow.shell("a", "echo a > a.txt", outputs=["a.txt"])
    flow.shell("b", "cat workflow:///a/a.txt")
    run = flow.start(tmp_path)
    run.stop()
    assert run.wait(timeout=120) == "interrupted"

    with resume(tmp_path) as again:
        assert again.wait(timeout=120) == "succeeded"


def test_two_controllers_at_once_are_refused_in_words(tmp_path: Path) -> None:
    flow = Workflow("long")
    flow.shell("a", "sleep 600")
    run = flow.start(tmp_path)
    try:
        with pytest.raises(RunLocked, match=str(os.getpid())):
            resume(tmp_path)
    finally:
        run.cancel()
        run.wait(timeout=120)


def test_failed_tasks_get_another_chance_by_resume_with_retry(tmp_path: Path) -> None:
    flow = Workflow("w")
    flow.shell("a", f"test -e {tmp_path}/there && echo ok > a.txt", outputs=["a.txt"])
    flow.shell("b", "cat workflow:///a/a.txt > b.txt", outputs=["b.txt"])
    run = flow.run(tmp_path)
    assert phases(run) == {"a": "failed", "b": "skipped"}
    (tmp_path / "there").touch()

    with resume(tmp_path, retry=True) as again:
        assert again.wait(timeout=120) == "succeeded"


def test_two_runs_go_on_at_once_in_one_process(tmp_path: Path) -> None:
    flows = [Workflow(f"w{number}") for number in range(2)]
    for flow in flows:
        for number in range(5):
            flow.shell(f"t{number}", f"echo {flow.name} > o.txt", outputs=["o.txt"])

    runs = [flow.start(tmp_path) for flow in flows]

    assert [run.wait(timeout=120) for run in runs] == ["succeeded", "succeeded"]
    assert threading.active_count() < 20


def test_rerun_runs_a_task_whatever_the_cache_knows(play: Play) -> None:
    play(DIAMOND)

    run = play(DIAMOND, rerun=("b",))

    assert phases(run) == {"a": "up to date", "b": "succeeded", "c": "up to date", "d": "up to date"}


def test_a_result_that_left_the_cache_is_made_again(play: Play, tmp_path: Path) -> None:
    play(DIAMOND)
    for path in (tmp_path / ".longshore" / "cache" / "objects").rglob("*"):
        if path.is_file():
            path.unlink()

    run = play(DIAMOND)

    # What b wrote is the same bytes as what a wrote, so it is there again as soon as a has run.
    assert phases(run) == {"a": "succeeded", "b": "up to date", "c": "succeeded", "d": "succeeded"}


def test_a_task_cannot_harm_its_producers_output_the_cache_or_the_users_file(play: Play, tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text("raw")
    run = play("""
name = "w"
[tasks.a]
command = "echo one > a.txt"
outputs = ["a.txt"]
keep = true
[tasks.vandal]
command = "echo broken > workflow:///a/a.txt; echo broken > raw.csv; chmod 777 raw.csv"
inputs = ["raw.csv"]
[tasks.reader]
command = "cat workflow:///a/a.txt > b.txt"
outputs = ["b.txt"]
after = ["vandal"]
""")

    assert run.state == "succeeded"
    assert (run.results / "reader" / "b.txt").read_text() == "one\n"
    assert (run.results / "a" / "a.txt").read_text() == "one\n"
    assert (tmp_path / "raw.csv").read_text() == "raw"


def test_the_latest_run_is_found_by_the_beginning_of_its_name(play: Play, tmp_path: Path) -> None:
    run = play(DIAMOND)
    project = Project(tmp_path)

    assert project.find_run(None) == run.id
    assert project.find_run(run.id[:-2]) == run.id
    with pytest.raises(UsageError, match="no run"):
        project.find_run("nope")


def test_a_journal_that_cannot_be_written_stops_the_run_in_words(tmp_path: Path) -> None:
    flow = Workflow("w")
    flow.shell("a", "sleep 600")
    run = flow.start(tmp_path)
    run.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
    with sqlite3.connect(run.folder / "run.db") as db:
        db.execute("DROP TABLE tasks")
    run.cancel()

    with pytest.raises(Exception, match="journal"):
        run.wait(timeout=120)


def test_another_process_can_ask_add_and_cancel_through_the_control_socket(tmp_path: Path) -> None:
    flow = Workflow("asked")
    flow.shell("a", "sleep 600")
    more = Workflow("more")
    more.shell("b", "true")

    with flow.start(tmp_path, jobs=4) as run:
        run.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
        with Events(run.folder) as events:
            assert ask(run.folder, "status")["phases"] == {"running": 1}
            with pytest.raises(UsageError, match="no task 'nope'"):
                ask(run.folder, "cancel", {"tasks": ["nope"]})
            assert ask(run.folder, "add", {"document": to_document(more.spec(tmp_path))})["tasks"] == ["b"]
            run.wait(until=lambda now: phases(now).get("b") == "succeeded", timeout=120)
            with pytest.raises(UsageError, match="already"):
                ask(run.folder, "add", {"document": to_document(more.spec(tmp_path))})
            ask(run.folder, "cancel", {"tasks": ["a"]})
            assert run.wait(timeout=120) == "cancelled"
            kinds = [event["kind"] for event in events]

    assert kinds[0] == "TasksAdded"
    assert kinds[-1] == "RunEnded"


def test_two_runs_never_use_more_of_this_computer_than_there_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    flows = [Workflow(f"w{number}") for number in range(3)]
    for flow in flows:
        for number in range(4):
            flow.shell(f"t{number}", f"echo + >> {log}; sleep 0.05; echo - >> {log}")
    folders = [tmp_path / flow.name for flow in flows]
    for folder in folders:
        folder.mkdir()

    runs = [flow.start(folder) for flow, folder in zip(flows, folders, strict=True)]

    assert [run.wait(timeout=120) for run in runs] == ["succeeded"] * 3
    running = most = 0
    for line in log.read_text().splitlines():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert most <= len(os.sched_getaffinity(0))


def test_gpus_go_from_a_run_that_does_not_use_them_to_one_that_does_and_back(tmp_path: Path) -> None:
    gates = [tmp_path / name for name in ("one", "two")]
    for gate in gates:
        os.mkfifo(gate)
    pools = {"local": {"gpus": 2}}
    needs = {"gpus": 2, "cpus": 0.1}
    shown = "echo $CUDA_VISIBLE_DEVICES > gpus.txt"
    first = Workflow("first", pools=pools)
    first.shell("wait", f"cat {gates[0]}", needs={"cpus": 0.1})
    first.shell("use", shown, outputs=["gpus.txt"], needs=needs, after=["wait"])
    second = Workflow("second", pools=pools)
    second.shell("use", f"{shown}; cat {gates[1]}", outputs=["gpus.txt"], needs=needs)

    with first.start(tmp_path) as one:
        one.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
        with second.start(tmp_path) as two:
            two.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
            gates[0].write_text("")
            one.wait(tasks=["wait"], timeout=120)
            assert one.wait(timeout=0.3) == "running"
            assert phases(one)["use"] == "waiting"
            gates[1].write_text("")
            assert two.wait(timeout=120) == "succeeded"
        assert one.wait(timeout=120) == "succeeded"

    assert [(run.results / "use" / "gpus.txt").read_text() for run in (one, two)] == ["0,1\n", "0,1\n"]


def test_a_run_that_waits_for_another_goes_on_when_that_one_ends(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    cpus = len(os.sched_getaffinity(0))
    first = Workflow("first")
    first.shell("all", f"cat {gate}", needs={"cpus": cpus})
    second = Workflow("second")
    second.shell("a", "true")

    with first.start(tmp_path) as one:
        one.wait(until=lambda now: now.phases.get(TaskPhase.RUNNING, 0) == 1, timeout=120)
        with second.start(tmp_path) as two:
            assert two.wait(timeout=0.3) == "running"
            assert phases(two) == {"a": "waiting"}
            gate.write_text("")
            assert two.wait(timeout=120) == "succeeded"


def test_a_success_is_remembered_though_its_run_is_let_go_at_once(tmp_path: Path) -> None:
    text = 'name = "w"\n[tasks.a]\ncommand = "true"\n[tasks.b]\ncommand = "read x < gate"\nafter = ["a"]\n'
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "longshore.toml").write_text(text.replace("gate", str(tmp_path / "gate")))
    loaded = load(tmp_path)
    run = start(loaded.spec, loaded.folder)
    run.wait(tasks=["a"], timeout=120)
    run.detach()

    assert {each.task: each.runs for each in plan(loaded.spec, loaded.folder)} == {"a": False, "b": True}

    with resume(tmp_path) as again:
        (tmp_path / "gate").write_text("x\n")
        assert again.wait(timeout=120) == "succeeded"
