"""Tasks as JSON and back, for `longshore.config.document`."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, assert_never

from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.outcome import FailureClass
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.task import (
    Collect,
    ColumnsOf,
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

__all__ = ["read_span", "read_task", "write_span", "write_task"]

_MICROSECOND = timedelta(microseconds=1)

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
    return [
        retry.attempts,
        write_span(retry.delay),
        write_span(retry.max_delay),
        sorted(each.value for each in retry.on),
    ]


def _read_retry(row: Sequence[Any]) -> RetryPolicy:
    attempts, delay, max_delay, on = row
    return RetryPolicy(
        attempts=attempts,
        delay=read_span(delay),
        max_delay=read_span(max_delay),
        on=frozenset(FailureClass(each) for each in on),
    )


def write_span(duration: timedelta) -> int:
    """Write a length of time exactly."""
    return duration // _MICROSECOND


def read_span(microseconds: int) -> timedelta:
    """Read a length of time."""
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
        case ColumnsOf(parameter=name, matching=matching, encoding=encoding, found=found):
            return ["columns", [name, matching, encoding, None if found is None else dict(found)]]
        case OutputFiles(reference=reference, first=count):
            return ["output files", [_reference(reference), count]]
        case _:
            assert_never(source)


def _read_columns(row: Sequence[Any]) -> ColumnsOf:
    name, matching, encoding, found = row
    read = found and {file: each if isinstance(each, str) else tuple(each) for file, each in found.items()}
    return ColumnsOf(parameter=name, matching=matching, encoding=encoding, found=read)


_SOURCES: Mapping[str, Callable[[Any], Source]] = {
    "values": lambda values: Values(tuple(values)),
    "range": lambda row: Range(first=row[0], last=row[1], step=row[2]),
    "files": lambda row: FilesMatching(glob=row[0], first=row[1]),
    "lines": LinesOf,
    "columns": _read_columns,
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
    "timeout": (write_span, read_span),
    "grace": (write_span, read_span),
    "warn": (_same, _same),
    "after": (_same, tuple),
    "env": (dict, _same),
    "secrets": (_secrets, _read_secrets),
    "keep": (_same, _same),
    "results_to": (_same, _same),
    "for_each": (_for_each, _read_for_each),
    "repeat": (_same, _same),
    "params": (_same, _read_params),
    "collect": (_collect, _read_collect),
    "priority": (_same, _same),
}
_BARE_TASK = TaskSpec(name="-", command=Shell("-"))
_DEFAULTS = [(name, getattr(_BARE_TASK, name), write) for name, (write, _) in _FIELDS.items()]


def write_task(task: TaskSpec) -> dict[str, Any]:
    """Write one."""
    body: dict[str, Any] = {"name": task.name, "command": _command(task.command)}
    for name, default, write in _DEFAULTS:
        value = getattr(task, name)
        if value is not default and value != default:
            body[name] = write(value)
    return body


def read_task(body: Mapping[str, Any]) -> TaskSpec:
    """Read what `write_task` wrote."""
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
