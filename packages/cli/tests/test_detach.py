"""`longshore run --detach`: a run that is left to a keeper on this computer."""

from __future__ import annotations

import os
import signal

from longshore.runtime.lock import holder

from .harness import Project, wait_for

_WAITS = '''
name = "left"

[tasks.t]
command = """
echo x >> {folder}/count; touch {folder}/begun
until [ -e {folder}/go ]; do sleep 0.05; done
cp {folder}/count out
"""
outputs = ["out"]
'''


def test_a_run_that_is_left_goes_on_though_its_controller_is_killed_and_runs_nothing_twice(project: Project) -> None:
    project.write(_WAITS.format(folder=project.folder))

    begun = project.call("run", "--detach", "--json").json

    wait_for(project.folder / "begun")
    who = holder(project.folder / ".longshore" / "runs" / begun["run"])
    assert who is not None
    os.kill(who.process.pid, signal.SIGKILL)
    (project.folder / "go").touch()
    result = project.folder / "results" / begun["run"] / "t" / "out"
    wait_for(result)
    assert result.read_text() == "x\n"


def test_a_run_that_cannot_begin_is_told_and_nothing_of_it_stays(project: Project) -> None:
    project.write('name = "left"\n[tasks.t]\ncommand = "true"\nneeds = { cpus = 100000 }\n')

    refused = project.call("run", "--detach", code=2)

    assert "100000" in refused.err
    assert list(project.folder.glob(".longshore/seat/*.json")) == []
    assert not list(project.folder.glob(".longshore/runs/*/run.db"))
