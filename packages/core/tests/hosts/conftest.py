"""Runs on hosts that share no files with this computer: folders with a store, a supervisor and a link each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .rig import Rig


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    monkeypatch.syspath_prepend(str(rig.plugins))
    yield rig
    rig.end()
    sys.modules.pop("fake_hosts", None)
