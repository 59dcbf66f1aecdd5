"""By what a task is known: a digest of all that decides what it does, and of nothing else.

Two tasks with one identity would do the same, whenever, wherever and however often they run: the command, its
parameters and declared variables, the outputs that are wanted, the software, and the content and place of every input
count; host, time, attempt and absolute paths do not. A task that declares no outputs runs for its effect, so its own id
counts too: two such tasks with one command are two effects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, assert_never

from longshore.model.attempt import Item
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.jsontext import json_writer
from longshore.model.task import Task

__all__ = ["fixed_part", "identity", "input_parts"]

_FORMAT = 1
"""Raised when the same task must be taken for another, because what is run for it has changed."""

_MOST_LISTED = 50
"""Of more inputs from one glob or reference only their number and one digest are kept."""

_dumps = json_writer(sort_keys=True)
# Most of 100,000 tasks have little more than a command and a name; an encoder for each would take longer than the rest.
_text = json.encoder.encode_basestring_ascii


def fixed_part(task: Task, command: Command, environment: str = "") -> str:
    """Work out, as JSON text, the part of an identity that does not depend on parameters and inputs; the task itself
    counts by its spec.

    ``environment`` is by what its software is known; empty for none.
    """
    env = _dumps(dict(task.spec.env)) if task.spec.env else "{}"
    outputs = _dumps(sorted(task.spec.outputs)) if task.spec.outputs else "[]"
    told = _text(command.text) if isinstance(command, Shell) else _dumps(_command_part(command))
    return f'{{"command":{told},"env":{env},"environment":{_text(environment)},"outputs":{outputs}}}'


def identity(task: Task, fixed: str, inputs: Mapping[str, str]) -> tuple[str, str]:
    """Give a task's identity and, for whoever asks what has changed, the parts that it was made of, as JSON text.

    ``fixed`` is from `fixed_part`, and ``inputs`` is what `input_parts` made of them.
    """
    params = _dumps(dict(task.params)) if task.params else "{}"
    read = _dumps(inputs) if inputs else "{}"
    effect = "" if task.spec.outputs else f',"task":{_text(task.id)}'
    parts = f'{fixed[:-1]},"inputs":{read},"params":{params}{effect}}}'
    return hashlib.sha256(f"longshore {_FORMAT}\n{parts}".encode("ascii")).hexdigest(), parts


def input_parts(groups: Iterable[tuple[str, Sequence[Item]]]) -> dict[str, str]:
    """Say of each input what counts of it. Each group is what one declared input, by its text, has come to."""
    parts: dict[str, str] = {}
    for declared, items in groups:
        if len(items) <= _MOST_LISTED:
            parts.update((item.path, _item_part(item)) for item in items)
        else:
            listing = _dumps([[item.path, _item_part(item)] for item in items])
            parts[declared] = f"{len(items)} files {hashlib.sha256(listing.encode('ascii')).hexdigest()}"
    return parts


def _item_part(item: Item) -> str:
    return f"{item.sha256} {item.mode:o}{' folder' if item.kind == 'folder' else ''}"


def _command_part(command: Command) -> Any:
    match command:
        case Shell(text):
            return text
        case Argv(args):
            return list(args)
        case Call(function=function, arguments=arguments, pickle=pickle):
            part = {"call": function, "arguments": arguments}
            return {**part, "pickle": hashlib.sha256(pickle).hexdigest()} if pickle else part
        case _:
            assert_never(command)
