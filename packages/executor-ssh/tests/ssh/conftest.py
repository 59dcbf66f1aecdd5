"""Hosts for all tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_ssh.testing import Lab, missing, programs_without_python


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Hosts on loopback addresses, gone afterwards."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def no_python() -> Iterator[Path]:
    """A folder with all programs but Python; made once, since they are many."""
    folder = Path(tempfile.mkdtemp(prefix="longshore-ssh-programs-"))
    yield programs_without_python(folder)
    shutil.rmtree(folder)
