"""A run in WfFormat, schema 1.5 (https://github.com/wfcommons/WfFormat): what others simulate, compare and generate
workflows from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from longshore.model.names import DistinctNames
from longshore_cli.exports.ran import Ran, RanTask, command_words, moment, produced

__all__ = ["wfformat"]

_NO_HOST = re.compile(r"[^0-9A-Za-z.-]+")
_PROJECT = "project/"
"""Before the path of a file of the project, so that no task's output is called the same."""


def wfformat(ran: Ran, sizes: Mapping[str, int], version: str) -> dict[str, Any]:
    """Write a run. ``sizes`` are those of the project's files, by path; of those that are not there it says 0."""
    ids = DistinctNames()
    for task in ran.tasks:
        ids.of(task.id)
    info = ran.record.info
    workflow: dict[str, Any] = {"specification": _specification(ran, sizes, ids)}
    executed = [_executed(task, ids) for task in ran.tasks if task.done and task.seconds is not None]
    if executed:
        workflow["execution"] = _execution(ran, executed)
    return {
        "name": info.workflow,
        "description": f"Run {info.id}, which {info.state}",
        "createdAt": moment(ran.record.ended),
        "schemaVersion": "1.5",
        "runtimeSystem": {"name": "Longshore", "version": version},
        "workflow": workflow,
    }


def _specification(ran: Ran, sizes: Mapping[str, int], ids: DistinctNames) -> dict[str, Any]:
    files = DistinctNames()
    outputs = {f"{folder}/{output.path}": output for folder, output in produced(ran)}
    made = {path: {"id": files.of(path), "sizeInBytes": output.size} for path, output in outputs.items()}
    given = {
        path: {"id": files.of(f"{_PROJECT}{path}"), "sizeInBytes": sizes.get(path, 0)}
        for path in dict.fromkeys(path for task in ran.tasks for path in task.inputs)
    }
    children: dict[str, list[str]] = {task.id: [] for task in ran.tasks}
    for task in ran.tasks:
        for parent in task.parents:
            children[parent].append(ids.of(task.id))
    tasks = [
        {
            "name": task.name,
            "id": ids.of(task.id),
            "parents": [ids.of(parent) for parent in task.parents],
            "children": children[task.id],
            "inputFiles": _read(task, made) + [str(given[path]["id"]) for path in task.inputs],
            "outputFiles": [str(made[f"{task.folder}/{output.path}"]["id"]) for output in task.outputs],
        }
        for task in ran.tasks
    ]
    return {"tasks": tasks, "files": [*made.values(), *given.values()]}


def _execution(ran: Ran, executed: list[dict[str, Any]]) -> dict[str, Any]:
    record = ran.record
    machines = [{"nodeName": _node(each.machine)} for each in record.machines if each.machine in record.by_machine]
    return {
        "makespanInSeconds": record.figures.total,
        "executedAt": moment(record.began),
        "tasks": executed,
        **({"machines": machines} if machines else {}),
    }


def _node(machine: str) -> str:
    """Give a machine's name as hosts can be called."""
    return _NO_HOST.sub("-", machine)


def _read(task: RanTask, made: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List what a task read of others: the outputs themselves, also where it read a part of one."""
    found: dict[str, None] = {}
    for path in task.read:
        parts = path.split("/")
        whole = next((each for cut in range(len(parts), 0, -1) if (each := "/".join(parts[:cut])) in made), None)
        if whole is not None:
            found[str(made[whole]["id"])] = None
    return list(found)


def _executed(task: RanTask, ids: DistinctNames) -> dict[str, Any]:
    program, *arguments = command_words(task.command)
    told: dict[str, Any] = {
        "id": ids.of(task.id),
        "runtimeInSeconds": task.seconds,
        "command": {"program": program, "arguments": [each for each in arguments if each]},
        "coreCount": max(1.0, task.cpus),
        "writtenBytes": sum(output.size for output in task.outputs),
    }
    attempt = task.attempt
    if attempt is not None:
        told["machine"] = _node(attempt.machine)
        if attempt.peak_memory_bytes:
            told["memoryInBytes"] = attempt.peak_memory_bytes
        if attempt.seconds:
            told["avgCPU"] = round(100 * attempt.cpu_seconds / attempt.seconds, 4)
    return told
