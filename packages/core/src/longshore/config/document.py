"""A workflow as JSON text, for the journal: nothing is lost, defaults are left out, no secret's content is in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, assert_never

from attrs import evolve

from longshore.errors import JournalError
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.jsontext import json_writer
from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.task import (
    Collect,
    FileInput,
    FilesMatching,
    LinesOf,
    OutputFiles,
    OutputLines,
    Parameter,
    Range,
    Reference,
    Secret,
    Source,
    TaskSpec,
    UrlInput,
    Values,
)
from longshore.model.workflow import PoolSpec, StrategySpec, WorkflowSpec

if TYPE_CHECKING:
    from longshore.model.environment import EnvironmentSpec

__all__ = ["VERSION", "from_document", "read_money", "to_document", "write_money"]

VERSION = 1
"""Goes up when an older Longshore would misread a newer document; keys that may be passed over do not raise it."""

_encode = json_writer()

_MICROSECOND = timedelta(microseconds=1)
_MOMENTS: Mapping[str, Callable[[str], object]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
}


def to_document(spec: WorkflowSpec) -> str:
    """Write a workflow as JSON."""
    body: dict[str, Any] = {"version": VERSION, "name": spec.name}
    body["tasks"] = [_task(task) for task in spec.tasks]
    body["pools"] = [_pool(pool) for pool in spec.pools]
    body["environments"] = _environments(spec.environments) if spec.environments else []
    body["providers"] = {name: _plain(options) for name, options in spec.providers.items()}
    body |= {
        "params": dict(spec.params),
        "env_file": spec.env_file,
        "strategy": [spec.strategy.name, _plain(spec.strategy.options)],
        "max_tasks": spec.max_tasks,
        "keep_going": spec.keep_going,
        "max_cost": write_money(spec.max_cost),
        "project": spec.project,
    }
    return _encode(body)


def from_document(text: str) -> WorkflowSpec:
    """Read back what `to_document` wrote.

    Raises:
        JournalError: when it was written by a newer version, or is damaged.
    """
    try:
        body = json.loads(text)
        version = body["version"]
        if not isinstance(version, int) or version < 1:
            raise ValueError(f"version {version!r}")
        if version > VERSION:
            raise JournalError(
                f"the workflow in the journal has the form {version}, and this Longshore reads forms up to {VERSION}; "
                "use a newer Longshore"
            )
        return WorkflowSpec(
            name=body["name"],
            tasks=tuple([_read_task(task) for task in body["tasks"]]),
            pools=tuple(_read_pool(pool) for pool in body["pools"]),
            environments=_read_environments(body["environments"]) if body["environments"] else (),
            providers={name: _read_plain(options) for name, options in body["providers"].items()},
            params=body.get("params", {}),
            env_file=body["env_file"],
            strategy=_read_strategy(body["strategy"]),
            max_tasks=body["max_tasks"],
            keep_going=body["keep_going"],
            max_cost=read_money(body.get("max_cost")),
            project=body.get("project", ""),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise JournalError(
            f"the workflow in the journal is damaged ({type(error).__name__}: {error}); start a new run"
        ) from error


# A task's fields but name and command: how each is written, and read. Those that have their default are left out.
_Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def _same(value: Any) -> Any:
    return value


def _resources(needs: Resources) -> list[Any]:
    return [needs.cpus, needs.memory_bytes, needs.gpus, needs.disk_bytes]


def _read_resources(row: Sequence[Any]) -> Resources:
    cpus, memory, gpus, disk = row
    return Resources(cpus=cpus, memory_bytes=memory, gpus=gpus, disk_bytes=disk)


def _retry(retry: RetryPolicy) -> list[Any]:
    return [retry.attempts, _span(retry.delay), _span(retry.max_delay), sorted(each.value for each in retry.on)]


def _read_retry(row: Sequence[Any]) -> RetryPolicy:
    attempts, delay, max_delay, on = row
    return RetryPolicy(
        attempts=attempts,
        delay=_read_span(delay),
        max_delay=_read_span(max_delay),
        on=frozenset(FailureClass(each) for each in on),
    )


def _span(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _read_span(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)


def _inputs(inputs: Sequence[FileInput | UrlInput]) -> list[Any]:
    return [
        ["url", item.url] if isinstance(item, UrlInput) else ["guess" if item.guessed else "file", item.path]
        for item in inputs
    ]


def _read_inputs(rows: Sequence[Sequence[str]]) -> tuple[FileInput | UrlInput, ...]:
    return tuple([UrlInput(text) if kind == "url" else FileInput(text, guessed=kind == "guess") for kind, text in rows])


def _references(references: Sequence[Reference]) -> list[Any]:
    return [_reference(reference) for reference in references]


def _reference(reference: Reference) -> list[Any]:
    return [
        reference.task,
        reference.path,
        reference.member,
        reference.workflow,
        reference.glob,
        reference.argument,
        reference.start,
        reference.prefix_end,
    ]


def _read_references(rows: Sequence[Sequence[Any]]) -> tuple[Reference, ...]:
    return tuple([_read_reference(row) for row in rows])


def _read_reference(row: Sequence[Any]) -> Reference:
    task, path, member, workflow, glob, argument, start, prefix_end = row
    return Reference(
        task=task,
        path=path,
        member=member,
        workflow=workflow,
        glob=glob,
        argument=argument,
        start=start,
        prefix_end=prefix_end,
    )


def _secrets(secrets: Mapping[str, Secret]) -> dict[str, list[str]]:
    return {name: [secret.file, secret.variable] for name, secret in secrets.items()}


def _read_secrets(rows: Mapping[str, Sequence[str]]) -> dict[str, Secret]:
    return {name: Secret(file=file, variable=variable) for name, (file, variable) in rows.items()}


def _for_each(parameters: Sequence[Parameter]) -> list[Any]:
    return [[parameter.name, *_source(parameter.source)] for parameter in parameters]


def _source(source: Source) -> list[Any]:
    match source:
        case Values(values):
            return ["values", values]
        case Range(first=first, last=last, step=step):
            return ["range", [first, last, step]]
        case FilesMatching(glob=pattern, first=count):
            return ["files", [pattern, count]]
        case LinesOf(path):
            return ["lines", path]
        case OutputLines(reference):
            return ["output lines", _reference(reference)]
        case OutputFiles(reference=reference, first=count):
            return ["output files", [_reference(reference), count]]
        case _:
            assert_never(source)


_SOURCES: Mapping[str, Callable[[Any], Source]] = {
    "values": lambda values: Values(tuple(values)),
    "range": lambda row: Range(first=row[0], last=row[1], step=row[2]),
    "files": lambda row: FilesMatching(glob=row[0], first=row[1]),
    "lines": LinesOf,
    "output lines": lambda row: OutputLines(_read_reference(row)),
    "output files": lambda row: OutputFiles(reference=_read_reference(row[0]), first=row[1]),
}


def _read_for_each(rows: Sequence[Sequence[Any]]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, _SOURCES[kind](body)) for name, kind, body in rows)


def _read_params(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple([(name, value) for name, value in rows])


def _collect(collect: Collect) -> list[str]:
    return [collect.into, collect.source, collect.encoding]


def _read_collect(row: Sequence[str]) -> Collect:
    into, source, encoding = row
    return Collect(into=into, source=source, encoding=encoding)


_FIELDS: Mapping[str, _Codec] = {
    "references": (_references, _read_references),
    "inputs": (_inputs, _read_inputs),
    "outputs": (_same, tuple),
    "needs": (_resources, _read_resources),
    "environment": (_same, _same),
    "pool": (_same, _same),
    "retry": (_retry, _read_retry),
    "timeout": (_span, _read_span),
    "grace": (_span, _read_span),
    "warn": (_same, _same),
    "after": (_same, tuple),
    "env": (dict, _same),
    "secrets": (_secrets, _read_secrets),
    "keep": (_same, _same),
    "for_each": (_for_each, _read_for_each),
    "repeat": (_same, _same),
    "params": (_same, _read_params),
    "collect": (_collect, _read_collect),
    "priority": (_same, _same),
}
_BARE_TASK = TaskSpec(name="-", command=Shell("-"))
_DEFAULTS = [(name, getattr(_BARE_TASK, name), write) for name, (write, _) in _FIELDS.items()]


def _task(task: TaskSpec) -> dict[str, Any]:
    body: dict[str, Any] = {"name": task.name, "command": _command(task.command)}
    for name, default, write in _DEFAULTS:
        value = getattr(task, name)
        if value is not default and value != default:
            body[name] = write(value)
    return body


def _read_task(body: Mapping[str, Any]) -> TaskSpec:
    # Keys that this version does not know were added by one that thought they may be passed over.
    words = {key: _FIELDS[key][1](value) for key, value in body.items() if key in _FIELDS}
    return TaskSpec(name=body["name"], command=_read_command(body["command"]), **words)


def _command(command: Command) -> Any:
    match command:
        case Shell(text):
            return text
        case Argv(args):
            return args
        case Call(function=function, arguments=arguments, pickle=pickle, python=python):
            body = {"call": function, "arguments": arguments, "pickle": base64.b64encode(pickle).decode("ascii")}
            return {**body, "python": python} if python else body
        case _:
            assert_never(command)


def _read_command(body: Any) -> Command:
    if isinstance(body, str):
        return Shell(body)
    if isinstance(body, list):
        return Argv(tuple(body))
    return Call(
        function=body["call"],
        arguments=body["arguments"],
        pickle=base64.b64decode(body["pickle"], validate=True),
        python=body.get("python", ""),
    )


def _pool(pool: PoolSpec) -> list[Any]:
    row = [pool.name, pool.executor, pool.provider, pool.tasks, _plain(pool.options)]
    if pool.rented is None:
        return row
    from longshore.config.rented_document import write_rented  # noqa: PLC0415  few workflows rent

    return [*row, write_rented(pool.rented)]


def _read_pool(row: Sequence[Any]) -> PoolSpec:
    name, executor, provider, tasks, options, *rented = row
    pool = PoolSpec(name=name, executor=executor, provider=provider, tasks=tasks, options=_read_plain(options))
    if not rented:
        return pool
    from longshore.config.rented_document import read_rented  # noqa: PLC0415  as above

    return evolve(pool, rented=read_rented(rented[0]))


def _environments(specs: Iterable[EnvironmentSpec]) -> list[dict[str, Any]]:
    from longshore.config.environment_document import write_environment  # noqa: PLC0415  few workflows have any

    return [write_environment(each) for each in specs]


def _read_environments(rows: Iterable[dict[str, Any]]) -> tuple[EnvironmentSpec, ...]:
    from longshore.config.environment_document import read_environment  # noqa: PLC0415  as above

    return tuple([read_environment(row) for row in rows])


def write_money(money: Money | None) -> list[str] | None:
    """Write an amount exactly."""
    return None if money is None else [str(money.amount), money.currency]


def read_money(row: Any) -> Money | None:
    """Read an amount."""
    return None if row is None else Money(amount=Decimal(row[0]), currency=row[1])


def _read_strategy(row: str | list[Any]) -> StrategySpec:
    if isinstance(row, str):  # as it was written before strategies had options
        return StrategySpec(name=row)
    name, options = row
    return StrategySpec(name=name, options=_read_plain(options))


def _plain(value: Any) -> Any:
    """Write what TOML can say and JSON cannot, dates and times, as ``{"$date": ...}``; keys with ``$`` get another."""
    match value:
        case Mapping():
            return {f"${key}" if key.startswith("$") else key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case time():
            return {"$time": value.isoformat()}
        case _:
            return value


def _read_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_read_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key in _MOMENTS and isinstance(item, str):
            return _MOMENTS[key](item)
    return {key[1:] if key.startswith("$$") else key: _read_plain(item) for key, item in value.items()}
