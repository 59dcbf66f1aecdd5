"""Moving artifacts and telling of it, whatever becomes of that."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from longshore.errors import DigestMismatch, InputMissing, PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.model.events import Event
from longshore.model.move_events import MoveFailed
from longshore.runtime.not_started import failure_of, words_of

__all__ = ["Wanted", "carry"]

_log = logging.getLogger(__name__)

Wanted = tuple[Artifact, str]
"""An artifact, and the place for which it is wanted, as in `longshore.scheduler.away_actions.Move`."""


def carry(
    move: Callable[[Sequence[Artifact]], None],
    wanted: Sequence[Wanted],
    source: str,
    *,
    moved: Callable[[tuple[Artifact, ...]], Event],
    post: Callable[..., None],
) -> None:
    """Move artifacts, and tell of those that came and of those that did not.

    Raises:
        PeerOutOfReach: when there is no such way, for any of them; nothing is told then.
    """
    if not wanted:
        return
    artifacts = [artifact for artifact, _ in wanted]
    try:
        move(artifacts)
    except PeerOutOfReach:
        raise
    except Exception as error:  # noqa: BLE001  whatever a plugin raises is told by its class
        if isinstance(error, StagingError) and len(wanted) > 1:
            # Which of them it was is found out one by one; those that have come do not travel again.
            for each in wanted:
                carry(move, [each], source, moved=moved, post=post)
        else:
            post(*(_failed(*each, error, source) for each in wanted))
    else:
        post(moved(tuple(artifacts)))


def _failed(artifact: Artifact, target: str, error: Exception, source: str) -> MoveFailed:
    _log.debug("%s did not come from %s", artifact.path, source, exc_info=error)
    return MoveFailed(
        at=datetime.now(UTC),
        artifact=artifact,
        source=source,
        target=target,
        failure=failure_of(error),
        reason=words_of(error),
        lost=isinstance(error, InputMissing | DigestMismatch),
    )
