"""One command on all machines of a pool at once; each line comes after the name of the machine that has written it."""

from __future__ import annotations

import codecs
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from queue import Queue
from typing import TextIO

from longshore.errors import LongshoreError, UsageError
from longshore.machines import shells_of
from longshore.plugin import Shell
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.places import folder_of
from longshore_cli.telling import telling
from longshore_cli.text import Cleaner, clean

__all__ = ["execute_on_all"]

_MOST_WAITING = 256
"""So many pieces of output wait to be shown; a machine that writes more waits, too."""
_MOST_LINE = 1 << 16
"""What is longer is broken into lines."""

_Words = Queue[tuple[str, int, bytes] | tuple[str, int | Exception]]
"""What a machine has written to stdout (1) or stderr (2); and in the end its exit code, or why it has none."""


def execute_on_all(invocation: Invocation, folder: Path | None, pool: str, words: Sequence[str]) -> int:
    """Execute a command on all machines of a pool. Give the highest exit code, and 1 at least when one has none.

    Raises:
        UsageError: when there is no such pool, or it has no machine that anybody can log in to.
    """
    with ExitStack() as stack:
        with telling(invocation) as tell:  # its line is gone before a machine says anything
            machines = stack.enter_context(shells_of(pool, folder=folder_of(folder), tell=tell))
        if not machines:
            raise UsageError(f"no machine of pool {pool!r} runs; without --all one is rented for the command")
        invocation.began = True
        said: _Words = Queue(_MOST_WAITING)
        for name, log_in in machines.items():
            threading.Thread(target=_work, args=(said, name, log_in, words), daemon=True).start()
        return _show(said, list(machines))


def _work(said: _Words, name: str, log_in: Callable[[], Shell], words: Sequence[str]) -> None:
    try:
        with closing(log_in()) as shell:
            code = shell.execute(words, feed=None, tell=lambda stream, data: said.put((name, stream, data)))
    except Exception as error:  # noqa: BLE001  whatever it is, it is told where it is waited for
        said.put((name, error))
    else:
        said.put((name, code))


def _show(said: _Words, names: Sequence[str]) -> int:
    width = max(len(clean(name)) for name in names)
    lines = {
        (name, number): _Lines(f"{clean(name):{width}}  ", stream)
        for name in names
        for number, stream in ((1, sys.stdout), (2, sys.stderr))
    }
    codes: dict[str, int] = {}
    while len(codes) < len(names):
        match said.get():
            case name, int(number), bytes(data):
                lines[name, number].write(data)
            case name, int(code):
                codes[name] = code
                for number in (1, 2):
                    lines[name, number].close()
                if code:
                    say(f"longshore: {clean(name)}: exit code {code}")
            case name, LongshoreError() as error:
                codes[name] = 1
                say(f"longshore: {clean(name)}: {clean(str(error))}")
            case _, error:
                raise error
    return max(codes.values())


class _Lines:
    """Puts what a machine writes to one of its streams together to lines."""

    def __init__(self, before: str, stream: TextIO) -> None:
        self._before = before
        self._stream = stream
        self._decode: Callable[..., str] = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._cleaner = Cleaner()
        self._begun = ""

    def write(self, data: bytes) -> None:
        """Show the lines that are whole with this."""
        self._add(self._cleaner.feed(self._decode(data)))

    def close(self) -> None:
        """Show what is left."""
        self._add(self._cleaner.feed(self._decode(b"", final=True)) + self._cleaner.close())
        if self._begun:
            self._add("\n")

    def _add(self, text: str) -> None:
        *whole, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > _MOST_LINE:
            whole.append(self._begun)
            self._begun = ""
        self._stream.writelines(f"{self._before}{line}\n" for line in whole)
        self._stream.flush()
