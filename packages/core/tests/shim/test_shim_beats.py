"""A machine without Python that ends itself unless attended to: the shim tells its watch, as the supervisor does."""

from __future__ import annotations

import json
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
            cpus=1.0,
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

    def until(self, event: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if json.loads(line)["event"] == event:
                return
        raise AssertionError(f"hung up before {event}")

    def close(self) -> None:
        self.say(op="leave")
        self._process.communicate(timeout=30)


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
