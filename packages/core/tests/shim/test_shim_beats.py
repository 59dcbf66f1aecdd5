"""A machine without Python that ends itself unless attended to, or is taken away by its cloud: the shim talks to the
machine's own watch, as the supervisor does.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from longshore.remote.protocol import VERSION
from longshore.remote.shim_session import shim_program
from longshore.remote.words import encode

from .bench import SHELLS, Shell


class _Link:
    """A bare link to a shim."""

    def __init__(self, folder: Path, shell: Shell, beat: Path) -> None:
        program = folder / "shim.sh"
        program.write_bytes(shim_program())
        self._process = subprocess.Popen(
            [*shell.words, str(program), "link", str(folder / "run")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(shell.env(folder)),
        )
        self.until("linked")
        self.say(
            op="hello",
            version=VERSION,
            fence=1,
            cpus=2.0,
            memory=0,
            gpus=[],
            slots=None,
            env=None,
            store=str(folder / "run" / "store"),
            unattended=60.0,
            beat_file=str(beat),
        )
        self.until("hello")

    def say(self, **message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(encode(message))
        self._process.stdin.flush()

    def go(self, identity: str, *argv: str, warn: bool) -> None:
        self.say(op="go", id=identity, argv=list(argv), warn=warn, env={})

    def until(self, event: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told: dict[str, Any] = json.loads(line)
            if told["event"] == event:
                return told
        raise AssertionError(f"hung up before {event}")

    def close(self) -> None:
        self.say(op="leave")
        self._process.communicate(timeout=120)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell.name))
def test_each_beat_is_passed_on_to_the_machines_own_watch(tmp_path: Path, shell: Shell) -> None:
    beat = tmp_path / "wat ch$" / "beat"
    beat.parent.mkdir()
    link = _Link(tmp_path, shell, beat)
    link.say(op="beat", unattended=60.0)
    link.until("beat")
    beat.unlink()

    link.say(op="beat", unattended=60.0)
    link.until("beat")

    assert beat.exists()
    link.close()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell.name))
def test_a_machine_without_a_watch_is_attended_to_all_the_same(tmp_path: Path, shell: Shell) -> None:
    link = _Link(tmp_path, shell, tmp_path / "nobody" / "beat")

    link.say(op="beat", unattended=60.0)

    link.until("beat")
    link.close()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell.name))
def test_a_notice_is_told_and_only_those_are_asked_to_end_that_wanted_to_be(tmp_path: Path, shell: Shell) -> None:
    beat = tmp_path / "wat ch$" / "beat"
    told = tmp_path / "wat ch$-notice"
    beat.parent.mkdir()
    told.mkdir()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    link = _Link(tmp_path, shell, beat)
    link.go("r/warned/1", "sleep", "600", warn=True)
    link.go("r/other/1", "cat", str(gate), warn=False)
    assert {link.until("started")["id"] for _ in range(2)} == {"r/warned/1", "r/other/1"}

    (told / "new").write_text("1900000000\n")
    (told / "new").rename(told / "notice")

    assert link.until("notice")["at"] == 1900000000
    ended = link.until("ended")
    assert (ended["id"], ended["failure"]) == ("r/warned/1", "preempted")
    gate.write_bytes(b"")
    ended = link.until("ended")
    assert (ended["id"], ended["code"]) == ("r/other/1", 0)
    link.close()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: str(shell.name))
def test_a_notice_is_told_to_each_link(tmp_path: Path, shell: Shell) -> None:
    beat = tmp_path / "watch" / "beat"
    told = tmp_path / "watch-notice"
    beat.parent.mkdir()
    told.mkdir()
    (told / "notice").write_text("1900000000\n")

    for _ in range(2):
        link = _Link(tmp_path, shell, beat)

        assert link.until("notice")["at"] == 1900000000
        link.close()
