"""The data of an attempt that has a pod of its own: by the stream, or by the pool's bucket."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from longshore.errors import PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.plugin.areas import HomeArea
from longshore.remote.remote_session import RemoteSession

__all__ = ["bring_home", "bring_in"]

_log = logging.getLogger(__name__)


def bring_in(inner: RemoteSession, attempt: str, items: Sequence[Item], area: HomeArea | None) -> None:
    """See to it that a pod has the inputs of its attempt: the pod fetches them from the bucket, if there is one, and
    what it has not got then is sent. The errors are those of `longshore.plugin.Session.put`.
    """
    if area is not None and items:
        try:
            for item in items:
                area.take(item)
            inner.stage_in([_artifact_of(item) for item in items], area)
        except (PeerOutOfReach, StagingError) as error:
            _log.info("the inputs of %s are sent to its pod, and do not come from the bucket: %s", attempt, error)
    inner.put(attempt, items)


def bring_home(inner: RemoteSession, artifacts: Sequence[Artifact], area: HomeArea | None) -> None:
    """Bring outputs home: the pod sends them to the bucket, if there is one, and what has not come by that way is
    asked of the pod. The errors are those of `longshore.plugin.Session.get`.
    """
    if area is not None:
        try:
            inner.stage_out(artifacts, area)
            for artifact in artifacts:
                area.fetch(artifact)
        except (PeerOutOfReach, StagingError) as error:
            _log.info("outputs come from their pod, and not by the bucket: %s", error)
    inner.get(artifacts)


def _artifact_of(item: Item) -> Artifact:
    return Artifact(path=item.path, sha256=item.sha256, size=item.size, mode=item.mode, kind=item.kind)
