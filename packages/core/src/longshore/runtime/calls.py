"""The arguments of Python calls: what stands for a file, a result or a parameter is replaced just before the call."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve

from longshore.errors import InputMissing
from longshore.model.command import Call, Command
from longshore.model.task import Task
from longshore.scheduler.state import RunState

__all__ = ["with_arguments"]


def with_arguments(command: Command, task: Task, state: RunState) -> Command:
    """Fill in the arguments of a call; other commands stay as they are.

    ``{"$file": "in/fit/x.csv"}`` becomes the path, ``{"$result": "fit"}`` what the call returned (of a task with
    members, a mapping from member to result), ``{"$param": "year"}`` the parameter's value.

    Raises:
        InputMissing: when a call whose result is wanted has none.
    """
    if not isinstance(command, Call) or '"$' not in command.arguments:
        return command
    params = dict(task.params)

    def fill(value: Any) -> Any:
        if isinstance(value, list):
            return [fill(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            if "$file" in value:
                return value["$file"]
            if "$param" in value:
                return params[value["$param"]]
            if "$result" in value:
                return _result(value["$result"], task, state)
        return {key: fill(item) for key, item in value.items()}

    return evolve(command, arguments=json.dumps(fill(json.loads(command.arguments))))


def _result(name: str, task: Task, state: RunState) -> Any:
    group = state.groups.get(name)
    if group is None:
        raise InputMissing(f"{task.id} wants the result of {name}, which is no task of this run")
    if not group.spec.expands:
        return _one(state, name)
    return {member: _one(state, identity) for member, identity in group.members.items()}


def _one(state: RunState, name: str) -> Any:
    text = state.tasks[name].result
    if text is None:
        raise InputMissing(f"the result of {name} is wanted, but it is no Python call, or it has not succeeded")
    return json.loads(text)
