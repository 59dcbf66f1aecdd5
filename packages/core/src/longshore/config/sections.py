"""The keys of a task and pool, each with the parser of its value.

What comes out is complete but for what needs the other tasks: a text with ``workflow://`` stays a `Link` until then.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from longshore.config.call_words import FUNCTION, CallWords
from longshore.config.collecting import collect
from longshore.config.fields import (
    Parser,
    describe,
    duration,
    flag,
    mapping_of,
    number,
    plain,
    relative,
    size,
    some_time,
    table,
    text,
    texts,
    variable,
    whole,
)
from longshore.config.for_each import for_each
from longshore.config.interpreted import ScriptWords, script_words
from longshore.config.problems import Mistake, Mistakes, hint, mistakes_of, wrong
from longshore.config.urls import Link, host_of, is_link, is_url
from longshore.model.command import Argv, Shell
from longshore.model.jsontext import json_writer
from longshore.model.names import check_name
from longshore.model.outcome import FailureClass
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.shell import problem
from longshore.model.task import FileInput, Secret, UrlInput
from longshore.model.workflow import LOCAL_POOL, PoolSpec, StrategySpec

if TYPE_CHECKING:
    from longshore.model.rented import RentedPool

__all__ = ["CALL_KEYS", "TASK_KEYS", "observer", "pool", "provider", "strategy"]

# Text that surely closes what it opens, whatever else it is. No two of its parts begin alike, so that it need never go
# back, which would take most of the time where there are many commands.
_CLOSED = re.compile(r"""(?:[^'"`\\$<]++|'[^']*+'|"(?:[^"`\\$]|\$\w)*+"|\$\w|<(?!<))*+""")
_ENVIRONMENT_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_write_arguments = json_writer(compact=False, ascii_only=False)
_SIMPLE = frozenset({str, int, bool})
_RESERVED = "in"
"""The folder of the workdir that holds what other tasks made."""


def _command(value: object) -> Shell | Argv:
    if isinstance(value, str):
        command = text(value)
        opened = None if _CLOSED.fullmatch(command) else problem(command)
        if opened:
            raise wrong(opened, "close it, or take it out")
        return Shell(command)
    if not isinstance(value, Sequence):
        raise wrong(
            f"{describe(value)} is no command", 'write a text for the shell, or a list: ["program", "argument"]'
        )
    if not value:
        raise wrong("the list is empty", 'write the program and its arguments: ["program", "argument"]')
    return Argv((text(value[0]), *texts(value[1:], variable)))


def _script(value: object) -> ScriptWords:
    return script_words(value, _command)


def _function(value: object) -> str:
    name = text(value)
    if not FUNCTION.fullmatch(name):
        raise wrong(f"{name!r} names no function", 'write it as in "package.module:function"')
    return name


def _json(value: object) -> Any:
    """What a Python call can be given: what JSON can say."""
    match value:
        case None | str() | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping():
            return mapping_of(variable, _json)(value)
        case list() | tuple():
            return list(texts(value, _json))
        case _:
            raise wrong(
                f"{describe(value)} cannot be an argument of a call",
                "pass text, finite numbers, true or false, lists and tables; anything larger as a file",
            )


def input_path(value: object) -> FileInput | UrlInput | Link:
    """One of ``inputs``: a file, folder or glob of the project, an object on the web, or another task's output."""
    path = text(value)
    if is_link(path):
        return Link(path)
    if is_url(path):
        return UrlInput(path)
    clean = relative(path).removesuffix("/")
    if clean.split("/", 1)[0] == _RESERVED:
        raise wrong(f"{path!r} lies in 'in/', where a task finds what other tasks made", "give the folder another name")
    return FileInput(clean)


def output_path(value: object) -> str:
    """One of ``outputs``: a file, a folder with a slash at its end, or a glob, in the workdir."""
    path = text(value)
    if is_url(path):
        raise wrong(
            f"{path!r} is a URL; an output is a file that the command writes", 'name the file, as in "model.json"'
        )
    clean = relative(path)
    if clean.split("/", 1)[0] == _RESERVED:
        raise wrong(f"{path!r} lies in 'in/', where a task finds what other tasks made", "write it somewhere else")
    return clean


_RETRY_KEYS: dict[str, Parser] = {"attempts": whole(1), "delay": duration, "max_delay": duration}
_RETRY_EXAMPLE = '{ attempts = 3, delay = "10 s" }'
_NEEDS_KEYS: dict[str, Parser] = {"cpus": number, "memory": size, "gpus": whole(), "disk": size}
_NEEDS_NAMES = {"memory": "memory_bytes", "disk": "disk_bytes"}


def _needs(value: object) -> Resources:
    amounts = table(value, _NEEDS_KEYS, '{ cpus = 4, memory = "16 GiB" }')
    return Resources(**{_NEEDS_NAMES.get(key, key): amount for key, amount in amounts.items()})


def _failure_class(value: object) -> FailureClass:
    name = text(value)
    known = [each.value for each in FailureClass]
    if name not in known:
        raise wrong(f"there is no class of failures {name!r}", hint(name, known, f"use one of: {', '.join(known)}"))
    return FailureClass(name)


def _failure_classes(value: object) -> frozenset[FailureClass]:
    return frozenset(texts(value, _failure_class))


def _retry(value: object) -> RetryPolicy:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise wrong(
                f"{value} attempts are too few", "write how many attempts there may be in all; 1 means no retry"
            )
        return RetryPolicy(attempts=value)
    return RetryPolicy(**table(value, {**_RETRY_KEYS, "on": _failure_classes}, _RETRY_EXAMPLE))


def _environment_variable(value: object) -> str:
    name = text(value)
    if not _ENVIRONMENT_VARIABLE.fullmatch(name):
        raise wrong(f"{name!r} is no name of an environment variable", "use letters, digits and '_', not a digit first")
    if name.startswith("LONGSHORE_"):
        raise wrong(f"{name!r} is set by Longshore itself", "use another name")
    return name


def _secret(value: object) -> Secret:
    words = table(value, {"file": text, "variable": _environment_variable}, '{ file = "~/licence.lic" }')
    if len(words) != 1:
        raise wrong("a secret comes from one place", 'write { file = "~/licence.lic" } or { variable = "LICENCE" }')
    return Secret(**words)


def _inputs(value: object) -> tuple[FileInput | UrlInput | Link, ...]:
    return texts(value, input_path)


def _outputs(value: object) -> tuple[str, ...]:
    return texts(value, output_path)


def _function_arguments(value: object) -> list[Any]:
    if isinstance(value, list) and all(type(item) in _SIMPLE for item in value):
        return value
    return list(texts(value, _json))


def _call_words(value: object) -> CallWords:
    if not isinstance(value, CallWords):
        raise wrong("there is no key '(call)' in a workflow file", "take it out")
    return value


def _folder_url(value: object) -> str:
    url = text(value).rstrip("/")
    if not is_url(url) or is_link(url) or not host_of(url).partition("://")[2]:
        raise wrong(f"{value!r} is no place in a bucket", 'write it as in "s3://my-bucket/results"')
    return url


CALL_KEYS: dict[str, Parser] = {
    "call": _function,
    "args": _function_arguments,
    "kwargs": mapping_of(text, _json),
    "(call)": _call_words,
}

TASK_KEYS: dict[str, Parser] = {
    "command": _command,
    "script": _script,
    "inputs": _inputs,
    "outputs": _outputs,
    "needs": _needs,
    "environment": text,
    "pool": text,
    "retry": _retry,
    "timeout": duration,
    "grace": duration,
    "warn": flag,
    "after": texts,
    "env": mapping_of(_environment_variable, variable),
    "secrets": mapping_of(output_path, _secret),
    "keep": flag,
    "results_to": _folder_url,
    "for_each": for_each,
    "repeat": whole(1),
    "params": texts,
    "collect": collect,
    "priority": whole(-1_000_000),
    **CALL_KEYS,
}

_RENTED_EXECUTOR = "ssh"
"""How tasks get to machines that are rented, where a pool does not say it."""
_POOL_KEYS: dict[str, Parser] = {
    "executor": text,
    "provider": text,
    "tasks": whole(1),
    "orphan": some_time,
    "store": _folder_url,
}


def pool(name: str, value: object) -> PoolSpec:
    """Read one table of ``[pools]``; keys that are not the core's are left to the plugins."""
    check_name(name, "pool name")
    if not isinstance(value, Mapping):
        raise wrong(f"{describe(value)} stands where a table is needed", f"write [pools.{name}] and the keys below it")
    keys = _rented_keys() if "provider" in value else {}
    known = {**_POOL_KEYS, **keys}
    ours, rest = _parted(value, known)
    if "provider" in ours:
        ours.setdefault("executor", _RENTED_EXECUTOR)
    mistakes: list[Mistake] = []
    words: dict[str, Any] = {}
    machines: RentedPool | None = None
    try:
        words = table(ours, known, "")
        renting = {key: words.pop(key) for key in keys if key in words}
        if "provider" in words:
            machines = _rented(renting)
    except ValueError as error:
        mistakes += mistakes_of(error)
    if "provider" in ours and ours["executor"] == LOCAL_POOL:
        message = "the executor 'local' runs tasks on this computer, and not on machines that are rented"
        mistakes += wrong(message, 'write executor = "ssh"', ("executor",)).mistakes
    if "provider" in ours and "orphan" in ours:
        message = "machines that are rented end themselves, with all that runs on them"
        mistakes += wrong(message, 'write unattended = "30 min" instead', ("orphan",)).mistakes
    if "store" in ours and ours.get("executor", LOCAL_POOL) == LOCAL_POOL:
        message = "tasks on this computer have the project's own store"
        mistakes += wrong(message, "take it out, or name the executor whose machines it is for", ("store",)).mistakes
    if mistakes:
        raise Mistakes(*mistakes)
    return PoolSpec(name=name, options=plain(rest), rented=machines, **words)


def _rented_keys() -> Mapping[str, Parser]:
    from longshore.config.rented import RENTED_KEYS  # noqa: PLC0415  few workflows rent, and all wait for imports

    return RENTED_KEYS


def _rented(words: Mapping[str, Any]) -> RentedPool:
    from longshore.config.rented import rented  # noqa: PLC0415  as above

    return rented(words)


def _parted(value: Mapping[str, Any], known: Collection[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part a table into the keys that are the core's and those that are left to plugins."""
    ours = {key: item for key, item in value.items() if key in known}
    return ours, {key: item for key, item in value.items() if key not in known}


_PROVIDER_KEYS: dict[str, Parser] = {"plugin": text, "owner": text}


def provider(name: str, value: object) -> dict[str, Any]:
    """Read one table of ``[providers]``; keys that are not the core's are checked by the plugin."""
    return _of_plugin("provider", name, value, _PROVIDER_KEYS)


_OBSERVER_KEYS: dict[str, Parser] = {"plugin": text}


def observer(name: str, value: object) -> dict[str, Any]:
    """Read one table of ``[observers]``, in the same way."""
    return _of_plugin("observer", name, value, _OBSERVER_KEYS)


def _of_plugin(role: str, name: str, value: object, ours: Mapping[str, Parser]) -> dict[str, Any]:
    check_name(name, f"{role} name")
    if not isinstance(value, Mapping):
        raise wrong(
            f"{describe(value)} stands where a table is needed", f"write [{role}s.{name}] and the keys below it"
        )
    table({key: item for key, item in value.items() if key in ours}, ours, "")
    return dict(plain(value))


def strategy(value: object) -> StrategySpec:
    """Read ``strategy``: a name, or a table with it and the options that the plugin checks."""
    if not isinstance(value, Mapping):
        return StrategySpec(name=text(value))
    if "name" not in value:
        raise wrong("the strategy has no name", 'write it as in { name = "random", seed = 7 }')
    ours = table({"name": value["name"]}, {"name": text}, "")
    options = plain({key: item for key, item in value.items() if key != "name"})
    return StrategySpec(options=options, **ours)


def arguments_text(args: list[Any], kwargs: Mapping[str, Any]) -> str:
    """Write a call's arguments as the model wants them; equal arguments give equal text."""
    return _write_arguments({"args": args, "kwargs": dict(sorted(kwargs.items())) if kwargs else kwargs})
