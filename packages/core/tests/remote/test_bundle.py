"""What is sent to other computers: one file, the standard library, Python 3.8."""

from __future__ import annotations

import ast
import io
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import longshore.remote
from longshore.remote.bundle import MODULES, build_bundle
from longshore.remote.protocol import VERSION, Lines, decode_lines, encode

HERE = Path(longshore.remote.__path__[0])
CONTROLLERS = {
    "asking",
    "beginning",
    "bringing",
    "channel",
    "deaths",
    "discards",
    "outstanding",
    "patience",
    "peers",
    "remote_session",
    "session",
    "sharing",
    "shim_session",
    "shim_transfers",
    "sources",
    "speech",
    "staged",
    "transfers",
    "wire",
    "wire_builds",
    "wire_loads",
    "words",
}
"""The controller's side of the link."""
LOCAL = {"__init__", "build", "bundle", "start", "starter"}
"""Needed on the controller's computer only."""
SECONDS = 120.0


def test_every_module_is_sent_or_known_not_to_be() -> None:
    assert {path.stem for path in HERE.glob("*.py")} == {*MODULES, *CONTROLLERS, *LOCAL}
    assert list(MODULES) == sorted(MODULES)


@pytest.mark.parametrize("module", [*MODULES, "build", "start", "starter"])
def test_what_is_sent_is_python_38_and_imports_the_standard_library_alone(module: str) -> None:
    tree = ast.parse((HERE / f"{module}.py").read_text(), feature_version=(3, 8))

    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.partition(".")[0] == "longshore"}
    assert {name.partition(".")[0] for name in imported - ours} <= sys.stdlib_module_names
    assert {name.removeprefix("longshore.remote.") for name in ours} <= set(MODULES)


def test_equal_modules_give_an_equal_bundle() -> None:
    assert build_bundle() == build_bundle()
    with zipfile.ZipFile(io.BytesIO(build_bundle())) as archive:
        assert len(archive.namelist()) == len(MODULES) + 3


def pythons() -> list[str]:
    """Every Python from 3.8 on that this computer has."""
    found = {f"python3.{minor}": shutil.which(f"python3.{minor}") for minor in range(8, 15)}
    working = [path for path in found.values() if path and runs(path)]
    return [sys.executable, *working]


def runs(python: str) -> bool:
    return not subprocess.run([python, "-c", ""], capture_output=True, check=False, timeout=SECONDS).returncode


class Link:
    """A bare link to a supervisor, without any of the controller's own code."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._link.settimeout(SECONDS)
        self._lines = Lines()
        self._told: list[dict[str, Any]] = []

    def say(self, **message: Any) -> None:
        self._link.sendall(encode(message))

    def hear(self, event: str) -> dict[str, Any]:
        while True:
            for index, told in enumerate(self._told):
                if told["event"] == event:
                    return self._told.pop(index)
            content = self._link.recv(1 << 16)
            assert content, f"hung up before {event}; told {self._told}"
            whole = self._lines.take(content)
            self._told += decode_lines(whole) if whole else []

    def until_end(self) -> None:
        while self._link.recv(1 << 16):
            pass


def hello(folder: Path, python: str) -> dict[str, Any]:
    return {
        "op": "hello",
        "version": VERSION,
        "fence": 1,
        "cpus": 2.0,
        "memory": 1 << 30,
        "gpus": [],
        "slots": None,
        "env": None,
        "python": python,
        "project": str(folder),
        "store": str(folder / "store"),
        "unattended": 60.0,
    }


@pytest.mark.parametrize("python", pythons())
def test_the_bundle_serves_by_its_standard_input_on_every_python(tmp_path: Path, python: str) -> None:
    bundle = tmp_path / "supervisor.pyz"
    bundle.write_bytes(build_bundle())
    ours, theirs = socket.socketpair()
    with ours, theirs, (tmp_path / "errors").open("wb") as errors:
        command = [python, "-I", "-S", str(bundle), "supervise", str(tmp_path / "machine")]
        subprocess.run(command, stdin=theirs.fileno(), stdout=errors, stderr=errors, check=True, timeout=SECONDS)
        theirs.close()
        link = Link(ours)
        link.say(**hello(tmp_path, python))
        link.hear("hello")
        (tmp_path / "task.py").write_text("def add(a, b): return a + b\n")

        link.say(op="go", id="r/a/1", argv=["sh", "-c", "echo x > out; mkdir d; ln -s y d/l"], outputs=["out", "d/"])
        link.say(op="go", id="r/b/1", call={"function": "task:add", "arguments": '{"args": [40, 2]}'})
        ends = {told["id"]: told for told in (link.hear("ended"), link.hear("ended"))}

        assert [row[0] for row in ends["r/a/1"]["outputs"]] == ["out", "d"]
        assert ends["r/b/1"].get("result") == "42", ends["r/b/1"]["evidence"]
        link.say(op="leave")
        link.until_end()
    assert (tmp_path / "errors").read_text() == ""
    assert sorted(os.listdir(tmp_path / "machine")) == ["fence", "lock", "logs", "record", "work", "worker.py"]
