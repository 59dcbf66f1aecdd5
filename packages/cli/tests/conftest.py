from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Project, end_clouds, end_marked


@pytest.fixture(autouse=True)
def _end_clouds(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the sandboxes that a test has rented from, and their machines: they outlive whoever started them."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        end_clouds(folder)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project; what its runs leave behind is ended with it."""
    mark = f"LONGSHORE_TEST_MARK={uuid.uuid4().hex}"
    home, folder = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    folder.mkdir()
    key, _, value = mark.partition("=")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        key: value,
    }
    yield Project(folder, env)
    end_marked(mark)
