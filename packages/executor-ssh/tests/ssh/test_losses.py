"""Hosts that stay away for longer than links are waited for: nothing runs twice at once, and they may come back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from longshore.model.events import MachineAdded, MachineGone
from longshore_ssh.testing import Lab, Sshd

from .project import Project

_LONG = """
name = "long"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]
reconnect = "0.5 s"
orphan = "1 h"

[tasks.long]
command = "echo x >> $HOME/long; until test -e $HOME/gate; do sleep 0.02; done; echo done > out.txt"
outputs = ["out.txt"]

[tasks.next]
command = "echo x >> $HOME/next; cat workflow:///long/out.txt > out.txt"
outputs = ["out.txt"]
"""

_STUBBORN = """
name = "stubborn"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]
reconnect = "0.5 s"
orphan = "4 s"

[tasks.work]
command = '''
date +%s%N > $HOME/began
trap '' TERM
while [ $LONGSHORE_ATTEMPT = 1 ]; do date +%s%N >> $HOME/alive; sleep 0.02; done
echo done > out.txt
'''
grace = "1 s"
outputs = ["out.txt"]
"""


def test_a_host_that_comes_back_is_asked_what_became_of_its_attempts_and_takes_new_ones(
    lab: Lab, tmp_path: Path
) -> None:
    project = Project(tmp_path, lab, _LONG, hosts=1)
    [host] = lab.hosts
    controller = project.begin("run")
    project.until((host.home / "long").exists, "the start")

    host.stop()
    project.until(lambda: project.events(MachineGone), "the loss of the host")

    assert re.search(r"lab.h1 +out of reach; what it has is run elsewhere from .* on: ", project.say("status"))
    [told] = json.loads(project.say("status", "--json"))["out_of_reach"]
    assert told["machine"] == "lab.h1"
    assert re.search(r"its machine lab.h1 is out of reach.* elsewhere after", project.say("explain", "long"))
    (host.home / "gate").touch()
    host.start()
    project.ends_well(controller)

    assert project.count(["long", "next"]) == {"long": 1, "next": 1}
    assert [event.again for event in project.events(MachineAdded)] == [False, True]
    [result] = project.folder.glob("results/latest/next/out.txt")
    assert result.read_text() == "done\n"


@pytest.mark.parametrize("killed", [False, True], ids=["in one run", "when it is resumed"])
def test_what_a_host_has_that_does_not_come_back_runs_elsewhere_once_it_is_over_there(
    lab: Lab, tmp_path: Path, killed: bool
) -> None:
    project = Project(tmp_path, lab, _STUBBORN, hosts=2)
    controller = project.begin("run")
    lost = project.until(lambda: _with(lab, "alive"), "the start")

    if killed:
        controller.kill()
        controller.wait()
    lost.stop()
    if killed:
        controller = project.begin("resume")
    project.ends_well(controller)

    [other] = [host for host in lab.hosts if host is not lost]
    last = (lost.home / "alive").read_text().splitlines()[-1]
    assert int(last) < int((other.home / "began").read_text()), "it ran twice at once"
    assert not (other.home / "alive").exists()
    [result] = project.folder.glob("results/latest/work/out.txt")
    assert result.read_text() == "done\n"


def _with(lab: Lab, name: str) -> Sshd | None:
    found = [host for host in lab.hosts if (host.home / name).exists()]
    return found[0] if found else None
