"""Events as rows of the journal, and back.

Written by hand: an event is encoded in a few microseconds, and what a journal holds is in plain sight here. A field
that has its default is left out. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from longshore.config.document import from_document, to_document
from longshore.errors import JournalError
from longshore.model import events as ev
from longshore.model.artifact import Artifact, Input
from longshore.model.jsontext import json_writer
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost, Outcome, Usage
from longshore.model.quantity import parse_money
from longshore.model.resources import Resources
from longshore.model.workflow import WorkflowSpec

__all__ = ["decode", "encode", "read_artifacts", "read_outcome", "write_artifacts"]

Body = dict[str, Any]

_dumps = json_writer()


def encode(event: ev.Event) -> tuple[str, float, str]:
    """Turn an event into its kind, its moment, and its body as JSON text."""
    kind = type(event).__name__
    encoder = _ENCODERS.get(kind) or _encoder(kind)
    return kind, event.at.timestamp(), _dumps(encoder(event))


def decode(kind: str, at: float, body: str) -> ev.Event:
    """Turn a row back into its event.

    Raises:
        JournalError: when the row was written by a newer version, or is damaged.
    """
    decoder = _DECODERS.get(kind) or _decoder(kind)
    if decoder is None:
        raise JournalError(f"the journal holds an event {kind!r} that this version does not know; use a newer one")
    try:
        return decoder(datetime.fromtimestamp(at, UTC), json.loads(body))
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"the journal holds a damaged event {kind}: {error}") from error


def _encoder(kind: str) -> Callable[[Any], Body]:
    from longshore.runtime.away_codec import ENCODERS  # noqa: PLC0415  few runs need them, and all wait for imports

    return ENCODERS[kind]


def _decoder(kind: str) -> Callable[[datetime, Body], ev.Event] | None:
    from longshore.runtime.away_codec import DECODERS  # noqa: PLC0415  as above

    return DECODERS.get(kind)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _outcome(outcome: Outcome) -> list[Any]:
    match outcome:
        case Exited(code):
            return ["exited", code]
        case Lost(reason):
            return ["lost", reason]
        case Cancelled():
            return ["cancelled"]


def read_outcome(value: list[Any]) -> Outcome:
    """Read how an attempt ended.

    Raises:
        ValueError: when it says nothing of that kind.
    """
    match value:
        case ["exited", int(code)]:
            return Exited(code)
        case ["lost", str(reason)]:
            return Lost(reason)
        case ["cancelled"]:
            return Cancelled()
        case _:
            raise ValueError(f"no outcome: {value!r}")


def write_artifacts(artifacts: tuple[Artifact, ...]) -> list[list[Any]]:
    """Write artifacts as rows."""
    return [[a.path, a.sha256, a.size, a.mode, a.kind] for a in artifacts]


def read_artifacts(rows: list[list[Any]]) -> tuple[Artifact, ...]:
    """Read what `write_artifacts` wrote."""
    return tuple(Artifact(path=p, sha256=s, size=n, mode=m, kind=k) for p, s, n, m, k in rows)


def _resources(resources: Resources) -> list[Any]:
    return [resources.cpus, resources.memory_bytes, resources.gpus, resources.disk_bytes]


def _read_resources(row: list[Any]) -> Resources:
    return Resources(cpus=row[0], memory_bytes=row[1], gpus=row[2], disk_bytes=row[3])


def _attempt_ended(event: ev.AttemptEnded) -> Body:
    body: Body = {"task": event.task, "attempt": event.attempt, "outcome": _outcome(event.outcome)}
    if event.failure is not None:
        body["failure"] = event.failure.value
    if event.evidence:
        body["evidence"] = event.evidence
    if event.started_at is not None:
        body["started_at"] = event.started_at.timestamp()
    if event.ended_at is not None:
        body["ended_at"] = event.ended_at.timestamp()
    if event.usage is not None:
        body["usage"] = [event.usage.cpu_seconds, event.usage.peak_memory_bytes]
    if event.outputs:
        body["outputs"] = write_artifacts(event.outputs)
    if event.result is not None:
        body["result"] = event.result
    if event.workdir:
        body["workdir"] = event.workdir
    return body


def _read_attempt_ended(at: datetime, body: Mapping[str, Any]) -> ev.AttemptEnded:
    usage = body.get("usage")
    failure = body.get("failure")
    return ev.AttemptEnded(
        at=at,
        task=body["task"],
        attempt=body["attempt"],
        outcome=read_outcome(body["outcome"]),
        failure=None if failure is None else FailureClass(failure),
        evidence=body.get("evidence", ""),
        started_at=_moment(body.get("started_at")),
        ended_at=_moment(body.get("ended_at")),
        usage=None if usage is None else Usage(cpu_seconds=usage[0], peak_memory_bytes=usage[1]),
        outputs=read_artifacts(body.get("outputs", [])),
        result=body.get("result"),
        workdir=body.get("workdir", ""),
    )


def _identified(item: ev.Identified) -> list[Any]:
    if item.inputs:
        rows = [[e.sha256, e.size, e.kind, e.origin, *([e.path] if e.path else [])] for e in item.inputs]
        return [item.task, item.identity, item.reason, rows]
    if item.outputs is None:
        return [item.task, item.identity, item.reason] if item.reason else [item.task, item.identity]
    return [item.task, item.identity, write_artifacts(item.outputs), item.result, item.source]


def _read_identified(row: list[Any]) -> ev.Identified:
    if len(row) <= 3:
        return ev.Identified(task=row[0], identity=row[1], reason=row[2] if len(row) == 3 else "")
    if len(row) == 4:
        read = tuple(Input(sha256=s, size=n, kind=k, origin=o, path="".join(p)) for s, n, k, o, *p in row[3])
        return ev.Identified(task=row[0], identity=row[1], reason=row[2], inputs=read)
    task, identity, outputs, result, source = row
    return ev.Identified(task=task, identity=identity, outputs=read_artifacts(outputs), result=result, source=source)


def _document(event: ev.TasksAdded) -> Body:
    return {"document": to_document(WorkflowSpec(name="added", tasks=event.tasks, environments=event.environments))}


def _read_added(at: datetime, body: Body) -> ev.TasksAdded:
    spec = from_document(body["document"])
    return ev.TasksAdded(at=at, tasks=spec.tasks, environments=spec.environments)


_ENCODERS: dict[str, Callable[[Any], Body]] = {
    "AttemptEnded": _attempt_ended,
    "AttemptIntended": lambda e: {"task": e.task, "attempt": e.attempt, "machine": e.machine},
    "AttemptStarted": lambda e: {"task": e.task, "attempt": e.attempt, **({"workdir": e.workdir} if e.workdir else {})},
    "CancelAsked": lambda e: {"tasks": e.tasks},
    "TableMade": lambda e: {
        "name": e.name,
        "edition": e.edition,
        "table": write_artifacts(e.table),
        "rows": e.rows,
        "errors": e.errors,
        **({"problem": e.problem} if e.problem else {}),
    },
    "InputsFailed": lambda e: {"task": e.task, "reason": e.reason},
    "MachineAdded": lambda e: {
        "machine": e.machine,
        "pool": e.pool,
        "resources": _resources(e.resources),
        "slots": e.slots,
        "alone": e.alone,
        **({"store": e.store} if e.store else {}),
        **({"vanishes": True} if e.vanishes else {}),
        **({"again": True} if e.again else {}),
        **({"price_per_hour": str(e.price_per_hour)} if e.price_per_hour is not None else {}),
    },
    "MachineResized": lambda e: {"machine": e.machine, "resources": _resources(e.resources), "alone": e.alone},
    "MachineGone": lambda e: {
        "machine": e.machine,
        "reason": e.reason,
        "failure": e.failure.value,
        **({"over_by": e.over_by.isoformat()} if e.over_by is not None else {}),
    },
    "MembersMade": lambda e: {"name": e.name, "values": e.values},
    "ResultsDelivered": lambda e: {"task": e.task, **({"problem": e.problem} if e.problem else {})},
    "RetryAsked": lambda e: {"tasks": e.tasks},
    "RunContinued": lambda e: {"fence": e.fence},
    "RunEnded": lambda e: {"state": e.state},
    "StopAsked": lambda _: {},
    "TasksAdded": _document,
    "TasksIdentified": lambda e: {"items": [_identified(item) for item in e.items]},
}

_DECODERS: dict[str, Callable[[datetime, Body], ev.Event]] = {
    "AttemptEnded": _read_attempt_ended,
    "AttemptIntended": lambda at, b: ev.AttemptIntended(
        at=at, task=b["task"], attempt=b["attempt"], machine=b["machine"]
    ),
    "AttemptStarted": lambda at, b: ev.AttemptStarted(
        at=at, task=b["task"], attempt=b["attempt"], workdir=b.get("workdir", "")
    ),
    "TableMade": lambda at, b: ev.TableMade(
        at=at,
        name=b["name"],
        edition=b["edition"],
        table=read_artifacts(b["table"]),
        rows=b["rows"],
        errors=b["errors"],
        problem=b.get("problem", ""),
    ),
    "CancelAsked": lambda at, b: ev.CancelAsked(at=at, tasks=tuple(b["tasks"])),
    "InputsFailed": lambda at, b: ev.InputsFailed(at=at, task=b["task"], reason=b["reason"]),
    "MachineAdded": lambda at, b: ev.MachineAdded(
        at=at,
        machine=b["machine"],
        pool=b["pool"],
        resources=_read_resources(b["resources"]),
        slots=b["slots"],
        alone=b.get("alone", True),
        store=b.get("store", ""),
        vanishes=b.get("vanishes", False),
        again=b.get("again", False),
        price_per_hour=parse_money(b["price_per_hour"]) if "price_per_hour" in b else None,
    ),
    "MachineResized": lambda at, b: ev.MachineResized(
        at=at, machine=b["machine"], resources=_read_resources(b["resources"]), alone=b["alone"]
    ),
    "MachineGone": lambda at, b: ev.MachineGone(
        at=at,
        machine=b["machine"],
        reason=b["reason"],
        failure=FailureClass(b["failure"]),
        over_by=datetime.fromisoformat(b["over_by"]) if "over_by" in b else None,
    ),
    "MembersMade": lambda at, b: ev.MembersMade(
        at=at, name=b["name"], values=tuple(tuple(column) for column in b["values"])
    ),
    "ResultsDelivered": lambda at, b: ev.ResultsDelivered(at=at, task=b["task"], problem=b.get("problem", "")),
    "RetryAsked": lambda at, b: ev.RetryAsked(at=at, tasks=tuple(b["tasks"])),
    "RunContinued": lambda at, b: ev.RunContinued(at=at, fence=b["fence"]),
    "RunEnded": lambda at, b: ev.RunEnded(at=at, state=b["state"]),
    "StopAsked": lambda at, _: ev.StopAsked(at=at),
    "TasksAdded": _read_added,
    "TasksIdentified": lambda at, b: ev.TasksIdentified(
        at=at, items=tuple(_read_identified(row) for row in b["items"])
    ),
}
