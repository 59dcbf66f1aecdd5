"""What a run did as tables for other programs: CSV with one heading each. Pure functions.

Moments are ISO 8601 in UTC, times are seconds, sizes bytes. What is not known is empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from longshore.model.quantity import Money
from longshore.model.task import Task
from longshore_cli.report.gantt import kind_of
from longshore_cli.report.record import Record
from longshore_cli.report.spending import spending_of
from longshore_cli.text import clean

__all__ = ["errors_csv", "logs_csv", "results_csv", "tasks_csv"]

_FAILED = {"failed", "lost"}
_MADE = {"succeeded", "up to date"}


def tasks_csv(record: Record) -> str:
    """One row for each task: where it stands, and what its last attempt took."""
    costs = spending_of(record).by_task
    heads = "task name state class pool machine attempts began ended seconds cpu_seconds peak_memory_bytes cost".split()
    return _csv(heads, (_task_row(record, task, costs) for task in record.tasks))


def _task_row(record: Record, task: Task, costs: Mapping[str, Sequence[Money]]) -> list[Any]:
    attempts = record.by_task.get(task.id, [])
    stands = record.stands.get(task.id)
    last = attempts[-1] if attempts else None
    machine = last.machine if last is not None else ""
    times = (
        [_moment(last.started), _moment(last.ended), last.seconds, last.cpu_seconds, last.peak_memory_bytes]
        if last is not None
        else [""] * 5
    )
    return [
        task.id,
        task.spec.name,
        record.phase(task.id),
        stands.failure if stands is not None else "",
        record.pools.get(machine, ""),
        machine,
        len(attempts),
        *times,
        ", ".join(f"{cost.amount:.9f} {cost.currency}" for cost in costs.get(task.id, ())),
    ]


def logs_csv(record: Record) -> str:
    """One row for each attempt: where it ran, when, and how it ended."""
    heads = (
        "task attempt pool machine state class outcome handed_out began ended seconds cpu_seconds peak_memory_bytes "
        "workdir"
    ).split()
    rows = (
        [
            each.task,
            each.attempt,
            record.pools.get(each.machine, ""),
            each.machine,
            kind_of(each),
            each.failure,
            each.outcome,
            _moment(each.intended),
            _moment(each.started),
            _moment(each.ended),
            each.seconds,
            each.cpu_seconds,
            each.peak_memory_bytes,
            each.workdir,
        ]
        for each in record.attempts
    )
    return _csv(heads, rows)


def errors_csv(record: Record) -> str:
    """One row for each attempt that failed, and for each task that failed without one, with the proof."""
    heads = "task attempt machine class outcome began ended then evidence".split()
    return _csv(heads, _errors(record))


def _errors(record: Record) -> Iterator[list[Any]]:
    for each in record.attempts:
        if kind_of(each) not in _FAILED:
            continue
        last = record.by_task[each.task][-1] is each
        failed = record.phase(each.task) in _FAILED
        then = "tried again" if not last else "given up" if failed else "to be tried again"
        moments = [_moment(each.started), _moment(each.ended)]
        yield [each.task, each.attempt, each.machine, each.failure, each.outcome, *moments, then, each.evidence]
    for task in record.tasks:
        stands = record.stands.get(task.id)
        if stands is not None and stands.phase in _FAILED and _kind_of_last(record, task.id) not in _FAILED:
            yield [task.id, "", "", stands.failure, "", "", "", "given up", record.refusals.get(task.id, "")]


def _kind_of_last(record: Record, task: str) -> str:
    """Say how the last attempt of a task ended; empty when there was none."""
    attempts = record.by_task.get(task)
    return kind_of(attempts[-1]) if attempts else ""


def results_csv(record: Record) -> str:
    """One row for each task that has succeeded, here or before: its parameters, its files, and what its call returned.

    A returned object has a column for each of its keys (``result.key``, and so on inwards), anything else has
    ``result``.
    """
    files: dict[str, list[str]] = {}
    sizes: dict[str, int] = {}
    results: dict[str, dict[str, Any]] = {}
    made_in: dict[str, str] = {}
    for output in record.outputs:
        made_in[output.task] = output.source
        if output.path:
            files.setdefault(output.task, []).append(output.path)
            sizes[output.task] = sizes.get(output.task, 0) + output.size_bytes
        else:
            results[output.task] = dict(_flat("result", json.loads(output.value)))
    made = [task for task in record.tasks if record.phase(task.id) in _MADE]
    fixed = ["task", "made_in", "outputs", "bytes"]
    parameters = list(dict.fromkeys(name for task in made for name, _ in task.params))
    keys = list(dict.fromkeys(key for task in made for key in results.get(task.id, {})))
    rows = (
        [
            task.id,
            made_in.get(task.id) or record.info.id,
            json.dumps(files.get(task.id, []), ensure_ascii=False),
            sizes.get(task.id, 0),
            *(dict(task.params).get(name, "") for name in parameters),
            *(results.get(task.id, {}).get(key, "") for key in keys),
        ]
        for task in made
    )
    return _csv([*fixed, *(f"parameter.{name}" for name in parameters), *keys], rows)


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif isinstance(value, str):
        yield name, value
    else:
        yield name, json.dumps(value, ensure_ascii=False)


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_safe(head) for head in heads])
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def _safe(cell: Any) -> Any:
    """Take out of what tasks wrote what would steer a terminal that shows the file."""
    return clean(cell) if isinstance(cell, str) and not cell.isprintable() else cell
