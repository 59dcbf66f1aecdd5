"""Artifacts of one machine: they come home, go to other machines and to buckets, and come from there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve

from longshore.errors import PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.model.move_events import Moved
from longshore.plugin.abilities import Peers
from longshore.plugin.areas import Stages
from longshore.plugin.protocols import Session
from longshore.runtime.carrying import Wanted, carry
from longshore.runtime.lanes import Job, Lane
from longshore.runtime.not_started import words_of

if TYPE_CHECKING:
    from longshore.runtime.areas import BucketArea

__all__ = ["Moving"]

_log = logging.getLogger(__name__)


class Moving:
    """Every method returns at once, and its outcome is an event. What is asked for while something is on its way goes
    together, by the same way.
    """

    def __init__(self, machine: str, session: Session, post: Callable[..., None]) -> None:
        """Move until `close`; ``post`` takes events, from any thread."""
        self._machine = machine
        self._session = session
        self._post = post
        self._closed = False
        self._wanted: set[Future[None]] = set()
        """What somebody waits for."""
        self._home: list[Wanted] = []
        """What is to come home, and for which place, if it was wanted there."""
        self._pulls: dict[Moving, list[Artifact]] = {}
        self._outgoing: dict[BucketArea, list[Artifact]] = {}
        self._incoming: dict[BucketArea, list[Artifact]] = {}
        self._lock = threading.Lock()
        self._lane = Lane(f"data-{machine}")

    def add(self, job: Job) -> None:
        """Let a job that moves data be done in its turn."""
        self._lane.add(job)

    def bring(self, artifact: Artifact, *, target: str = "") -> None:
        """Bring an artifact home; those that are asked for meanwhile come with it. ``target`` is the place
        that wants it, and cannot get it otherwise.
        """
        with self._lock:
            self._home.append((artifact, target))
        self._lane.add(self._bring)

    def pull(self, artifact: Artifact, source: Moving) -> None:
        """Bring an artifact here from another machine; as with `bring`, those that are asked for meanwhile come
        with it.
        """
        with self._lock:
            self._pulls.setdefault(source, []).append(artifact)
        self._lane.add(lambda: self._pull(source))

    def stage_out(self, artifact: Artifact, area: BucketArea) -> None:
        """Bring an artifact from here to a bucket; with those that are asked for meanwhile, as with `bring`."""
        with self._lock:
            self._outgoing.setdefault(area, []).append(artifact)
        self._lane.add(lambda: self._stage_out(area))

    def stage_in(self, artifact: Artifact, area: BucketArea) -> None:
        """Bring an artifact here from a bucket; likewise."""
        with self._lock:
            self._incoming.setdefault(area, []).append(artifact)
        self._lane.add(lambda: self._stage_in(area))

    def obtain(self, artifact: Artifact) -> Future[None]:
        """Bring an artifact home, for somebody who waits for it; cancelled when the link is closed before that."""
        wanted: Future[None] = Future()
        with self._lock:
            if self._closed:
                wanted.cancel()
                return wanted
            self._wanted.add(wanted)
        self._lane.add(lambda: self._obtain(artifact, wanted))
        return wanted

    def close(self) -> None:
        """Take no more orders; what is on its way is not waited for, and those who wait for something are let go."""
        with self._lock:
            self._closed = True
            wanted, self._wanted = self._wanted, set()
        for each in wanted:
            each.cancel()
        self._lane.close()

    # --- in the thread of data

    def _bring(self) -> None:
        with self._lock:
            wanted, self._home = self._home, []
        self._carry(self._session.get, wanted, Moved(at=_now(), artifacts=(), source=self._machine))

    def _pull(self, source: Moving) -> None:
        with self._lock:
            wanted = [(artifact, self._machine) for artifact in self._pulls.pop(source, [])]
        session: object = self._session
        straight = False

        def pull(artifacts: Sequence[Artifact]) -> None:
            nonlocal straight
            if not isinstance(session, Peers):
                raise PeerOutOfReach(f"{self._machine} gets no data from others")
            straight = session.pull(artifacts, source._session)

        def moved(artifacts: tuple[Artifact, ...]) -> Moved:
            return Moved(
                at=_now(), artifacts=artifacts, source=source._machine, target=self._machine, straight=straight
            )

        try:
            carry(pull, wanted, source._machine, moved=moved, post=self._post)
        except PeerOutOfReach as error:
            _log.debug("data come by way of home: %s", error)
            for artifact, _ in wanted:
                source.bring(artifact, target=self._machine)

    def _stage_out(self, area: BucketArea) -> None:
        with self._lock:
            wanted = [(artifact, area.url) for artifact in self._outgoing.pop(area, [])]
        try:
            self._stage(wanted, self._machine, area.url, lambda stages, some: stages.stage_out(some, area))
        except PeerOutOfReach as error:
            _log.info("what %s has written comes home instead of going to %s: %s", self._machine, area.url, error)
            for artifact, _ in wanted:
                self.bring(artifact, target=area.url)

    def _stage_in(self, area: BucketArea) -> None:
        with self._lock:
            wanted = [(artifact, self._machine) for artifact in self._incoming.pop(area, [])]
        try:
            self._stage(wanted, area.url, self._machine, lambda stages, some: stages.stage_in(some, area))
        except PeerOutOfReach as error:
            _log.info("what is in %s comes home instead of going to %s: %s", area.url, self._machine, error)
            for artifact, _ in wanted:
                area.bring(artifact, target=self._machine)

    def _stage(
        self,
        wanted: Sequence[Wanted],
        source: str,
        target: str,
        move: Callable[[Stages, Sequence[Artifact]], None],
    ) -> None:
        """Let the machine move data to a bucket or from there."""
        session: object = self._session

        def staged(artifacts: Sequence[Artifact]) -> None:
            if not isinstance(session, Stages):
                raise PeerOutOfReach(f"{self._machine} has nothing to do with buckets")
            move(session, artifacts)

        self._carry(staged, wanted, Moved(at=_now(), artifacts=(), source=source, target=target, straight=True))

    def _carry(self, move: Callable[[Sequence[Artifact]], None], wanted: Sequence[Wanted], told: Moved) -> None:
        carry(
            move,
            wanted,
            told.source,
            moved=lambda artifacts: evolve(told, at=_now(), artifacts=artifacts),
            post=self._post,
        )

    def _obtain(self, artifact: Artifact, wanted: Future[None]) -> None:
        if not wanted.set_running_or_notify_cancel():
            return
        try:
            self._session.get([artifact])
        except Exception as error:  # noqa: BLE001  whoever waits is told, whatever a plugin raises
            wanted.set_exception(StagingError(f"{artifact.path} did not come from {self._machine}: {words_of(error)}"))
        else:
            self._post(Moved(at=_now(), artifacts=(artifact,), source=self._machine))
            wanted.set_result(None)
        with self._lock:
            self._wanted.discard(wanted)


def _now() -> datetime:
    return datetime.now(UTC)
