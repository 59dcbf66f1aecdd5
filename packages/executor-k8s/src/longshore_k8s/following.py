"""One watch for all pods of a run, taken up again whenever it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.errors import LongshoreError
from longshore.remote.patience import Patience
from longshore_k8s.client import Namespace
from longshore_k8s.watches import Watch

__all__ = ["Follower"]

_WATCH_SECONDS = 24 * 3600.0


class Follower:
    """Hears of all changes in a thread of its own, until the cluster has not answered for too long."""

    def __init__(
        self,
        namespace: Namespace,
        labels: Mapping[str, str],
        reconnect: timedelta,
        see: Callable[[str, dict[str, Any]], None],
        see_all: Callable[[Sequence[dict[str, Any]]], None],
        lost: Callable[[LongshoreError, datetime], None],
    ) -> None:
        """Begin.

        Args:
            namespace: where the pods are.
            labels: which pods are meant.
            reconnect: how long the cluster may be out of reach.
            see: is told how a pod has changed.
            see_all: is told of all pods that there are, whenever changes may have been missed.
            lost: is told that the cluster does not answer, and since when.
        """
        self._namespace = namespace
        self._labels = labels
        self._patience = Patience(budget=reconnect.total_seconds())
        self._see = see
        self._see_all = see_all
        self._lost = lost
        self._stopped = threading.Event()
        self._watch: Watch | None = None
        threading.Thread(target=self._follow, name="longshore-watch", daemon=True).start()

    def close(self) -> None:
        """Hear of nothing more."""
        self._stopped.set()
        if self._watch is not None:
            self._watch.stop()

    def _follow(self) -> None:
        since = datetime.now(UTC)
        wait: float | None = self._patience.lost(time.monotonic())
        up = False
        while wait is not None and not self._stopped.wait(wait):
            try:
                version, pods = self._namespace.list("pods", self._labels)
                self._patience.linked(time.monotonic())
                up = True
                self._see_all(pods)
                self._hear(version)
                wait = 0.0
            except LongshoreError as error:
                now = time.monotonic()
                if up:
                    up, since = False, datetime.now(UTC)
                    wait = self._patience.lost(now)
                else:
                    wait = self._patience.failed(now)
                if wait is None:
                    self._lost(error, since)

    def _hear(self, version: str) -> None:
        self._watch = self._namespace.watch(version, labels=self._labels)
        if not self._stopped.is_set():
            with closing(self._watch.changes(_WATCH_SECONDS)) as changes:
                for kind, pod in changes:
                    self._see(kind, pod)
