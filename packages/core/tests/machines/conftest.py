from __future__ import annotations

from pathlib import Path

import pytest

from .world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A cloud with sixty machines of strangers."""
    return World(tmp_path, crowd=60)
