"""A project's folder on the disk, away from the user's own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from longshore.config.load import Loaded, load

Write = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own settings; empty."""
    home = tmp_path / "settings"
    home.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a project."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def read(folder: Path) -> Write:
    """Write ``longshore.toml``, and other files by their paths, and load it."""

    def write(
        text: str,
        files: Mapping[str, str] | None = None,
        overrides: tuple[str, ...] = (),
        strategy: str | None = None,
    ) -> Loaded:
        for path, content in (files or {}).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        (folder / "longshore.toml").write_text(text)
        return load(folder, overrides, strategy=strategy)

    return write
