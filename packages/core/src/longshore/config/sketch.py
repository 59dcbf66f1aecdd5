"""From what was written, as plain dicts, to values; tasks are looked at one by one here, and together in `links`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import define, field

from longshore.config.call_words import CallWords
from longshore.config.fields import Parser, describe, flag, money, table, text, whole
from longshore.config.for_each import check_count
from longshore.config.interpreted import ScriptWords
from longshore.config.params import params, used_params
from longshore.config.problems import Problems, mistakes_of
from longshore.config.sections import (
    CALL_KEYS,
    TASK_KEYS,
    arguments_text,
    observer,
    pool,
    provider,
    strategy,
)
from longshore.config.urls import Link, LinkedSource
from longshore.model.command import Call, Command
from longshore.model.names import check_name
from longshore.model.task import FileInput, Source, TaskSpec, UrlInput
from longshore.model.workflow import PoolSpec

if TYPE_CHECKING:
    from longshore.model.environment import EnvironmentSpec

__all__ = ["Draft", "Sketch", "read_sketch", "read_tables"]

Raw = Mapping[str, Any]
_NO_CODE = CallWords()
_NO_PARAMS: Mapping[str, str] = MappingProxyType({})


@define
class Draft:
    """A task as it was written, but for its references."""

    name: str
    command: Command
    words: dict[str, Any]
    """The other arguments of `TaskSpec`, without those below."""
    inputs: tuple[FileInput | UrlInput | Link, ...] = ()
    for_each: tuple[tuple[str, Source | LinkedSource], ...] = ()
    code: CallWords = _NO_CODE
    shared: tuple[str, ...] = ()
    """Parameters of the workflow that it uses."""

    @property
    def parameters(self) -> frozenset[str]:
        """The names that ``$name`` can have in a member segment."""
        names = [*(name for name, _ in self.for_each), *self.shared]
        return frozenset([*names, "repeat"] if "repeat" in self.words else names)

    @property
    def expands(self) -> bool:
        """Whether it stands for many tasks."""
        return bool(self.for_each) or "repeat" in self.words


@define
class Sketch:
    """A workflow whose tasks do not know of each other yet."""

    name: str = ""
    settings: dict[str, Any] = field(factory=dict)
    """Keys at the top of the file that are no tables, where they were given."""
    drafts: dict[str, Draft] = field(factory=dict)
    broken: set[str] = field(factory=set)
    """Names of tasks that have mistakes of their own; others may refer to them."""
    pools: dict[str, PoolSpec] = field(factory=dict)
    environments: dict[str, EnvironmentSpec] = field(factory=dict)
    providers: dict[str, dict[str, Any]] = field(factory=dict)
    observers: dict[str, dict[str, Any]] = field(factory=dict)
    given: dict[str, TaskSpec] = field(factory=dict)
    """Tasks of a run that these are to join."""


_SETTINGS: dict[str, Parser] = {
    "strategy": strategy,
    "max_tasks": whole(1),
    "keep_going": flag,
    "params": params,
    "env_file": text,
    "max_cost": money,
    "project": text,
}
_TABLES = ("pools", "environments", "providers", "observers", "tasks")
_KEYS = ("name", *_SETTINGS, *_TABLES)


def read_sketch(raw: Raw, problems: Problems) -> Sketch:
    """Read a whole workflow; mistakes go to ``problems``, and what has none comes back."""
    sketch = Sketch()
    for key, value in raw.items():
        if key not in _KEYS:
            problems.add(
                (key,), f"there is no key {key!r} here", f"use one of: {', '.join(_KEYS)}", misspelt=key, among=_KEYS
            )
            continue
        try:
            if key == "name":
                sketch.name = check_name(text(value), "workflow name")
            elif key in _SETTINGS:
                sketch.settings[key] = _SETTINGS[key](value)
        except ValueError as error:
            problems.take((key,), error)
    if "name" not in raw:
        problems.add((), "the workflow has no name", 'write name = "..." in the first line')
    read_tables(raw, sketch, problems)
    _read_tasks(raw.get("tasks", {}), sketch, problems)
    return sketch


def read_tables(raw: Raw, sketch: Sketch, problems: Problems) -> None:
    """Read ``pools``, ``environments``, ``providers`` and ``observers``; put those in that are not there yet."""
    readers: tuple[tuple[str, dict[str, Any], Callable[[str, object], Any]], ...] = (
        ("pools", sketch.pools, pool),
        ("environments", sketch.environments, _environment),
        ("providers", sketch.providers, provider),
        ("observers", sketch.observers, observer),
    )
    for kind, known, parse in readers:
        tables = raw.get(kind, {})
        if not isinstance(tables, Mapping):
            problems.add(
                (kind,),
                f"{describe(tables)} stands where a table is needed",
                f"write [{kind}.NAME] and the keys below it",
            )
            continue
        for name, value in tables.items():
            if name in known:
                continue
            try:
                known[name] = parse(text(name), value)
            except ValueError as error:
                problems.take((kind, name), error)


def _environment(name: str, value: object) -> EnvironmentSpec:
    from longshore.config.environments import environment  # noqa: PLC0415  few workflows have any

    return environment(name, value)


def _read_tasks(tasks: object, sketch: Sketch, problems: Problems) -> None:
    if not isinstance(tasks, Mapping):
        problems.add(
            ("tasks",), f"{describe(tasks)} stands where a table is needed", "write [tasks.NAME] and the keys below it"
        )
        return
    if not tasks:
        problems.add((), "the workflow has no tasks", 'write [tasks.NAME] and below it command = "..."')
    for name, words in tasks.items():
        parsed: dict[str, Any] | None
        try:
            check_name(text(name), "task name")
            parsed = table(words, TASK_KEYS, '{ command = "..." }')
        except ValueError as error:
            problems.take(("tasks", name), error)
            sketch.broken.add(name)
            parsed = _without(words, error)
            if parsed is None:
                continue
        draft = _draft(name, parsed, problems)
        if draft is None or not _takes_params(draft, sketch.settings.get("params", _NO_PARAMS), problems):
            sketch.broken.add(name)
        else:
            sketch.drafts[name] = draft


def _without(words: object, error: ValueError) -> dict[str, Any] | None:
    """Read a task without its keys that are wrong, so that mistakes in the others are told too."""
    wrong_keys = {mistake.below[0] for mistake in mistakes_of(error) if mistake.below}
    if not isinstance(words, Mapping) or not wrong_keys:
        return None
    rest = {key: value for key, value in words.items() if key not in wrong_keys}
    if not rest.keys() & {"command", "script", "call"}:
        return None
    try:
        return table(rest, TASK_KEYS, "{}")
    except ValueError:
        return None


def _draft(name: str, words: dict[str, Any], problems: Problems) -> Draft | None:
    key = ("tasks", name)
    inputs = words.pop("inputs", ())
    for_each = words.pop("for_each", ())
    if (for_each or "repeat" in words) and not _check_members(key, for_each, words.get("repeat"), problems):
        return None
    command = words.pop("command", None)
    script: ScriptWords | None = words.pop("script", None)
    if script is not None:
        if command is not None or "call" in words:
            what = "a command" if command is not None else "a call"
            problems.add((*key, "script"), f"the task has {what} and a script", "take one of them out")
            return None
        command, inputs = script.command, (*inputs, *([script.file] if script.file not in inputs else []))
    if "call" not in words:
        stray = next((each for each in CALL_KEYS if each in words), None)
        if stray:
            problems.add(
                (*key, stray), f"{stray!r} goes with 'call' only", 'write call = "module:function", or take it out'
            )
        elif command is None:
            remedy = 'write command = "...", script = "FILE ..." or call = "module:function"'
            problems.add(key, "the task has no command", remedy)
        if stray or command is None:
            return None
        return Draft(name, command, words, inputs, for_each)
    if command is not None:
        problems.add((*key, "call"), "the task has a command and a call", "take one of them out")
        return None
    extra = words.pop("(call)", _NO_CODE)
    call = Call(
        function=words.pop("call"),
        arguments=arguments_text(words.pop("args", []), words.pop("kwargs", {})),
        pickle=extra.pickle,
        python=extra.python if extra.pickle else "",
    )
    return Draft(name, call, words, inputs, for_each, extra)


def _takes_params(draft: Draft, known: Mapping[str, str], problems: Problems) -> bool:
    """Give a task the workflow's parameters that it uses; say whether they go together with its own."""
    named = draft.words.pop("params", ())
    if not known and not named:
        return True
    key = ("tasks", draft.name)
    try:
        used = used_params(known, draft.command, draft.inputs, named)
    except ValueError as error:
        problems.take(key, error)
        return False
    own = draft.parameters
    double = next((name for name, _ in used if name in own), None)
    if double is not None:
        message = f"the workflow has a parameter {double!r}, too"
        problems.add((*key, "for_each", double), message, "give one of them another name")
        return False
    if used:
        draft.words["params"] = used
        draft.shared = tuple(name for name, _ in used)
    return True


def _check_members(
    key: tuple[str, ...],
    for_each: tuple[tuple[str, Source | LinkedSource], ...],
    repeat: int | None,
    problems: Problems,
) -> bool:
    """Say whether the parameters of a task go together."""
    if repeat is not None and any(parameter == "repeat" for parameter, _ in for_each):
        message = "the parameter 'repeat' is made by the key repeat already"
        problems.add((*key, "for_each", "repeat"), message, "give it another name")
        return False
    try:
        check_count((source for _, source in for_each), repeat or 1)
    except ValueError as error:
        problems.take((*key, "for_each") if for_each else (*key, "repeat"), error)
        return False
    return True
