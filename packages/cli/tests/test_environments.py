"""`longshore env` and `longshore logs --env`, as their users type them."""

from __future__ import annotations

import subprocess
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from longshore.config.document import to_document
from longshore.model.command import Shell
from longshore.model.environment import EnvironmentSpec, Requirement
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt
from longshore.model.events import MachineAdded
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.journal import Journal
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project as RunProject
from longshore_cli.locking import locked

from .harness import COMMAND, SECONDS, Project

WORKFLOW = """
name = "software"
[environments.sci]
before = "prepare.sh"
[tasks.use]
command = "cat $LONGSHORE_ENVIRONMENT/word"
"""


@pytest.fixture
def software(project: Project, tmp_path: Path) -> Project:
    project.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    project.write(WORKFLOW)
    project.write('echo begins\necho word > "$LONGSHORE_ENVIRONMENT/word"\n', "prepare.sh")
    return project


def test_an_environment_is_built_ahead_listed_used_and_removed(software: Project) -> None:
    assert "sci is built" in software.call("env", "build").err
    assert "sci was here already" in software.call("env", "build", "sci").err
    [known] = software.call("env", "list", "--json").json["environments"]
    assert (known["name"], known["in_use"], Path(known["place"]).is_dir()) == ("sci", False, True)
    assert "environment sci was there already" in software.call("run").err
    assert software.call("logs", "use", "--out").out == "word\n"
    assert "here already" in software.call("logs", "--env", "sci").out
    assert "sci" in software.call("env").out

    assert "removed sci" in software.call("env", "rm", "sci").out

    assert software.call("env", "list", "--json").json == {"environments": []}
    assert not Path(known["place"]).exists()


def test_a_plan_says_which_environments_would_be_built(software: Project) -> None:
    assert "environment sci (before) would be built on this computer" in software.call("plan").out
    software.call("env", "build")
    assert "environment sci (before) is on this computer already" in software.call("plan").out
    [planned] = software.call("plan", "--json").json["environments"]
    assert planned == {"name": "sci", "pools": ["local"], "parts": ["before"], "here": True}
    assert "no time is counted for sci" in software.call("plan", "--simulate", "--seconds", "1").out

    software.call("run")

    assert "environment" not in software.call("plan").out, "nothing runs, so nothing is asked for"


def test_an_environment_that_a_run_uses_is_not_removed(software: Project) -> None:
    gate = software.folder / "gate"
    subprocess.run(["mkfifo", str(gate)], check=True)
    software.write(WORKFLOW.replace("cat $LONG", f"echo x > {gate}; read line < {gate}; cat $LONG"))
    with subprocess.Popen([*COMMAND, "run"], cwd=software.folder, env=software.env) as run:
        assert gate.read_text() == "x\n"

        told = software.call("env", "rm", "sci", code=1)
        kept = software.call("clean", "--environments", "--older-than", "0 s")

        gate.write_text("go\n")
        assert run.wait(SECONDS) == 0
    assert "a run uses it" in told.err
    assert "removed nothing" in kept.out


def test_what_builds_print_is_shown_with_the_line_that_failed(software: Project) -> None:
    software.write('echo begins\nTOKEN="$SECRET"; test "$SECRET" = other\n', "prepare.sh")
    software.write(f'env_file = ".env"\n{WORKFLOW}')
    software.write("SECRET='not to be told'\n", ".env")

    told = software.call("run", code=1).err

    assert 'environment sci was not built: prepare.sh line 2: TOKEN="$SECRET"' in told
    assert told.count("environment sci is asked for on local") == 2
    followed = software.call("logs", "--env", "sci", "-f").out
    assert followed == software.call("logs", "--env", "sci").out
    assert followed.count("\nbegins\n") == 2, "the second build is not shown"
    assert 'failed: prepare.sh line 2: TOKEN="$SECRET"; test "$SECRET" = other' in followed
    assert "prepare.sh line 2" in software.call("explain", "use").out
    assert "not to be told" not in followed
    for path in software.folder.rglob("*"):
        assert not path.is_file() or path.name == ".env" or b"not to be told" not in path.read_bytes()


def test_what_a_build_prints_is_shown_while_it_goes_on(software: Project) -> None:
    gate = software.folder / "gate"
    subprocess.run(["mkfifo", str(gate)], check=True)
    wait = f"echo begins; echo x > {gate}; read word < {gate}"
    software.write(f'{wait}; echo "$word" > "$LONGSHORE_ENVIRONMENT/word"\n', "prepare.sh")
    with subprocess.Popen([*COMMAND, "run", "-q"], cwd=software.folder, env=software.env) as run:
        assert gate.read_text() == "x\n"
        follow = [*COMMAND, "logs", "--env", "sci", "-f"]
        with subprocess.Popen(follow, cwd=software.folder, env=software.env, stdout=subprocess.PIPE, text=True) as log:
            assert log.stdout is not None
            assert any(line == "begins\n" for line in log.stdout), "nothing is shown until the build is over"
            gate.write_text("through\n")
            log.stdout.read()
            assert log.wait(SECONDS) == 0
        assert run.wait(SECONDS) == 0
    assert software.call("logs", "use", "--out").out == "through\n"


def test_names_that_do_not_exist_are_told_with_those_that_do(software: Project) -> None:
    software.call("run")

    assert "did you mean sci" in software.call("logs", "--env", "sc", code=2).err
    assert "it has: sci" in software.call("env", "build", "other", code=2).err
    assert "known are: sci" in software.call("env", "rm", "other", code=2).err


def test_clean_removes_environments_when_it_is_asked_to(software: Project) -> None:
    software.call("env", "build")
    software.call("clean", "--older-than", "0 s")
    assert len(software.call("env", "list", "--json").json["environments"]) == 1
    dry = software.call("clean", "--environments", "--older-than", "0 s", "--dry-run", "--json").json
    assert len(dry["environments"]) == 1

    assert "removed 1 environment" in software.call("clean", "--environments", "--older-than", "0 s").out

    assert software.call("env", "list", "--json").json["environments"] == []


LOCKED = """
name = "software"
[environments.sci]
pip = ["--no-index", "--find-links {wheels}", "greeting"]
[tasks.use]
command = "python -c 'import greeting; print(greeting.VERSION)'"
"""


def make_wheel(folder: Path, version: str) -> None:
    info = f"greeting-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"greeting-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("greeting.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: greeting\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_a_run_can_be_repeated_with_the_versions_of_an_earlier_one(software: Project, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "1.0")
    software.write(LOCKED.format(wheels=wheels))
    software.call("run")
    [run] = [each["id"] for each in software.call("runs", "--json").json["runs"]]
    make_wheel(wheels, "2.0")
    software.env["XDG_CACHE_HOME"] = str(tmp_path / "another-computer")

    software.call("run", "--locked", run, "--no-cache")
    assert software.call("logs", "use", "--out").out == "1.0\n"
    assert "1 up to date" in software.call("run", "--locked", run).err

    software.call("run")
    idle = software.call("runs", "--json").json["runs"][0]["id"]
    assert "built no environment sci" in software.call("run", "--locked", idle, code=2).err
    software.write(LOCKED.format(wheels=wheels).replace('"greeting"', '"greeting>0"'))
    assert "had another environment sci" in software.call("run", "--locked", run, code=2).err
    assert "there is no run 'x'" in software.call("run", "--locked", "x", code=2).err


def test_where_machines_had_different_versions_the_first_are_taken_and_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    task = TaskSpec(name="use", command=Shell("true"), environment="sci")
    sci = EnvironmentSpec(name="sci", pip=(Requirement("greeting", "pip"),))
    spec = WorkflowSpec(name="w", tasks=(task,), environments=(sci,))
    project = RunProject(tmp_path)
    meta = {"name": "w", "created": at.isoformat(), "workflow": to_document(spec), "options": RunOptions().to_json()}
    with closing(Journal.create(project.create_run("20260102-030405-0000"), {**meta, "total": "1"})) as journal:
        for number, version in ((1, "1.0"), (2, "2.0")):
            machine = MachineAdded(at=at, machine=f"m{number}", pool="local", resources=Resources(cpus=1))
            intended = BuildIntended(at=at, environment="sci", number=number, machine=f"m{number}")
            lock = f"greeting=={version}\n"
            told = EnvironmentBuilt(at=at, environment="sci", number=number, key="k", lock=lock, python="3.11.2")
            journal.write([machine, intended, told], [])
        journal.commit()

    [exact] = locked(spec, project, "2026").environments

    assert [each.text for each in exact.pip] == ["greeting==1.0"]
    assert "had different versions in sci; those of the first are taken" in capsys.readouterr().err
