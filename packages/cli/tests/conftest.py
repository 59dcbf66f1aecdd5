from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Project, end_clouds, new_project


@pytest.fixture(autouse=True, scope="session")
def _heard_signals() -> Iterator[None]:
    """Let programs that tests start hear what a terminal sends, though nohup or a script's `&` has begun the tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    ignored = [number for number, how in before.items() if how is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


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
    with new_project(tmp_path) as made:
        yield made
