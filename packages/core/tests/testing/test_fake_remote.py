"""The kit's remote-shaped executor keeps the laws, and what is special to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.errors import MachineUnreachable
from longshore.model.command import Shell
from longshore.model.machine import Machine
from longshore.model.outcome import Exited
from longshore.model.resources import Resources
from longshore.remote.store import object_path
from longshore.testing import (
    ExecutorBench,
    ExecutorContract,
    FakeRemoteComputer,
    FakeRemoteConfig,
    FakeRemoteExecutor,
)
from longshore.testing.fake_remote import FakeRemoteSession


def machine(identity: str = "key-1") -> Machine:
    return Machine(id="far", pool="p", resources=Resources(cpus=8.0), tags={"identity": identity})


class Bench(ExecutorBench):
    """One run on a computer that is a folder."""

    def __init__(self, folder: Path, *, reconnect: timedelta = timedelta(seconds=60)) -> None:
        self.computer = FakeRemoteComputer(folder / "world" / "far")
        self.computer.prepare("key-1")
        super().__init__(
            folder,
            FakeRemoteExecutor,
            FakeRemoteConfig(folder=folder / "world", reconnect=reconnect),
            machine(),
            cut=self.drop,
            kill=lambda: self.computer.crash("r"),
            imposter=machine("key-2"),
        )

    def drop(self) -> None:
        """Cut the link once."""
        session = self.session
        assert isinstance(session, FakeRemoteSession)
        session.drop()

    def close(self) -> None:
        """Leave nothing running."""
        self.computer.mend()
        super().close()
        self.computer.wait_idle("r")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with closing(Bench(tmp_path)) as bench:
        yield bench


class TestFakeRemote(ExecutorContract):
    """All laws; nothing is skipped."""


def test_nothing_of_the_machine_lies_among_our_files(bench: Bench) -> None:
    ended = bench.execute("a", Shell("echo x > o.txt"), outputs=("o.txt",))

    assert not (bench.store / "objects").exists()
    bench.session.get(ended.outputs)
    assert Path(object_path(str(bench.store), ended.outputs[0].sha256)).read_text() == "x\n"


def test_a_link_that_comes_back_in_time_is_not_noticed(bench: Bench) -> None:
    bench.waiting("a")
    bench.computer.cut()
    bench.drop()
    bench.computer.mend()

    bench.open_gate()

    assert bench.ended("a").outcome == Exited(0)


def test_a_link_that_stays_away_is_told_once_and_the_attempt_lives_on(tmp_path: Path) -> None:
    with closing(Bench(tmp_path, reconnect=timedelta(seconds=0.5))) as bench:
        identity = bench.waiting("a")
        bench.computer.cut()
        bench.drop()

        assert "no link for 0.5 s" in bench.gone().reason
        with pytest.raises(MachineUnreachable, match="does not answer"):
            bench.open(fence=2)
        bench.computer.mend()
        bench.open(fence=2).adopt([identity])
        bench.open_gate()

        assert bench.ended("a").outcome == Exited(0)
