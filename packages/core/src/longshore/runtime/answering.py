"""What a controller answers to other processes that ask through its control socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longshore.config.document import from_document
from longshore.errors import UsageError
from longshore.model.events import CancelAsked, Event, StopAsked
from longshore.model.names import near
from longshore.model.workflow import WorkflowSpec
from longshore.runtime.codec import encode
from longshore.runtime.fetching import Fetched
from longshore.runtime.runner import Runner

__all__ = ["Answering", "as_body"]


class Answering:
    """Turns requests into events for the runner. Called from the threads of the control socket."""

    def __init__(
        self,
        run: str,
        runner: Runner,
        add: Callable[[WorkflowSpec], None],
        retry: Callable[[Sequence[str]], None],
        machines: Callable[[], Sequence[Mapping[str, Any]]],
        fetch: Callable[[Path, Sequence[str]], Fetched],
    ) -> None:
        self._run = run
        self._runner = runner
        self._add = add
        self._retry = retry
        self._machines = machines
        self._fetch = fetch

    def __call__(self, op: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer one request.

        Raises:
            UsageError: when it names a task that there is not, or cannot be understood.
            ConfigError: when tasks that are to join cannot run.
        """
        match op:
            case "status":
                return self._status()
            case "watch":
                return {"run": self._run, "machines": self._machines()}
            case "cancel":
                self._runner.post(CancelAsked(at=datetime.now(UTC), tasks=self._named(request)))
            case "retry":
                self._retry(self._named(request))
            case "stop":
                self._runner.post(StopAsked(at=datetime.now(UTC)))
            case "add":
                spec = from_document(_text(request, "document"))
                self._add(spec)
                return {"tasks": [task.name for task in spec.tasks]}
            case "fetch":
                fetched = self._fetch(Path(_text(request, "to")), self._named(request))
                return {
                    "written": [str(path) for path in fetched.written],
                    "missing": dict(fetched.missing),
                    "unready": list(fetched.unready),
                }
            case _:
                raise UsageError(f"a controller cannot do {op!r}")
        return {}

    def _status(self) -> Mapping[str, Any]:
        state = self._runner.state
        phases = {phase.value: count for phase, count in dict(state.phases).items() if count}
        return {"run": self._run, "state": state.ended or "running", "tasks": len(state.tasks), "phases": phases}

    def _named(self, request: Mapping[str, Any]) -> tuple[str, ...]:
        names = request.get("tasks", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UsageError("tasks is a list of names")
        state = self._runner.state
        for name in names:
            if name not in state.tasks and name not in state.groups:
                close = near(name, [*state.groups, *list(state.tasks)[:1000]])
                hint = f"; did you mean {', '.join(close)}?" if close else ""
                raise UsageError(f"run {self._run} has no task {name!r}{hint}")
        return tuple(names)


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise UsageError(f"the request needs {key}, as text")
    return value


def as_body(event: Event) -> Mapping[str, Any]:
    """Give an event as subscribers are told it: its kind, its moment in seconds since 1970, and its fields as in the
    journal.
    """
    kind, at, body = encode(event)
    return {"kind": kind, "at": at, **json.loads(body)}
