"""A shim keeps the laws of an executor under every shell that it may meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.testing import ExecutorContract

from .bench import SHELLS, Bench, Shell


@pytest.fixture(params=SHELLS, ids=lambda shell: str(shell.name))
def shell(request: pytest.FixtureRequest) -> Shell:
    """Each shell in turn."""
    found = request.param
    assert isinstance(found, Shell)
    return found


@pytest.fixture
def bench(tmp_path: Path, shell: Shell) -> Iterator[Bench]:
    """A run on such a computer."""
    bench = Bench(tmp_path, shell)
    yield bench
    bench.close()


class TestShim(ExecutorContract):
    """The contract."""
