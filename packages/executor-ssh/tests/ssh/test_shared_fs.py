"""Hosts that have a file system in common: each with a home of its own, and one folder for all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from longshore_ssh.testing import Lab

from .project import Project

BIG_BYTES = 4 << 20

_FAN = """
name = "fan"

[pools.lab]
executor = "ssh"
shared_fs = true
folder = "{folder}"
hosts = [{hosts}]

[tasks.make]
command = "head -c 4194304 /dev/urandom > made; cat given > /dev/null; echo x >> $HOME/make"
inputs = ["given"]
outputs = ["made"]

[tasks.use]
for_each.n = { range = [1, 6] }
needs = { cpus = 0.6 }
command = '''
cmp given workflow:///make/made; wc -c workflow:///make/made > size; echo x >> $HOME/use
touch {folder}/by-$(echo "$HOME" | tr / .); until test $(ls {folder}/by-* | wc -l) = 3; do sleep 0.02; done
'''
inputs = ["given"]
outputs = ["size"]
"""


def folder_for_all(lab: Lab) -> Path:
    folder = lab.folder / "disk"
    folder.mkdir()
    if not os.getuid():
        shutil.chown(folder, lab.user)
    return folder


@pytest.mark.parametrize("bare", [False, True], ids=["python", "bare"])
def test_what_one_host_has_is_there_for_all_and_nothing_is_sent_twice(
    lab: Lab, tmp_path: Path, no_python: Path, bare: bool
) -> None:
    folder = folder_for_all(lab)
    text = _FAN.replace("{folder}", str(folder)).replace("cmp given", "! cmp -s given")
    project = Project(tmp_path, lab, text, hosts=3, path=no_python if bare else None, metered=True)
    (project.folder / "given").write_bytes(os.urandom(BIG_BYTES))

    project.say("run")

    assert project.count(["make", "use"]) == {"make": 1, "use": 6}
    assert len(project.users_of("use")) == 3, "all three hosts were meant to take part"
    sent = sum(meter.sent for meter in project.meters)
    received = sum(meter.received for meter in project.meters)
    assert sent < 1.5 * BIG_BYTES, "the one file of the project travels once, or not at all"
    assert received < 0.5 * BIG_BYTES, "what one host has written comes by no other way to the others"
    assert list(folder.glob("runs/*")) == [], "something of the run is left"


def test_hosts_that_do_not_share_what_they_are_said_to_share_are_named(lab: Lab, tmp_path: Path) -> None:
    text = _FAN.replace("{folder}", "~/apart")
    project = Project(tmp_path, lab, text, hosts=2)
    (project.folder / "given").write_text("x")

    said = project.fail("run")

    assert "does not see what lab.h" in said
    assert "leave shared_fs out" in said
    assert "Traceback" not in said
