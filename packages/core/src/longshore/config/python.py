"""Building a workflow by calls: the words of a workflow file, the same value at the end, the same mistakes found."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path, PurePath
from types import FrameType
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from attrs import frozen

from longshore.config.call_words import CallWords
from longshore.config.functions import describe_function
from longshore.config.problems import Key, Problems, key_text
from longshore.errors import ConfigError, Problem

if TYPE_CHECKING:
    from longshore.model.workflow import WorkflowSpec

__all__ = ["Output", "Param", "TaskHandle", "Words", "Workflow"]

_NO_CODE = CallWords()
_SIMPLE = frozenset({str, int, float, bool, type(None)})


@frozen
class Param:
    """The value of a ``for_each`` parameter, as an argument of a call or as the member of an output."""

    name: str

    def __str__(self) -> str:
        return f"${self.name}"


@frozen
class Output:
    """A file that a task writes. In a command, by ``str``, it is a reference; a call gets its path."""

    task: str
    path: str
    member: str = ""

    def __str__(self) -> str:
        return "/".join(("workflow://", self.task, *([self.member] if self.member else []), self.path))


@frozen
class TaskHandle:
    """A task that was added: others name it, its outputs, or what it returns."""

    name: str

    def output(self, path: str | PurePath, member: str | Param = "") -> Output:
        """Name a file that the task writes; of a task with ``for_each``, of which member, with ``*`` for all."""
        return Output(self.name, path if isinstance(path, str) else path.as_posix(), str(member))

    @property
    def result(self) -> TaskHandle:
        """What the call returns, as an argument of another; of a task with members, a mapping from member to result."""
        return self


class Words(TypedDict, total=False):
    """What can be said of any task; the same words as in a workflow file."""

    inputs: Iterable[str | PurePath | Output]
    outputs: Iterable[str | PurePath]
    needs: Mapping[str, Any]
    environment: str | None
    pool: str | None
    retry: int | Mapping[str, Any]
    timeout: str | timedelta | None
    grace: str | timedelta
    warn: bool
    after: Iterable[str | TaskHandle]
    env: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]]
    keep: bool
    results_to: str
    for_each: Mapping[str, Any]
    repeat: int | None
    params: Iterable[str]
    collect: str | Mapping[str, str]
    priority: int


class Workflow:
    """A workflow to which tasks are added by calls.

    Nothing is checked before `spec`, which finds all mistakes at once and names the lines of the calls.
    """

    def __init__(
        self,
        name: str,
        *,
        pools: Mapping[str, Mapping[str, Any]] | None = None,
        environments: Mapping[str, Mapping[str, Any]] | None = None,
        providers: Mapping[str, Mapping[str, Any]] | None = None,
        observers: Mapping[str, Mapping[str, Any]] | None = None,
        params: Mapping[str, str | float] | None = None,
        env_file: str | PurePath | None = None,
        strategy: str | Mapping[str, Any] | None = None,
        max_tasks: int | None = None,
        keep_going: bool | None = None,
        max_cost: str | None = None,
        project: str | None = None,
    ) -> None:
        self.name = name
        settings = {
            "params": dict(params) if params else None,
            "env_file": env_file,
            "strategy": strategy,
            "max_tasks": max_tasks,
            "keep_going": keep_going,
            "max_cost": max_cost,
            "project": project,
        }
        self._settings = {key: value for key, value in settings.items() if value is not None}
        self._tables: dict[str, dict[str, Any]] = {
            "pools": dict(pools or {}),
            "environments": dict(environments or {}),
            "providers": dict(providers or {}),
            "observers": dict(observers or {}),
        }
        self._tasks: dict[str, dict[str, Any]] = {}
        self._functions: dict[int, tuple[Callable[..., Any], str, CallWords]] = {}
        # Where each task was added, in their order: two numbers a task, and the texts that they mean.
        self._lines = array("L")
        self._files = array("L")
        self._file_names: dict[str, int] = {}
        self._sites: dict[Key, str] = {(): _site(sys._getframe(1))}

    def shell(self, name: str, command: str | Iterable[Any], **words: Unpack[Words]) -> TaskHandle:
        """Add a command: text for the shell, or a list of program and arguments that no shell sees."""
        table = _table(words)
        if command is not None:
            table["command"] = command if type(command) is str else _settled(command)
        return self._add(name, table, sys._getframe(1))

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        name: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **words: Unpack[Words],
    ) -> TaskHandle:
        """Add a Python call. What it returns must be JSON; its arguments may be handles, outputs and parameters.

        A function that its module has under its name is called by that name, and the project's files with its code are
        inputs. Any other travels as a pickle, for which the extra ``longshore-core[call]`` is needed.
        """
        frame = sys._getframe(1)
        label = name or str(getattr(function, "__name__", ""))
        try:
            found, code = self._described(function)
        except ValueError as error:
            problems = Problems(lambda _: _site(frame))
            problems.take(("tasks", label, "call"), error)
            raise ConfigError(problems.found) from error
        table = _table(words)
        table["call"] = found
        table["args"] = [each if type(each) in _SIMPLE else _settled(_argument(each)) for each in args]
        table["(call)"] = code
        if kwargs:
            table["kwargs"] = _settled(_argument(kwargs))
        return self._add(label, table, frame)

    def add(self, name: str, table: Mapping[str, Any]) -> TaskHandle:
        """Add a task as a workflow file writes it: a table with ``command`` or ``call`` and any other keys."""
        return self._add(name, _table(table), sys._getframe(1))

    def pool(self, name: str, **options: Any) -> str:
        """Add a pool, and give back its name."""
        return self._put("pools", name, options, sys._getframe(1))

    def environment(self, name: str, **options: Any) -> str:
        """Add an environment, and give back its name."""
        return self._put("environments", name, options, sys._getframe(1))

    def spec(self, folder: Path | str = ".") -> WorkflowSpec:
        """Check everything and give the value that a workflow file in ``folder`` with the same content would give.

        Raises:
            ConfigError: with every mistake, each with the line of the call.
        """
        # Who only builds a workflow, or imports a module that has one, need not wait for all that reads it.
        from longshore.config.assemble import assemble  # noqa: PLC0415  as above
        from longshore.config.bulk import bulk  # noqa: PLC0415  as above
        from longshore.config.load import read_user  # noqa: PLC0415  as above

        problems = Problems(self.place)
        user = read_user(problems)
        with bulk():
            return assemble(self.raw(), user, Path(folder).absolute(), problems)

    def raw(self) -> Mapping[str, Any]:
        """Give the workflow as a workflow file would hold it, unchecked."""
        return {"name": self.name, **self._settings, **self._tables, "tasks": self._tasks}

    def place(self, key: Key) -> str:
        """Say which line of the user's code wrote a key."""
        if key[:1] == ("tasks",) and len(key) > 1 and key[1] in self._tasks:
            number = list(self._tasks).index(key[1])
            return f"{list(self._file_names)[self._files[number]]}:{self._lines[number]}"
        return self._sites.get(key[:2]) or self._sites[()]

    def _described(self, function: Callable[..., Any]) -> tuple[str, CallWords]:
        _, found, code = self._functions.get(id(function), (None, "", _NO_CODE))
        if not found:
            found, code = describe_function(function)
            if not code.pickle:
                # The function is kept too, so that no other gets its id. What a pickle holds may be another next time.
                self._functions[id(function)] = function, found, code
        return found, code

    def _add(self, name: str, table: dict[str, Any], frame: FrameType) -> TaskHandle:
        if name in self._tasks:
            raise self._twice("tasks", name, frame)
        self._tasks[name] = table
        self._lines.append(frame.f_lineno)
        file = frame.f_code.co_filename
        number = self._file_names.get(file)
        self._files.append(self._file_names.setdefault(file, len(self._file_names)) if number is None else number)
        return TaskHandle(name)

    def _put(self, kind: str, name: str, options: Mapping[str, Any], frame: FrameType) -> str:
        if name in self._tables[kind]:
            raise self._twice(kind, name, frame)
        self._tables[kind][name] = _settled(options)
        self._sites[kind, name] = _site(frame)
        return name

    def _twice(self, kind: str, name: str, frame: FrameType) -> ConfigError:
        key = (kind, str(name))
        message = f"there is {key_text(key)!r} already, from {self.place(key)}"
        return ConfigError(
            [Problem(place=_site(frame), key=key_text(key), message=message, remedy="give it a name of its own")]
        )


def _site(frame: FrameType) -> str:
    return f"{_shown(frame.f_code.co_filename)}:{frame.f_lineno}"


def _shown(file: str) -> str:
    """Show a file below the present folder without it."""
    here = os.path.relpath(file) if os.path.isabs(file) else file
    return file if here.startswith("..") else here


def _table(words: Mapping[str, Any]) -> dict[str, Any]:
    """Make a table of what was said of a task; None says nothing."""
    return {word: _settled(value) for word, value in words.items() if value is not None} if words else {}


def _settled(value: Any) -> Any:
    """Copy what the caller may change later, and turn handles into the texts that a workflow file would have."""
    match value:
        case None | str() | bytes() | bool() | int() | float() | timedelta() | range() | PurePath() | CallWords():
            return value
        case Output() | Param():
            return str(value)
        case TaskHandle():
            return value.name
        case Mapping():
            return {key: _settled(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted(value)
        case Iterable():
            return [item if type(item) is str else _settled(item) for item in value]
        case _:
            return value


def _argument(value: Any) -> Any:
    """Turn handles in the arguments of a call into what stands for them."""
    match value:
        case TaskHandle():
            return {"$result": value.name}
        case Output():
            return {"$file": str(value)}
        case Param():
            return {"$param": value.name}
        case Mapping():
            return {key: _argument(item) for key, item in value.items()}
        case list() | tuple():
            return [_argument(item) for item in value]
        case _:
            return value
