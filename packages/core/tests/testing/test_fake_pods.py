"""The kit's pod-shaped executor keeps the laws, and what is special to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from longshore.model.attempt import AttemptSpec
from longshore.model.command import Argv, Shell
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.remote.digest import digest_bytes
from longshore.testing import ExecutorBench, ExecutorContract, FakePodExecutor, FakePodsConfig, FakeRemoteComputer
from longshore.testing.fake_pods import FakePodSession


def machine(identity: str = "cluster-1") -> Machine:
    return Machine(id="cluster", pool="p", resources=Resources(cpus=8.0), tags={"identity": identity}, store="")


class Bench(ExecutorBench):
    """One run on a cluster that is a folder."""

    def __init__(self, folder: Path) -> None:
        self.cluster = folder / "cluster"
        self.cluster.mkdir()
        (self.cluster / "identity").write_text("cluster-1")
        super().__init__(
            folder,
            FakePodExecutor,
            FakePodsConfig(folder=self.cluster),
            machine(),
            cut=self.drop,
            kill=self.kill_all,
            imposter=machine("cluster-2"),
        )

    def pods(self) -> list[str]:
        """Name those that are there."""
        return sorted(path.name for path in self.cluster.glob("pods/*"))

    def drop(self) -> None:
        """Cut the links once."""
        session = self.session
        assert isinstance(session, FakePodSession)
        session.drop()

    def kill_all(self) -> None:
        """Kill what is in each pod."""
        for name in self.pods():
            with suppress(IndexError):  # nobody is in it yet
                FakeRemoteComputer(self.cluster / "pods" / name / "pod").crash("r")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    for name in bench.pods():
        FakeRemoteComputer(bench.cluster / "pods" / name / "pod").wait_idle("r")


class TestFakePods(ExecutorContract):
    """All laws that a place without a memory can keep."""


def test_there_is_nothing_before_create_and_nothing_after_release(bench: Bench) -> None:
    spec = AttemptSpec(id="r/a/1", command=Argv(("true",)))
    bench.session.go(spec.id)
    assert bench.pods() == []

    bench.session.create(spec)
    bench.session.create(spec)
    assert bench.pods() == ["r.a.1"]
    bench.session.go(spec.id)
    bench.ended("a")
    assert bench.pods() == ["r.a.1"]

    bench.session.release(spec.id)
    bench.session.release(spec.id)
    assert bench.pods() == []
    bench.session.go(spec.id)
    bench.session.cancel(spec.id)
    assert bench.pods() == []


def test_outputs_are_at_home_when_the_end_is_told_and_stay_when_the_pod_has_gone(bench: Bench) -> None:
    ended = bench.execute("a", Shell("echo hello > o.txt"), outputs=("o.txt",))

    assert (bench.store / "objects" / ended.outputs[0].sha256[:2] / digest_bytes(b"hello\n")).exists()
    bench.session.release("r/a/1")
    bench.session.get(ended.outputs)


def test_attempts_share_no_files(bench: Bench) -> None:
    bench.execute("a", Shell("echo secret > $HOME/note"))

    assert bench.execute("b", Shell("test ! -e $HOME/note")).failure is None
