"""An executor around the kit's remote one, in which single methods can be done wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs

from longshore.errors import FenceRefused
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.environment import BuildSpec
from longshore.model.load import MachineLoad
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext, Session, Sink
from longshore.remote.peers import PeerSession
from longshore.testing import ExecutorBench, FakeRemoteComputer, FakeRemoteConfig, FakeRemoteExecutor
from longshore.testing.executor_bench import Told
from longshore.testing.fake_remote import FakeRemoteLink, FakeRemoteSession

IMPATIENT_SECONDS = 3.0
"""What is to be caught because it never tells what a law waits for costs so much."""
_PATIENT_SECONDS = 120.0


class WrappedSession:
    """Passes everything on. A mutant does one method in another way."""

    def __init__(self, context: ExecutorContext, sink: Sink) -> None:
        self.context = context
        self.sink = sink
        self.specs: dict[str, AttemptSpec] = {}
        self.inner: _Way

    def tell(self, *events: Told) -> None:
        self.sink(*events)

    def create(self, attempt: AttemptSpec) -> None:
        self.specs[attempt.id] = attempt
        self.inner.create(attempt)

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        self.inner.put(attempt, items)

    def go(self, attempt: str) -> None:
        self.inner.go(attempt)

    def adopt(self, attempts: Collection[str]) -> None:
        self.inner.adopt(attempts)

    def cancel(self, attempt: str) -> None:
        self.inner.cancel(attempt)

    def get(self, artifacts: Collection[Artifact]) -> None:
        self.inner.get(artifacts)

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        self.inner.fetch(attempt, paths, into)

    def discard(self, digests: Collection[str]) -> None:
        self.inner.discard(digests)

    def release(self, attempt: str) -> None:
        self.inner.release(attempt)

    def beat(self, until: datetime) -> None:
        self.inner.beat(until)

    def build(self, build: BuildSpec) -> None:
        self.inner.build(build)

    def measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        self.inner.measure(every, told)

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        return self.inner.pull(artifacts, source.inner if isinstance(source, WrappedSession) else source)

    def close(self) -> None:
        self.inner.close()

    def drop(self) -> None:
        self.inner.drop()


class _Way(PeerSession, FakeRemoteSession):
    """Gets data from other such computers, through this one."""


class _Good(FakeRemoteExecutor):
    def _session(self, machine: str, hello: dict[str, Any], link: FakeRemoteLink, sink: Sink) -> FakeRemoteSession:
        return _Way(machine, hello, link, sink, self._context)


class Wrapping:
    """Opens sessions of one kind, each around a good one."""

    def __init__(self, kind: type[WrappedSession], config: FakeRemoteConfig, context: ExecutorContext) -> None:
        self._kind = kind
        self._context = context
        self._good = _Good(config, context)

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> WrappedSession:
        session = self._kind(self._context, sink)
        inner = self._good.open(self.meant(machine), fence=self.fence(fence), sink=session.tell)
        assert isinstance(inner, _Way)
        session.inner = inner
        return session

    def meant(self, machine: Machine) -> Machine:
        return machine

    def fence(self, fence: int) -> int:
        return fence


def far(identity: str = "key-1") -> Machine:
    return Machine(id="far", pool="p", resources=Resources(cpus=8.0), tags={"identity": identity})


class MutantBench(ExecutorBench):
    """A run with a mutant on a computer that is a folder."""

    def __init__(
        self,
        folder: Path,
        kind: type[WrappedSession],
        executor: type[Wrapping] = Wrapping,
        *,
        seconds: float = _PATIENT_SECONDS,
    ) -> None:
        self.computer = FakeRemoteComputer(folder / "world" / "far")
        self.computer.prepare("key-1")
        self.other = FakeRemoteComputer(folder / "world" / "near")
        super().__init__(
            folder,
            lambda config, context: executor(kind, config, context),
            FakeRemoteConfig(folder=folder / "world", reconnect=timedelta(seconds=seconds / 3)),
            far(),
            cut=self._drop,
            kill=lambda: self.computer.crash("r"),
            imposter=far("key-2"),
            peer=self._near,
            seconds=seconds,
        )

    def _near(self) -> Machine:
        self.other.prepare("key-1")
        return attrs.evolve(far(), id="near")

    def _drop(self) -> None:
        session = self.session
        assert isinstance(session, WrappedSession)
        session.drop()

    def end(self) -> None:
        """End what is left, whatever the mutant thinks of it."""
        self.kill = None
        for session in self._sessions:
            assert isinstance(session, WrappedSession)
            for identity in self._begun:
                with suppress(FenceRefused):
                    session.inner.cancel(identity)
            session.inner.close()
        for computer in (self.computer, self.other):
            computer.wait_idle("r")
