"""Attempts as orders for a supervisor, and what it tells as events."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, environment_of, split_attempt_id
from longshore.model.command import Argv, Shell
from longshore.model.events import AttemptEnded, AttemptStarted
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost, Outcome, Usage
from longshore.model.resources import Resources
from longshore.model.shell import plain_argv

if TYPE_CHECKING:
    from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed

__all__ = ["Order", "ended_event", "order_of", "started_event"]

_ORDINARY = Resources()
_GRACE_SECONDS = 5.0


class Order:
    """What to send for one attempt: its ``go``, and the blob that must be there before it, by digest."""

    __slots__ = ("blob", "message", "sha256")

    def __init__(self, message: dict[str, Any], sha256: str = "", blob: dict[str, Any] | None = None) -> None:
        self.message = message
        self.sha256 = sha256
        self.blob = blob


def order_of(attempt: AttemptSpec) -> Order:
    """Write an attempt down as an order. What is as usual is left out: thousands of orders are short."""
    message: dict[str, Any] = {"op": "go", "id": attempt.id}
    order = _add_command(message, attempt)
    if attempt.env:
        message["env"] = dict(attempt.env)
    if attempt.private_env:
        message["private"] = dict(attempt.private_env)
    if attempt.inputs:
        message["inputs"] = [(i.path, i.sha256, i.size, i.mode, i.kind, i.source) for i in attempt.inputs]
    if attempt.modules is not None:
        message["modules"] = attempt.modules.sha256
    if attempt.outputs:
        message["outputs"] = attempt.outputs
    if attempt.secrets:
        message["secrets"] = [(s.path, _base64(s.content)) for s in attempt.secrets]
    if attempt.needs is not _ORDINARY and attempt.needs != _ORDINARY:
        needs = attempt.needs
        message.update(cpus=needs.cpus, memory=needs.memory_bytes, gpus=needs.gpus)
    if attempt.timeout is not None:
        message["timeout"] = attempt.timeout.total_seconds()
    grace = attempt.grace.total_seconds()
    if grace != _GRACE_SECONDS:
        message["grace"] = grace
    if attempt.warn:
        message["warn"] = True
    if attempt.environment:
        message["environment"] = attempt.environment
    if attempt.keep_workdir:
        message["keep"] = True
    return order


def _add_command(message: dict[str, Any], attempt: AttemptSpec) -> Order:
    command = attempt.command
    if isinstance(command, Argv):
        message["argv"] = command.args
        return Order(message)
    if isinstance(command, Shell):
        argv, sha256 = _shell(command.text)
        if argv is not None:
            message["argv"] = argv
            return Order(message)
        message["script"] = sha256
        return Order(message, sha256, {"op": "blob", "sha256": sha256, "text": command.text + "\n"})
    message["call"] = {"function": command.function, "arguments": command.arguments}
    if not command.pickle:
        return Order(message)
    if command.python:
        message["call"]["python"] = command.python
    sha256 = message["call"]["pickle"] = hashlib.sha256(command.pickle).hexdigest()
    return Order(message, sha256, {"op": "blob", "sha256": sha256, "base64": _base64(command.pickle)})


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


@lru_cache(maxsize=4096)
def _shell(text: str) -> tuple[tuple[str, ...] | None, str]:
    """Give the words of a command that needs no shell, or the digest of its script."""
    argv = plain_argv(text)
    if argv is not None:
        return argv, ""
    return None, hashlib.sha256((text + "\n").encode("utf-8", "surrogateescape")).hexdigest()


def started_event(told: Mapping[str, Any]) -> AttemptStarted:
    """Read a ``started``."""
    _, task, number = split_attempt_id(told["id"])
    return AttemptStarted(at=datetime.now(UTC), task=task, attempt=number, workdir=told["workdir"])


def ended_event(told: Mapping[str, Any]) -> AttemptEnded | EnvironmentBuilt | EnvironmentFailed:
    """Read an ``ended``."""
    _, task, number = split_attempt_id(told["id"])
    environment = environment_of(task)
    if not environment:
        return _attempt_ended(task, number, told)
    from longshore.remote.wire_builds import build_ended  # noqa: PLC0415  few runs build any, and all wait for imports

    return build_ended(environment, number, told)


def _attempt_ended(task: str, number: int, told: Mapping[str, Any]) -> AttemptEnded:
    started = told.get("started")
    ended = told.get("ended")
    failure = told.get("failure")
    outputs = told.get("outputs")
    return AttemptEnded(
        at=datetime.now(UTC),
        task=task,
        attempt=number,
        outcome=_outcome(told),
        failure=None if failure is None else FailureClass(failure),
        evidence=told.get("evidence", ""),
        started_at=None if started is None else datetime.fromtimestamp(started, UTC),
        ended_at=None if ended is None else datetime.fromtimestamp(ended, UTC),
        usage=None if started is None else Usage(cpu_seconds=told["cpu"], peak_memory_bytes=told["memory"]),
        outputs=tuple(_artifact(row) for row in outputs) if outputs else (),
        result=told.get("result"),
        workdir=told.get("workdir", ""),
    )


def _outcome(told: Mapping[str, Any]) -> Outcome:
    if "code" in told:
        return Exited(told["code"])
    return Lost(told["lost"]) if "lost" in told else Cancelled()


def _artifact(row: list[Any]) -> Artifact:
    path, sha256, size, mode, kind = row
    return Artifact(path=path, sha256=sha256, size=size, mode=mode, kind=kind)
