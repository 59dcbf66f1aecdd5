"""A project, a folder of wheels, and a computer with no environments that no other tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore import Run, RunOptions, load, start

Play = Callable[..., Run]


@pytest.fixture
def uv(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let machines of this computer have uv, which is quick."""
    folder = Path(sys.executable).parent
    if not (folder / "uv").exists():
        pytest.skip("there is no uv beside this Python; `make test` puts it there")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's environments. No uv is found unless a test asks for it."""
    folders = [each for each in os.environ["PATH"].split(os.pathsep) if not (Path(each) / "uv").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "computer"))
    return tmp_path / "cache" / "longshore" / "environments"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Where pip looks for packages, instead of any index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def play(project: Path) -> Play:
    """Write a workflow and run it to its end."""

    def run(text: str, **options: object) -> Run:
        (project / "longshore.toml").write_text(text)
        loaded = load(project / "longshore.toml")
        with start(loaded.spec, loaded.folder, RunOptions(**options)) as running:  # type: ignore[arg-type]  # test sugar
            running.wait(timeout=120)
        return running

    return run
