"""Those who are told what happens in a run. None of them can harm it: each has a thread and a queue of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, Full, Queue
from typing import Any, Self

from longshore.errors import LongshoreError
from longshore.model.events import Event
from longshore.model.workflow import WorkflowSpec
from longshore.plugin import Closes, Observer, ObserverRecord
from longshore.runtime.project import Project
from longshore.runtime.registry import Registry

__all__ = ["MOST_BEHIND", "Observing", "check_observers", "make_observers"]

_log = logging.getLogger(__name__)

MOST_BEHIND = 100_000
"""So many events may wait for a slow one; the journal has them all."""
_GOODBYE_SECONDS = 30.0
"""So long the end of a controller waits for all of them together."""
_PLUGIN = "plugin"


def check_observers(spec: WorkflowSpec, registry: Registry) -> None:
    """Refuse observers that there are not, and options that do not fit them.

    Raises:
        ConfigError: with every mistake in the options of one.
        PluginError: when one is missing or broken.
    """
    for name in spec.observers:
        _described(name, spec, registry)


def make_observers(
    spec: WorkflowSpec, registry: Registry, project: Project, run: str
) -> tuple[dict[str, Observer], bool]:
    """Make those that can be made, and say whether one wants to know what tasks read; what prevents one is told, and
    harms nothing.
    """
    about = {"run": run, "workflow": spec.name, "folder": str(project.folder)}
    made: dict[str, Observer] = {}
    reading = False
    for name in spec.observers:
        try:
            record, options = _described(name, spec, registry)
            made[name] = registry.make_observer(record, options, about)
            reading = reading or record.reads
        except LongshoreError as error:
            _log.warning("observer %s is told nothing: %s", name, error)
    return made, reading


def _described(name: str, spec: WorkflowSpec, registry: Registry) -> tuple[ObserverRecord, Any]:
    table = spec.observers[name]
    record = registry.observer(str(table.get(_PLUGIN, name)))
    options = {key: value for key, value in table.items() if key != _PLUGIN}
    return record, registry.options(record.config, options, f"observers.{name}")


class Observing:
    """Tells observers of events, in their order, each as fast as it takes them. To be used with ``with``."""

    def __init__(self, observers: Mapping[str, Observer], *, patience: float = _GOODBYE_SECONDS) -> None:
        """Begin; at the end all of them together are waited for at most ``patience`` seconds."""
        self._patience = patience
        self._tellers = [_Teller(name, each) for name, each in observers.items()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let them take what waits for them, but not for long."""
        deadline = time.monotonic() + self._patience
        for each in self._tellers:
            each.finish()
        for each in self._tellers:
            each.wait(deadline)

    def listen(self, events: Sequence[Event]) -> None:
        """Take events that were committed; returns at once."""
        for each in self._tellers:
            each.take(events)


class _Teller:
    def __init__(self, name: str, observer: Observer) -> None:
        self._name = name
        self._observer = observer
        self._queue: Queue[Event | None] = Queue(MOST_BEHIND)
        self._missed = 0
        self._failures = 0
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._tell, name=f"longshore-observer-{name}", daemon=True)
        self._thread.start()

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            try:
                self._queue.put_nowait(event)
            except Full:
                self._missed += 1

    def finish(self) -> None:
        self._finished.set()
        try:
            self._queue.put_nowait(None)
        except Full:
            return  # it sees that nothing more comes when it has taken what waits

    def wait(self, deadline: float) -> None:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            _log.warning("observer %s has not taken %s events in time", self._name, self._queue.qsize())
        if self._missed:
            _log.warning("observer %s was too slow for %s events", self._name, self._missed)

    def _tell(self) -> None:
        while True:
            try:
                event = self._queue.get_nowait() if self._finished.is_set() else self._queue.get()
            except Empty:
                break
            if event is None:
                break
            self._try(partial(self._observer.notice, event))
        if isinstance(self._observer, Closes):
            self._try(self._observer.close)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  whatever it is, it harms nothing
            self._failures += 1
            if self._failures == 1:
                _log.warning("observer %s has failed, and may again: %s: %s", self._name, type(error).__name__, error)
