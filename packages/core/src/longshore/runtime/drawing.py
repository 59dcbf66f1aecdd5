"""Objects that machines get from buckets and from the web by themselves, for attempts that read them. What a machine
does not get that way comes to this computer, from which it is sent like everything else.

An object that somebody has read is verified by its digest. One that nobody has read has none: the attempt's machine
reads it and says what it is, then the journal, and only then the attempt is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from attrs import field, frozen

from longshore.errors import DigestMismatch, InputMissing, PeerOutOfReach
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.events import AttemptEnded, TasksIdentified
from longshore.model.move_events import Moved
from longshore.model.outcome import Lost
from longshore.plugin.areas import Reads, Request, Stages, Unread
from longshore.plugin.protocols import Session
from longshore.runtime.dispatch import Remote
from longshore.runtime.identify import Identifier
from longshore.runtime.inputs import Resolved
from longshore.runtime.objects import Objects, bucket_of, public
from longshore.scheduler.actions import StartAttempt
from longshore.scheduler.away_actions import StageAttempt
from longshore.scheduler.state import RunState

__all__ = ["Drawing"]

_log = logging.getLogger(__name__)

_AT_ONCE = 50
"""So many objects are granted and read together: what is granted is good for a while only."""


class Drawing:
    """Has machines get objects. The runner's thread asks; the work is done in the machines' threads of data."""

    def __init__(
        self, objects: Objects, identifier: Identifier, ready: dict[str, Resolved], post: Callable[..., None]
    ) -> None:
        """Begin with nothing.

        Args:
            objects: what is known of them.
            identifier: looks at a task again when its objects were read.
            ready: takes what a task turned out to be, before that is told.
            post: takes events, from any thread.
        """
        self._objects = objects
        self._identifier = identifier
        self._ready = ready
        self._post = post
        self._reading: dict[str, StartAttempt | StageAttempt] = {}
        self._apart: set[tuple[str, str]] = set()
        """Machines, and buckets that they do not get to."""

    def start(
        self,
        action: StartAttempt | StageAttempt,
        spec: AttemptSpec,
        far: Sequence[Item],
        remote: Remote,
        *,
        put: bool,
    ) -> None:
        """Start an attempt that reads objects which are not here, as `longshore.runtime.dispatch.Remote.start` does.

        If nobody has read some of them, its machine does first, and as what the task is known by that is told; when
        this is in the journal, `begun` gives the action back.
        """
        unread = [item for item in far if not item.sha256]
        if unread:
            self._reading[action.task] = action
            remote.prepare(spec.id, lambda session: self._read(action, unread, session))
        else:
            remote.start(spec, put=put, before=lambda session: self._bring(action.machine, far, session))

    def begun(self, event: TasksIdentified, state: RunState) -> Iterator[StartAttempt | StageAttempt]:
        """Give the attempts that can be made, now that the journal has what they read."""
        for item in event.items:
            action = self._reading.get(item.task)
            if action is not None and item.outputs is None:
                del self._reading[item.task]
                # It may have been given up meanwhile.
                if item.task in state.live and state.tasks[item.task].attempts == action.attempt:
                    yield action

    # --- in a machine's thread of data

    def _bring(self, machine: str, items: Sequence[Item], session: Session) -> None:
        """See to it that objects whose digests are known are in a machine's store, or can be sent there.

        Raises:
            InputMissing, DigestMismatch: when one is not there any more, or has changed; names it.
            DiskFull: when the machine has no room.
        """
        for bucket, some in _by_bucket(items):
            self._or_by_us(machine, bucket, some, partial(self._draw, machine, bucket, some, session))

    def _read(self, action: StartAttempt | StageAttempt, items: Sequence[Item], session: Session) -> None:
        for bucket, some in _by_bucket(items):
            for start in range(0, len(some), _AT_ONCE):
                self._read_some(action.machine, bucket, some[start : start + _AT_ONCE], session)
        findings = self._identifier.look([action.task])
        if action.task in findings.missing:
            raise InputMissing(findings.missing[action.task])
        found = findings.ready.get(action.task)
        if found is None:
            # It was read before, under another stamp, and its task has succeeded with that.
            outcome = Lost("all that it reads is what it was when its task succeeded before")
            self._post(AttemptEnded(at=_now(), task=action.task, attempt=action.attempt, outcome=outcome))
            return
        if found.unread:
            raise InputMissing(f"{public(found.unread[0])} changed while it was being read")
        self._ready[action.task] = found
        self._post(TasksIdentified(at=_now(), items=findings.items))

    def _read_some(self, machine: str, bucket: str, items: Sequence[Item], session: Session) -> None:
        wanted = [item for item in items if not self._objects.known(item.address)]
        if wanted:
            self._or_by_us(machine, bucket, wanted, partial(self._learn, machine, bucket, wanted, session))

    def _learn(self, machine: str, bucket: str, items: Sequence[Item], session: object) -> None:
        if not isinstance(session, Reads):
            raise PeerOutOfReach("it has nothing to do with buckets")
        objects = [
            Unread(
                address=public(item.address),
                key=self._objects.key(item.address),
                request=self._objects.to_read(item.address),
            )
            for item in items
        ]
        read = session.read(objects)
        for item, artifact in zip(items, read, strict=True):
            self._objects.learn(item.address, artifact)
        self._tell(machine, bucket, read)

    def _draw(self, machine: str, bucket: str, items: Sequence[Item], session: object) -> None:
        if not isinstance(session, Stages):
            raise PeerOutOfReach("it has nothing to do with buckets")
        granting = _Granting(self._objects, {item.sha256: item.address for item in items})
        wanted = [Artifact(path=public(item.address), sha256=item.sha256, size=item.size) for item in items]
        try:
            session.stage_in(wanted, granting)
        except DigestMismatch as error:
            if len(items) > 1:
                # Which of them it was is found out one by one; those that have come do not travel again.
                for item in items:
                    self._draw(machine, bucket, [item], session)
                return
            raise DigestMismatch(
                f"{wanted[0].path} has changed since the run looked at it; run it again to use the new content"
            ) from error
        self._tell(machine, bucket, [each for each in wanted if each.sha256 in granting.asked])

    def _or_by_us(self, machine: str, bucket: str, items: Sequence[Item], go: Callable[[], None]) -> None:
        """Let a machine get objects, or have them here when it does not."""
        try:
            if (machine, bucket) in self._apart:
                raise PeerOutOfReach("it did not get there before")
            go()
        except PeerOutOfReach as error:
            if (machine, bucket) not in self._apart:
                self._apart.add((machine, bucket))
                _log.info("what is in %s comes here instead of going to %s: %s", bucket, machine, error)
            for item in items:
                self._objects.item(item.address)

    def _tell(self, machine: str, bucket: str, artifacts: Sequence[Artifact]) -> None:
        if artifacts:
            self._post(Moved(at=_now(), artifacts=tuple(artifacts), source=bucket, target=machine, straight=True))


@frozen
class _Granting:
    """A `longshore.plugin.areas.Readable` of objects, by their URLs."""

    objects: Objects
    urls: Mapping[str, str]
    asked: set[str] = field(factory=set[str])

    def to_read(self, sha256: str) -> Request:
        self.asked.add(sha256)
        return self.objects.to_read(self.urls[sha256])


def _by_bucket(items: Sequence[Item]) -> Iterator[tuple[str, list[Item]]]:
    ordered = sorted(items, key=lambda item: bucket_of(item.address))
    for bucket, some in groupby(ordered, lambda item: bucket_of(item.address)):
        yield bucket, list(some)


def _now() -> datetime:
    return datetime.now(UTC)
