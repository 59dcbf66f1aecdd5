"""A controller whose disk is full."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import SECONDS, Project, new_project

_WORKFLOW = """
name = "full"
[tasks.first]
command = "echo x >> {aside}/first"
[tasks.fill]
command = "head -c 10000000 /dev/zero > {disk}/filler; echo x >> {aside}/fill"
after = ["first"]
[tasks.last]
command = "echo x >> {aside}/last"
after = ["fill"]
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A project on a disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, check=False, timeout=SECONDS
    )
    if made.returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        with new_project(disk) as project:
            project.write(_WORKFLOW.format(aside=tmp_path, disk=disk))
            yield project
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True, timeout=SECONDS)


def test_a_controller_whose_disk_is_full_stops_with_words_and_goes_on_when_there_is_room(
    small: Project, tmp_path: Path
) -> None:
    stopped = small.call("run", code=1)

    assert "no room left on the disk of" in stopped.err
    assert "`longshore resume" in stopped.err
    assert "Traceback" not in stopped.err
    (tmp_path / "disk" / "filler").unlink()
    small.call("resume", "-q")
    assert {name: (tmp_path / name).read_text() for name in ("first", "fill", "last")} == dict.fromkeys(
        ("first", "fill", "last"), "x\n"
    )
