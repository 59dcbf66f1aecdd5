"""A cluster, and an executor for it: each attempt has a place of its own, made by `create` and gone after `release`.

To the core a cluster is one machine whose attempts share no files, and that keeps nothing once an attempt is over. So
outputs are brought home before the end is told, and the machine has the project's store (``store=""``).
"""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from attrs import evolve, frozen

from longshore.errors import FenceRefused, InputMissing, LongshoreError, MachineUnreachable, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item, attempt_id, split_attempt_id
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.machine import Machine
from longshore.model.outcome import FailureClass, Lost
from longshore.plugin.protocols import ExecutorContext, SessionEvent, Sink
from longshore.remote.store import has_object
from longshore.testing.fake_computer import FakeRemoteComputer
from longshore.testing.fake_remote import FakeRemoteConfig, FakeRemoteExecutor, FakeRemoteSession

__all__ = ["FakePodExecutor", "FakePodSession", "FakePodsConfig"]

_IDENTITY = "identity"
_FENCE = "fence"
_POD = "pod"


@frozen(kw_only=True)
class FakePodsConfig:
    """Options of a pool on such a cluster."""

    folder: Path
    """The cluster. Whoever is there has written into ``identity`` what it proves to be."""


class FakePodExecutor:
    """Executes each attempt in a pod: a folder below ``pods`` with a store and a supervisor of its own."""

    def __init__(self, config: FakePodsConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> FakePodSession:
        """Link to the cluster; no pod is made.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when there is no cluster, or another one than is meant.
        """
        cluster = _Cluster(self._config.folder, self._context.run)
        wanted = machine.tags.get(_IDENTITY, "")
        if cluster.identity != wanted:
            raise MachineUnreachable(f"{machine.id} proves to be {cluster.identity!r} and not {wanted!r}")
        cluster.raise_fence(fence)
        return FakePodSession(machine, cluster, fence, sink, self._context)


class _Cluster:
    """What the cluster's own server knows: its pods, and the fence of each run."""

    def __init__(self, folder: Path, run: str) -> None:
        self._folder = folder
        self._run = run

    @property
    def identity(self) -> str:
        with suppress(FileNotFoundError):
            return (self._folder / _IDENTITY).read_text()
        return ""

    def pod(self, attempt: str) -> Path:
        _, task, number = split_attempt_id(attempt)
        return self._folder / "pods" / f"{self._run}.{task}.{number}"

    def fence(self) -> int:
        with suppress(FileNotFoundError, ValueError):
            return int((self._folder / f"{self._run}.{_FENCE}").read_text())
        return 0

    def raise_fence(self, fence: int) -> None:
        with self._alone():
            self.check(fence)
            partial = self._folder / f"{self._run}.{_FENCE}.new"
            partial.write_text(str(fence))
            partial.replace(self._folder / f"{self._run}.{_FENCE}")

    def check(self, fence: int) -> None:
        known = self.fence()
        if fence < known:
            raise FenceRefused(f"a newer controller has taken run {self._run} over (its fence is {known})")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with open(self._folder / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class FakePodSession:
    """A link to the cluster, and one to each pod of the run that it has been asked about."""

    def __init__(self, machine: Machine, cluster: _Cluster, fence: int, sink: Sink, context: ExecutorContext) -> None:
        self._machine = machine
        self._cluster = cluster
        self._fence = fence
        self._sink = sink
        self._context = context
        self._pods: dict[str, FakeRemoteSession] = {}
        self._outputs: set[str] = set()
        self._gone = threading.Lock()

    def drop(self) -> None:
        """Cut all links once, as a network does."""
        for pod in list(self._pods.values()):
            pod.drop()

    def create(self, attempt: AttemptSpec) -> None:
        """Make the attempt's pod, or find it."""
        self._cluster.check(self._fence)
        self._pod(attempt.id, make=True).create(attempt)

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        """Bring its inputs into the pod."""
        self._pod(attempt, make=False).put(attempt, items)

    def go(self, attempt: str) -> None:
        """Start the command in its pod. What has no pod was never created, or was released: nothing happens."""
        self._cluster.check(self._fence)
        if self._cluster.pod(attempt).exists():
            self._pod(attempt, make=False).go(attempt)

    def adopt(self, attempts: Collection[str]) -> None:
        """Ask each pod; what has none was never started."""
        for attempt in attempts:
            if self._cluster.pod(attempt).exists():
                self._pod(attempt, make=False).adopt([attempt])
            else:
                _, task, number = split_attempt_id(attempt)
                never = Lost("never started")
                self._sink(
                    AttemptEnded(
                        at=datetime.now(UTC),
                        task=task,
                        attempt=number,
                        outcome=never,
                        failure=FailureClass.MACHINE_LOST,
                        evidence="it has no pod",
                    )
                )

    def cancel(self, attempt: str) -> None:
        """End the command. Silent for what has no pod."""
        if self._cluster.pod(attempt).exists():
            self._pod(attempt, make=False).cancel(attempt)

    def get(self, artifacts: Collection[Artifact]) -> None:
        """See that they are here: they came before the end was told, and no pod is asked again.

        Raises:
            InputMissing: when one is not here.
        """
        for artifact in artifacts:
            if not has_object(str(self._context.store_folder), artifact.sha256):
                raise InputMissing(f"{artifact.path} is not here, and its pod may be gone")

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        """Bring files of a workdir, as long as its pod is there."""
        self._pod(attempt, make=False).fetch(attempt, paths, into)

    def discard(self, digests: Collection[str]) -> None:
        """Nothing: no pod keeps anything for another one."""

    def release(self, attempt: str) -> None:
        """Remove the pod, and all that was in it."""
        place = self._cluster.pod(attempt)
        if not place.exists():
            return
        with suppress(LongshoreError):
            pod = self._pod(attempt, make=False)
            pod.release(attempt)
            pod.close()
            FakeRemoteComputer(place / _POD).wait_idle(self._context.run)
        self._pods.pop(attempt, None)
        shutil.rmtree(place, ignore_errors=True)

    def beat(self, until: datetime) -> None:
        """Tell each pod that it is attended to."""
        for pod in list(self._pods.values()):
            pod.beat(until)

    def close(self) -> None:
        """Drop all links; pods live on."""
        for pod in list(self._pods.values()):
            pod.close()

    def _pod(self, attempt: str, *, make: bool) -> FakeRemoteSession:
        """Link to a pod.

        Raises:
            MachineUnreachable: when there is none.
        """
        if attempt not in self._pods:
            place = self._cluster.pod(attempt)
            if make:
                FakeRemoteComputer(place / _POD).prepare(self._cluster.identity)
            elif not place.exists():
                raise MachineUnreachable(f"{attempt} has no pod")
            executor = FakeRemoteExecutor(FakeRemoteConfig(folder=place), self._context)
            there = evolve(self._machine, id=_POD)
            self._pods[attempt] = executor.open(there, fence=self._fence, sink=self._take)
        return self._pods[attempt]

    def _take(self, *events: SessionEvent) -> None:
        """Pass on what pods tell, an end not before its outputs are at home. One pod that is out of reach is not the
        cluster, unless a newer controller has it.
        """
        for event in events:
            match event:
                case AttemptEnded():
                    self._sink(self._brought_home(event))
                case MachineGone():
                    self._tell_gone(event)
                case AttemptStarted() | EnvironmentBuilt() | EnvironmentFailed():
                    self._sink(event)

    def _brought_home(self, event: AttemptEnded) -> AttemptEnded:
        try:
            self._pods[attempt_id(self._context.run, event.task, event.attempt)].get(event.outputs)
        except (StagingError, MachineUnreachable) as error:
            return evolve(event, outputs=(), failure=FailureClass.STAGING, evidence=str(error))
        return event

    def _tell_gone(self, event: MachineGone) -> None:
        if self._gone.acquire(blocking=False):  # once, however many pods there are
            self._sink(evolve(event, machine=self._machine.id))
