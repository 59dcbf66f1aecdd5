"""A sandbox in real time, a ledger of its own, and a project whose runs rent there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore import Run, RunOptions, load, start
from longshore.runtime.history import RunReader
from longshore.runtime.ledger import Ledger
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore_sandbox import CloudClient

CLOUD = """
listing_lag = "50 ms"
latency = "5 ms"
quota = 6
"""
HEAD = """
name = "pv"
[providers.sandbox]
owner = "me"
[pools.cloud]
provider = "sandbox"
executor = "sandbox"
reconnect = "300 ms"
"""
Play = Callable[..., Run]
Sandbox = Callable[..., CloudClient]


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Open the user's cloud with more settings; it is closed when the test has ended."""
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = state / "longshore" / "sandbox"
    client = CloudClient(folder)

    def open_with(settings: str = "", *, deadline: str = "60 s") -> CloudClient:
        folder.mkdir(parents=True)
        (folder / "cloud.toml").write_text(f'{CLOUD}deadline = "{deadline}"\n{settings}')
        return client

    yield open_with
    if folder.exists():
        client.reset()
        client.shut_down()
        shutil.rmtree(folder)


@pytest.fixture
def cloud(sandbox: Sandbox) -> CloudClient:
    """As it is."""
    return sandbox()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[CloudClient]:
    """Another cloud, which calls its machines as the first one does."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "cloud.toml").write_text(f'{CLOUD}deadline = "60 s"\n')
    client = CloudClient(folder)
    yield client
    client.reset()
    client.shut_down()


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Begin a run of a workflow whose pool has these words."""
    project = tmp_path / "project"
    project.mkdir()

    def begin_run(pool: str, tasks: str, **options: object) -> Run:
        (project / "longshore.toml").write_text(f"{HEAD}{pool}\n{tasks}")
        loaded = load(project / "longshore.toml")
        return start(loaded.spec, loaded.folder, RunOptions(**options))  # type: ignore[arg-type]  # test sugar

    return begin_run


def phases(run: Run) -> dict[str, str]:
    return {task.id: task.phase for task in run.tasks()}


def check_nothing_is_left(cloud: CloudClient, run: Run) -> None:
    """No machine, no lease, no side resource; and the journal tells all of it."""
    assert cloud.living() == []
    assert cloud.sides == {}
    with Ledger.open() as ledger:
        assert ledger.leases() == []
    check_the_journal_tells_all(run)


def check_the_journal_tells_all(run: Run) -> None:
    reader = RunReader(run.folder)
    state = begin(reader.workflow())
    for _, event in reader.events():
        apply(state, event)
    live = run._engine.runner.state
    assert {name: vars_of(lease) for name, lease in state.leases.items()} == {
        name: vars_of(lease) for name, lease in live.leases.items()
    }
    assert {name: task.phase for name, task in state.tasks.items()} == {
        name: task.phase for name, task in live.tasks.items()
    }


def vars_of(thing: object) -> dict[str, object]:
    return {name: getattr(thing, name) for name in thing.__slots__ if name != "__weakref__"}  # type: ignore[attr-defined]
