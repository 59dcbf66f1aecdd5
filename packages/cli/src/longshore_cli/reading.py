"""How `logs` finds, shows and follows what tasks wrote."""

from __future__ import annotations

import codecs
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from longshore.errors import UsageError
from longshore.model.events import TasksIdentified
from longshore.runtime.changes import Changes
from longshore.runtime.history import RunReader, TaskInfo
from longshore.runtime.lock import holder, is_held
from longshore.runtime.processes import watch
from longshore_cli.output import say
from longshore_cli.text import Cleaner

__all__ = ["Logs", "Position", "follow", "follow_task", "show"]

_CHUNK = 1 << 16
_PAUSE_SECONDS = 0.1
"""The journal of a busy run changes a thousand times a second; nobody reads faster than this."""
_ENDED = frozenset({"succeeded", "up to date", "failed", "lost", "cancelled", "skipped"})


class Logs:
    """Where logs are read from, and how they are written to stdout."""

    def __init__(self, reader: RunReader, streams: Sequence[str], *, raw: bool) -> None:
        self.reader = reader
        self.streams = streams
        self._midway = False
        """Whether what was written last did not end its line."""
        self._cleaners = None if raw or not sys.stdout.isatty() else {name: _TextOf() for name in streams}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and self._cleaners is not None:
            for cleaner in self._cleaners.values():
                self._put(cleaner.close())

    def paths(self, task: str, attempt: int) -> dict[str, Path]:
        """Give the files of the streams that are wanted."""
        both = dict(zip(("out", "err"), self.reader.log_paths(task, attempt), strict=True))
        return {name: both[name] for name in self.streams}

    def copy(self, stream: str, path: Path, offset: int = 0) -> int:
        """Write what stands in a file from an offset on, and give the offset of its end; a missing file is empty."""
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return offset
        with file:
            file.seek(offset)
            while data := file.read(_CHUNK):
                offset += len(data)
                self._put(data if self._cleaners is None else self._cleaners[stream].feed(data))
        sys.stdout.buffer.flush()
        return offset

    def head(self, line: str) -> None:
        """Write a line that tells logs apart, on a line of its own."""
        self._put(b"\n" * self._midway + f"{line}\n".encode())

    def _put(self, data: bytes) -> None:
        if data:
            sys.stdout.buffer.write(data)
            self._midway = not data.endswith(b"\n")


class _TextOf:
    """Makes bytes that come in pieces into bytes that are safe on a terminal."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._clean = Cleaner()

    def feed(self, data: bytes) -> bytes:
        return _encoded(self._clean.feed(self._decode.decode(data)))

    def close(self) -> bytes:
        return _encoded(self._clean.feed(self._decode.decode(b"", final=True)) + self._clean.close())


def _encoded(text: str) -> bytes:
    return text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")


def _named(reader: RunReader, name: str) -> list[TaskInfo]:
    """Give the tasks that are meant, as far as anything has happened to them.

    Raises:
        UsageError: when the run has none of that name.
    """
    written = name.partition("[")[0]
    known = [task for task in reader.tasks() if task.id == name or (written == name and task.id.startswith(f"{name}["))]
    if not known:
        # Slow, but only for a task that has not begun or does not exist: it says which, and names those that are near.
        from longshore_cli.story import Replayed

        Replayed(reader).find(name)
    return known


def show(logs: Logs, name: str | None, attempt: int | None, *, failed: bool, quiet: bool) -> int:
    """Write the logs of a task, of all members of a task as written, or of those that failed; give the exit code."""
    tasks = _named(logs.reader, name) if name is not None else logs.reader.tasks()
    if failed:
        tasks = [task for task in tasks if task.phase in {"failed", "lost"}]
        if not tasks and not quiet:
            say("No task failed.")
    elif not tasks:
        say(f"{name} has not started yet; `longshore logs -f {name}` waits for it.")
    for task in tasks:
        number = attempt or task.attempts
        if attempt is not None and attempt > task.attempts:
            raise UsageError(f"{task.id} had {task.attempts} attempts, so there is no attempt {attempt}")
        if len(tasks) > 1:
            logs.head(f"==> {task.id} (attempt {number}) <==")
        _show_attempt(logs, task, number, quiet=quiet)
    return 0


def _show_attempt(logs: Logs, task: TaskInfo, number: int, *, quiet: bool) -> None:
    paths = logs.paths(task.id, number)
    present = {stream: path for stream, path in paths.items() if path.exists() and path.stat().st_size}
    for stream, path in present.items():
        if len(present) > 1:
            logs.head(f"--- std{stream} ---")
        logs.copy(stream, path)
    if not present and not quiet:
        say(_nothing(logs.reader, task))


def _nothing(reader: RunReader, task: TaskInfo) -> str:
    if task.phase == "up to date":
        sources = [
            item.source
            for _, event in reader.events(kind="TasksIdentified", about=task.id)
            if isinstance(event, TasksIdentified)
            for item in event.items
            if item.task == task.id
        ]
        return f"{task.id} was up to date and did not run; it ran in {sources[-1] if sources else 'an earlier run'}."
    return f"{task.id} wrote nothing." if task.attempts else f"{task.id} did not start: it is {task.phase}."


def follow_task(logs: Logs, name: str, attempt: int | None) -> int:
    """Write what a task writes until it has ended; give the exit code.

    Raises:
        UsageError: when the name means several tasks, or none.
    """
    reader = logs.reader
    known = _named(reader, name)
    if len(known) > 1:
        raise UsageError(f"{name} has {len(known)} members; name one of them, such as {known[0].id}")
    return follow(reader, _Position(logs, known[0].id if known else name, attempt))


class Position(Protocol):
    """How far something has been shown that is still being written."""

    def is_over(self) -> bool:
        """Say whether nothing more will be written."""
        ...

    def advance(self) -> None:
        """Show what has been written."""
        ...


def follow(reader: RunReader, position: Position) -> int:
    """Show what is written until it is over, or the run has nobody who goes on with it; give the exit code."""
    folder = reader.folder / "logs"
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        changes = stack.enter_context(Changes([reader.folder, folder]))
        controller = _controller(reader)
        if controller is not None:
            stack.callback(os.close, controller)
        while True:
            # Asked before the files are read, so that nothing is missed that was written before the end.
            over, held = position.is_over(), is_held(reader.folder)
            position.advance()
            if over:
                return 0
            if not held:
                say(f"Nobody controls run {reader.folder.name} now; `longshore resume` continues it.")
                return 1
            changes.wait([controller] if controller is not None else [])
            time.sleep(_PAUSE_SECONDS)


def _controller(reader: RunReader) -> int | None:
    """Open a descriptor that becomes readable when the run's controller dies; None where there is no such thing."""
    who = holder(reader.folder)
    return watch(who.process.pid) if who is not None and is_held(reader.folder) else None


class _Position:
    """How far a task's logs have been shown."""

    def __init__(self, logs: Logs, task: str, attempt: int | None) -> None:
        self._logs = logs
        self._task = task
        self._only = attempt
        self._number = attempt or 0
        self._offsets: dict[str, int] = {}
        self._latest = 0

    def is_over(self) -> bool:
        """Say whether nothing more will be written."""
        info = self._logs.reader.task(self._task)
        if info is None:
            return False
        self._latest = info.attempts
        if self._only is not None:
            return info.attempts > self._only or info.phase in _ENDED
        return info.phase in _ENDED

    def advance(self) -> None:
        """Show what has been written, and go on to the next attempt when there is one."""
        while True:
            if self._number:
                for stream, path in self._logs.paths(self._task, self._number).items():
                    self._offsets[stream] = self._logs.copy(stream, path, self._offsets.get(stream, 0))
            if self._only is not None or self._number >= self._latest:
                return
            if self._number:
                say(f"--- attempt {self._number + 1} ---")
            self._number = self._number + 1 if self._number else self._latest
            self._offsets = {}
