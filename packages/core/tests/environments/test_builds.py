"""Environments on this computer, from a workflow file to programs that use them (story S9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest

from longshore import Run, load, start
from longshore.errors import UsageError
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.outcome import FailureClass
from longshore.runtime.history import AttemptInfo
from longshore.runtime.logs import log_paths
from longshore.testing.containers import programs_without

from .conftest import Play
from .things import make_wheel

HELLO = "def main():\n    print('hello from the wheel')\n"
SCI = 'name = "w"\n[environments.sci]\n'


def attempt(run: Run, task: str) -> AttemptInfo:
    [*_, last] = run.reader().attempts(task)
    return last


def phases(run: Run) -> dict[str, str]:
    return {task.id: task.phase for task in run.tasks()}


def requirements(wheels: Path, *lines: str) -> str:
    return "\n".join([f"--no-index\n--find-links {wheels}", *lines]) + "\n"


def ends(run: Run) -> list[EnvironmentBuilt | EnvironmentFailed]:
    return [each for _, each in run.reader().events() if isinstance(each, EnvironmentBuilt | EnvironmentFailed)]


def output(run: Run, number: int = 1) -> str:
    return log_paths(run.folder, "+sci", number)[0].read_text()


def check_that_a_task_finds_what_was_installed(play: Play, project: Path, wheels: Path) -> None:
    make_wheel(wheels, "greeting", code=HELLO, script="main")
    (project / "requirements.txt").write_text(requirements(wheels, "greeting==1.0"))

    run = play(
        SCI
        + """
pip = "requirements.txt"
[tasks.greet]
command = "greeting > a.txt; python -c 'import greeting, sys; print(sys.prefix)' > b.txt; echo $VIRTUAL_ENV > c.txt"
outputs = ["a.txt", "b.txt", "c.txt"]
"""
    )

    assert run.state == "succeeded", ends(run)
    assert (run.results / "greet" / "a.txt").read_text() == "hello from the wheel\n"
    assert (run.results / "greet" / "b.txt").read_text() == (run.results / "greet" / "c.txt").read_text()
    assert "greeting==1.0" in (run.results / "environments" / "sci.txt").read_text()


def test_a_task_finds_what_pip_has_installed_for_it(play: Play, project: Path, wheels: Path) -> None:
    check_that_a_task_finds_what_was_installed(play, project, wheels)


@pytest.mark.usefixtures("uv")
def test_a_task_finds_what_uv_has_installed_for_it(play: Play, project: Path, wheels: Path) -> None:
    check_that_a_task_finds_what_was_installed(play, project, wheels)


@pytest.mark.usefixtures("uv")
def test_an_environment_is_built_before_and_after_in_order_and_once_for_all_runs(play: Play, wheels: Path) -> None:
    make_wheel(wheels, "greeting", code=HELLO, script="main")
    text = (
        SCI
        + f"""
before = '''
mkdir -p "$LONGSHORE_ENVIRONMENT/bin"
printf '#!/bin/sh\\necho tool\\n' > "$LONGSHORE_ENVIRONMENT/bin/tool"
chmod 755 "$LONGSHORE_ENVIRONMENT/bin/tool"
'''
pip = ["--no-index", "--find-links {wheels}", "greeting"]
after = "tool; greeting > $LONGSHORE_ENVIRONMENT/said"
[tasks.say]
command = "tool; cat $LONGSHORE_ENVIRONMENT/said"
"""
    )
    first = play(text)
    second = play(text, cache=False)

    assert (first.state, second.state) == ("succeeded", "succeeded"), ends(first)
    assert log_paths(first.folder, "say", 1)[0].read_text() == "tool\nhello from the wheel\n"
    [built], [again] = ends(first), ends(second)
    assert isinstance(built, EnvironmentBuilt)
    assert isinstance(again, EnvironmentBuilt)
    assert (built.reused, again.reused) == (False, True)
    assert built.key == again.key
    assert "here already" in output(second)


def test_what_a_build_prints_is_kept_and_a_failure_names_the_line_of_the_script(play: Play, project: Path) -> None:
    (project / "prepare.sh").write_text("echo begin\n# nothing\necho trouble >&2; false\necho never\n")

    run = play(
        SCI
        + 'before = "prepare.sh"\n[tasks.a]\ncommand = "true"\nenvironment = "sci"\n'
        + '[tasks.b]\ncommand = "true"\nenvironment = "other"\n[environments.other]\nbefore = "true true"\n'
    )

    assert phases(run) == {"a": "failed", "b": "succeeded"}
    failed = [each for each in ends(run) if isinstance(each, EnvironmentFailed)]
    assert len(failed) == 2
    assert failed[0].evidence.startswith("prepare.sh line 3: echo trouble >&2; false\nexit code 1\n")
    assert "trouble" in failed[0].evidence
    assert failed[0].failure is FailureClass.ENVIRONMENT
    log = output(run)
    assert log.index("begin") < log.index("trouble") < log.index("failed: prepare.sh line 3")
    assert "never" not in log


def test_a_script_may_name_its_own_interpreter(play: Play) -> None:
    script = f"#!{sys.executable}\\nimport os\\nopen(os.environ['LONGSHORE_ENVIRONMENT'] + '/x', 'w').write('py')\\n"

    run = play(SCI + f'before = "{script}"\n[tasks.a]\ncommand = "cat $LONGSHORE_ENVIRONMENT/x"\n')

    assert log_paths(run.folder, "a", 1)[0].read_text() == "py"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_failure_names_the_requirement(
    play: Play, project: Path, wheels: Path, installer: str, request: pytest.FixtureRequest
) -> None:
    if installer == "uv":
        request.getfixturevalue("uv")
    make_wheel(wheels, "greeting")
    (project / "more.txt").write_text("# what else\nno-such-thing==3.0\n")
    (project / "requirements.txt").write_text(requirements(wheels, "greeting", "-r more.txt"))

    run = play(SCI + 'pip = "requirements.txt"\n[tasks.a]\ncommand = "true"\n')

    assert phases(run) == {"a": "failed"}
    [first, _] = ends(run)
    assert isinstance(first, EnvironmentFailed)
    assert first.evidence.startswith("more.txt line 2: no-such-thing==3.0\n"), first.evidence


def test_a_python_that_is_not_there_is_told_with_what_to_do(play: Play) -> None:
    run = play(SCI + 'python = "3.99"\n[tasks.a]\ncommand = "true"\n')

    [first, _] = ends(run)
    assert isinstance(first, EnvironmentFailed)
    assert "there is no Python 3.99 here" in first.evidence
    assert "install it, or uv" in first.evidence


@pytest.mark.usefixtures("uv")
def test_a_python_that_uv_cannot_bring_is_told_with_its_own_words(play: Play) -> None:
    run = play(SCI + 'python = "3.99"\n[tasks.a]\ncommand = "true"\n')

    [first, _] = ends(run)
    assert isinstance(first, EnvironmentFailed)
    assert first.evidence.startswith("no virtual environment with Python 3.99 could be made")
    assert "No interpreter found for Python 3.99" in first.evidence


@pytest.mark.usefixtures("uv")
def test_a_half_built_environment_is_never_used(play: Play, root: Path) -> None:
    text = SCI + 'before = "echo x > $LONGSHORE_ENVIRONMENT/x"\n[tasks.a]\ncommand = "ls $LONGSHORE_ENVIRONMENT"\n'
    [built] = ends(play(text))
    assert isinstance(built, EnvironmentBuilt)
    (root / f"{built.key}.json").unlink()
    (root / built.key / "half").touch()

    run = play(text, cache=False)

    [again] = ends(run)
    assert isinstance(again, EnvironmentBuilt)
    assert not again.reused
    assert log_paths(run.folder, "a", 1)[0].read_text() == "x\n"


RACE = """
import sys
import time
from pathlib import Path
from threading import Event
from longshore import RunOptions, load, start
loaded = load(Path(sys.argv[1]) / "longshore.toml")
with start(loaded.spec, loaded.folder, RunOptions()) as run:
    run.wait(timeout=120)
print(run.state)
"""


def test_two_runs_at_once_build_an_environment_once(tmp_path: Path, root: Path) -> None:
    count, gate = tmp_path / "count", tmp_path / "gate"
    os.mkfifo(gate)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "longshore.toml").write_text(
            SCI + f'before = "echo built >> {count}; read line < {gate}"\n[tasks.a]\ncommand = "true"\n'
        )
    runs = [
        subprocess.Popen([sys.executable, "-c", RACE, str(tmp_path / name)], stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    with gate.open("w") as writer:  # opened when one of them builds; the other one comes now, or later
        writer.write("go\n")

    assert [run.communicate(timeout=120)[0] for run in runs] == ["succeeded\n", "succeeded\n"]
    assert count.read_text() == "built\n"
    assert len(list(root.glob("*.json"))) == 1


def test_calls_are_made_by_the_environments_own_python(play: Play, project: Path, wheels: Path, uv: None) -> None:
    make_wheel(wheels, "greeting")
    (project / "steps.py").write_text(
        "import sys\ndef where():\n    import greeting\n    return [sys.prefix, greeting.VERSION, sys.executable]\n"
    )
    run = play(
        SCI
        + f'pip = ["--no-index", "--find-links {wheels}", "greeting"]\n'
        + '[tasks.a]\ncall = "steps:where"\n[tasks.b]\ncommand = "echo $VIRTUAL_ENV"\n'
    )

    assert run.state == "succeeded", attempt(run, "a")
    prefix, version, _ = json.loads(run.result("a") or "")
    assert version == "1.0"
    assert log_paths(run.folder, "b", 1)[0].read_text() == f"{prefix}\n"


def test_a_full_disk_is_told_as_such(play: Play) -> None:
    run = play(SCI + 'before = "echo much > /dev/full"\n[tasks.a]\ncommand = "true"\n')

    [first, _] = ends(run)
    assert isinstance(first, EnvironmentFailed)
    assert first.failure is FailureClass.DISK_FULL
    assert "No space left on device" in first.evidence
    assert [task.failure for task in run.reader().tasks()] == ["disk full"]


@pytest.mark.usefixtures("uv")
def test_a_script_starts_with_the_python_of_its_environment(play: Play, project: Path, wheels: Path) -> None:
    make_wheel(wheels, "greeting", code=HELLO)
    (project / "fit.py").write_text("import greeting, sys\nprint(sys.argv[1:])\ngreeting.main()\n")

    run = play(
        SCI + f'pip = ["--no-index", "--find-links {wheels}", "greeting"]\n[tasks.fit]\nscript = "fit.py 1 $n"\n'
        "for_each.n = [10]\n"
    )

    assert run.state == "succeeded", ends(run)
    assert log_paths(run.folder, "fit[n=10]", 1)[0].read_text() == "['1', '10']\nhello from the wheel\n"


@pytest.mark.parametrize(("environment", "says"), [("", "; an environment may bring it"), (SCI, "; nor does its env")])
def test_a_script_whose_interpreter_is_not_there_says_what_is_missing(
    play: Play, project: Path, monkeypatch: pytest.MonkeyPatch, environment: str, says: str
) -> None:
    (project / "plot.R").write_text("cat(1)")
    programs = programs_without(project.parent / "programs", "Rscript", "uv")
    monkeypatch.setenv("PATH", str(programs))

    run = play(
        (environment + 'before = "echo so"\n' if environment else 'name = "w"\n') + '[tasks.a]\nscript = "plot.R"\n'
    )

    assert attempt(run, "a").evidence.startswith(
        f"exit code 127\nRscript: not found: this machine does not have it{says}"
    )


def test_tasks_that_join_a_run_may_bring_an_environment(project: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"while ! test -e {gate}; do sleep 0.05; done"
    first = f'[tasks.first]\ncommand = "{wait}"\nneeds = {{ cpus = 0 }}\n'
    (project / "longshore.toml").write_text(f'name = "w"\n{first}')
    more = '[environments.late]\nbefore = "echo late > $LONGSHORE_ENVIRONMENT/said"\n[tasks.late]\n'
    (project / "more.toml").write_text(f'name = "m"\n{more}command = "cat $LONGSHORE_ENVIRONMENT/said"\n')
    other = '[environments.late]\nbefore = "echo other"\n[tasks.other]\ncommand = "true"\n'
    (project / "other.toml").write_text(f'name = "o"\n{other}')
    loaded = load(project / "longshore.toml")

    with start(loaded.spec, loaded.folder) as run:
        run.add(load(project / "more.toml").spec)
        deadline, glance = time.monotonic() + 120, Event()
        while phases(run).get("late") != "succeeded":
            assert time.monotonic() < deadline, (phases(run), ends(run))
            glance.wait(0.05)
        with pytest.raises(UsageError, match="an environment 'late' with another content"):
            run.add(load(project / "other.toml").spec)
        gate.touch()
        run.wait(timeout=120)

    assert log_paths(run.folder, "late", 1)[0].read_text() == "late\n"
    assert "late" in [each.name for each in run.reader().replay().workflow.environments]


def test_an_environment_that_another_version_has_built_is_built_anew(play: Play, root: Path) -> None:
    text = SCI + 'before = "echo built > $LONGSHORE_ENVIRONMENT/said"\n'
    text += '[tasks.a]\ncommand = "cat $LONGSHORE_ENVIRONMENT/said"\n'
    first = play(text)
    [told] = root.glob("*.json")
    told.write_text('{"lock": "", "python": "", "name": "sci", "built": 1}')

    second = play(text, cache=False)

    assert (first.state, second.state) == ("succeeded", "succeeded"), ends(second)
    assert [isinstance(each, EnvironmentBuilt) and each.reused for each in ends(second)] == [False]
