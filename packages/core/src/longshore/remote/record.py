"""What a supervisor remembers beyond its own death: a file of lines of JSON, one for each thing that happened.

Lines, by their ``event``::

    supervisor  boot, pid                                   another supervisor serves this folder from here on
    intent      id, at, workdir, secrets                    an attempt is about to be started
    pid         id, pid, at                                 its first process, and when on the clock since boot
    ended       as sent to the controller                   its outcome, in one line or not at all
    released    ids                                         nobody asks for these any more

A crash can leave a line half written at the end; it is ignored, and cut off before more is written. No line holds a
secret.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Memory", "Record"]

_COMPACT_BYTES = 8 << 20


class Memory:
    """What is known of attempts that nobody has released yet."""

    def __init__(self) -> None:
        self.boot = ""
        self.ended: dict[str, bytes] = {}
        """The line of each that is over, as it was sent."""
        self.begun: dict[str, dict[str, Any]] = {}
        """Of each that was begun and of whose end nothing is known: id, at, workdir, secrets. When its process is known
        also pid and container, with at for when that was there and intended for when it was not yet.
        """

    def take(self, line: bytes) -> None:
        """Learn one line. One that is damaged teaches nothing."""
        try:
            entry = json.loads(line)
            event = entry["event"]
            if event == "ended":
                self.begun.pop(entry["id"], None)
                self.ended[entry["id"]] = line + b"\n"
            elif event == "intent":
                self.begun[entry["id"]] = entry
            elif event == "pid" and entry["id"] in self.begun:
                known = self.begun[entry["id"]]
                known.update({**entry, "event": "intent", "intended": known["at"]})
            elif event == "released":
                for identity in entry["ids"]:
                    self.begun.pop(identity, None)
                    self.ended.pop(identity, None)
            elif event == "supervisor":
                self.boot = entry["boot"]
        except (ValueError, KeyError, TypeError):
            return


class Record:
    """The file. What `add` takes is written by `flush`, in one piece."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = -1
        self._waiting: list[bytes] = []
        self._size = 0
        self._limit = _COMPACT_BYTES

    def open(self) -> Memory:
        """Read what is there, and make it ready to be written to."""
        memory = Memory()
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(self._path, "rb") as file:
            whole = 0
            for line in file:
                if not line.endswith(b"\n"):
                    os.ftruncate(self._handle, whole)
                    break
                whole += len(line)
                memory.take(line[:-1])
        self._size = whole
        return memory

    def add(self, line: bytes) -> None:
        """Take a line, its line end included."""
        self._waiting.append(line)

    def flush(self) -> None:
        """Write what was taken. It survives this process from here on.

        Raises:
            OSError: when it cannot be written. Nothing of it was then, all is still waiting, and nothing that depends
            on it may be done.
        """
        if not self._waiting:
            return
        content = b"".join(self._waiting)
        done = 0
        try:
            while done < len(content):
                done += os.write(self._handle, content[done:])
        except OSError:
            if done:
                os.ftruncate(self._handle, self._size)
            raise
        self._waiting.clear()
        self._size += len(content)

    def drop(self, lines: list[bytes]) -> None:
        """Take back lines that could not be written."""
        self._waiting = [line for line in self._waiting if line not in lines]

    @property
    def overgrown(self) -> bool:
        """Whether it is time to `rewrite` it."""
        return self._size > self._limit

    def rewrite(self, lines: list[bytes]) -> None:
        """Replace all of it by these lines."""
        temporary = self._path + ".new"
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        content = b"".join(lines)
        done = 0
        while done < len(content):
            done += os.write(handle, content[done:])
        os.rename(temporary, self._path)
        os.close(self._handle)
        self._handle = handle
        self._size = len(content)
        self._limit = max(_COMPACT_BYTES, 2 * self._size)
