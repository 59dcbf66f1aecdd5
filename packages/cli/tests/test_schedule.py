"""`longshore schedule`: timers of systemd, or lines of a crontab, that are ours and nobody else's.

The programs are small ones that keep what they are given, as the real ones do.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from .harness import Project

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {log}
case "$*" in *fail*) echo "it is not to be" >&2; exit 1;; esac
"""
NO_SYSTEMD = """\
#!/bin/sh
echo "Failed to connect to bus: No medium found" >&2
exit 1
"""
CRONTAB = """\
#!/bin/sh
case "$1" in
-l) test -e {table} || {{ echo "no crontab for me" >&2; exit 1; }}; cat {table};;
-) cat > {table};;
esac
"""


def programs(project: Project, *, systemctl: str = NO_SYSTEMD, crontab: str = CRONTAB) -> Path:
    """Put stand-ins before the real programs; give the folder in which they keep what they are told."""
    kept = project.folder.parent / "kept"
    folder = kept / "bin"
    folder.mkdir(parents=True)
    for name, text in (("systemctl", systemctl), ("crontab", crontab)):
        program = folder / name
        program.write_text(text.format(log=kept / "log", table=kept / "table"))
        program.chmod(0o755)
    project.env["PATH"] = f"{folder}:{project.env['PATH']}"
    project.write('name = "pv"\n[tasks.t]\ncommand = "true"\n')
    return kept


def test_a_timer_of_systemd_is_made_listed_and_removed(project: Project) -> None:
    kept = programs(project, systemctl=SYSTEMCTL)
    units = Path(project.env["XDG_CONFIG_HOME"]) / "systemd" / "user"
    units.mkdir(parents=True)
    (units / "longshore-other.service").write_text("[Service]\nExecStart=/bin/true\n")

    added = project.call("schedule", "add", "nightly", "Mon-Fri 02:30", "run", "--yes")
    assert re.fullmatch(r"nightly: Mon-Fri 02:30, by systemd; next \w{3} \d{4}-\d\d-\d\d 02:30\n", added.out)
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00\n" in (units / "longshore-nightly.timer").read_text()
    service = (units / "longshore-nightly.service").read_text()
    assert service.rstrip().endswith('"-m" "longshore_cli" "run" "--yes"')
    assert f"WorkingDirectory={project.folder}\n" in service
    assert f'Environment="XDG_STATE_HOME={project.env["XDG_STATE_HOME"]}"\n' in service

    [listed] = project.call("schedule", "list", "--json").json["schedules"]
    assert (listed["name"], listed["when"], listed["by"]) == ("nightly", "Mon-Fri 02:30", "systemd")
    assert (listed["command"], listed["folder"]) == (["run", "--yes"], str(project.folder))

    project.call("schedule", "rm", "nightly")
    assert [path.name for path in units.iterdir()] == ["longshore-other.service"]
    assert (kept / "log").read_text().splitlines() == [
        "--user show-environment",
        "--user daemon-reload",
        "--user enable longshore-nightly.timer",
        "--user restart longshore-nightly.timer",
        "--user disable --now longshore-nightly.timer",
        "--user daemon-reload",
    ]


def test_a_unit_of_somebody_else_is_not_touched(project: Project) -> None:
    programs(project, systemctl=SYSTEMCTL)
    units = Path(project.env["XDG_CONFIG_HOME"]) / "systemd" / "user"
    units.mkdir(parents=True)
    theirs = units / "longshore-gc.service"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")

    assert "is not of longshore" in project.call("gc", "--install-timer", code=2).err
    assert "there is no schedule 'gc'" in project.call("schedule", "rm", "gc", code=2).err
    assert theirs.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_timer_that_systemd_refuses_leaves_no_file(project: Project) -> None:
    programs(project, systemctl=SYSTEMCTL)
    assert "it is not to be" in project.call("schedule", "add", "fail", "02:30", "gc", code=2).err
    assert list((Path(project.env["XDG_CONFIG_HOME"]) / "systemd" / "user").iterdir()) == []


def test_without_systemd_lines_of_the_crontab_are_ours_alone(project: Project) -> None:
    kept = programs(project)
    table = kept / "table"
    others = "MAILTO=me\n# mine\n5 4 * * * /usr/bin/backup 100\\%\n"
    table.write_text(others)

    project.call("schedule", "add", "evening", "18:30", "machines", "stop", "--pool", "cloud")
    project.call("gc", "--install-timer")
    project.call("schedule", "add", "evening", "19:00", "machines", "stop", "--pool", "cloud")  # in its place
    lines = table.read_text().removeprefix(others).splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("0 * * * * cd ")
    assert lines[1].endswith("longshore_cli gc --wait")
    assert lines[3].startswith("0 19 * * * cd ")
    listed = project.call("schedule").out.splitlines()
    assert [line.split()[0] for line in listed] == ["NAME", "gc", "evening"]
    project.write('name = "w"\n[tasks.a]\ncommand = "true"\n')
    project.call("run", "-q")
    told = project.call("status")
    assert "scheduled: evening, 19:00: machines stop --pool cloud; next " in told.out
    schedules = project.call("status", "--json").json["schedules"]
    assert {each["name"]: each["by"] for each in schedules} == {"gc": "cron", "evening": "cron"}

    project.call("schedule", "rm", "evening", "gc")
    assert table.read_text() == others


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["x", "02:30", "rnu"], "cannot be scheduled; these can: run, gc"),
        (["x", "02:30", "machines", "up", "cloud"], "cannot be scheduled"),
        (["x", "02:30", "run", "--yess"], "No such option '--yess'"),
        (["x", "02:30", "machines", "down", "--froeign"], "No such option '--froeign'"),
        (["x", "02:30", "gc", "--help"], "does nothing that a timer could do"),
        (["x", "noon", "gc"], "is no time"),
        (["x y", "02:30", "gc"], "no good schedule name"),
        (["../x", "02:30", "gc"], "no good schedule name"),
        (["x", "02:30", "machines", "down", "a\nb"], "control character"),
    ],
)
def test_a_mistake_does_not_wait_for_the_night(project: Project, words: list[str], said: str) -> None:
    kept = programs(project)
    assert said in project.call("schedule", "add", *words, code=2).err
    assert not (kept / "table").exists()


def test_what_is_scheduled_runs_as_it_stands_there(project: Project) -> None:
    kept = programs(project)
    project.call("schedule", "add", "nightly", "02:30", "run")
    line = (kept / "table").read_text().splitlines()[1]
    command = line.split(" ", 5)[5].replace("\\%", "%")
    bare = Project(project.folder.parent, {key: project.env[key] for key in ("HOME", "LONGSHORE_TEST_MARK")})
    assert shell(bare, command) == 0
    assert project.state() == "succeeded"


def shell(project: Project, command: str) -> int:
    """Do what cron does."""
    return subprocess.run(["/bin/sh", "-c", command], env=project.env, timeout=120, check=False).returncode


def test_without_any_timer_it_is_said(project: Project) -> None:
    programs(project, crontab="#!/bin/sh\nexit 127\n")
    (project.folder.parent / "kept" / "bin" / "crontab").unlink()
    project.env["PATH"] = str(project.folder.parent / "kept" / "bin")
    assert "neither a systemd for users nor cron" in project.call("schedule", "add", "x", "02:30", "gc", code=2).err
