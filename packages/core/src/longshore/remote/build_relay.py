"""What a build prints: passed on, kept, and looked at when something fails.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List

__all__ = ["BuildProblem", "Relay", "say"]

_TAIL_LINES = 30
_TAIL_BYTES = 4000
_TRACED = re.compile("\x1f(\\d+)\x1f\n")
_OFFLINE = re.compile(
    "name resolution|could not resolve|name or service not known|network is unreachable|no route to host|"
    "failed to establish a new connection|connection refused|dns error|error sending request",
    re.IGNORECASE,
)
_UNTRUSTED = re.compile("certificate verif|peer certificate|self.signed certificate", re.IGNORECASE)


class BuildProblem(Exception):
    """The environment cannot be built, in words."""


def say(text: str) -> None:
    """Print something of the builder's own."""
    os.write(1, (text + "\n").encode("utf-8", "surrogateescape"))


class Relay:
    """Passes on what processes print, to the log of the build too, and keeps the end of it."""

    def __init__(self, log: str) -> None:
        self._log = open(log, "wb")  # noqa: SIM115  it is open as long as the build lasts
        self.tail: List[str] = []
        self.line = 0
        """The line of the script that was begun last; 0 where the shell does not tell."""
        self.script: List[str] = []

    def say(self, text: str) -> None:
        """Print something of our own."""
        self._write((text + "\n").encode("utf-8", "surrogateescape"))

    def follow(self, stream: Any) -> None:
        """Pass on everything until the stream ends."""
        self.tail, self.line = [], 0
        for printed in stream:
            line, text = printed, printed.decode("utf-8", "replace")
            traced = _TRACED.search(text)
            if traced:
                line, text = line[: line.index(b"\x1f")], text[: traced.start()]
                self._begin(int(traced[1]))
            if text:
                self.tail = [*self.tail[1 - _TAIL_LINES :], text.rstrip("\n")]
                self._write(line)

    def words(self, what: str, code: int) -> str:
        """Say what has failed, how it ended, and what it printed last."""
        ended = "exit code %d" % code if code >= 0 else "signal %d" % -code
        tail = "\n".join(self.tail)[-_TAIL_BYTES:]
        if _UNTRUSTED.search(tail):
            what += " (this machine does not trust the certificate of the server, or of a proxy before it)"
        elif _OFFLINE.search(tail):
            what += " (this machine does not reach the network)"
        return "%s\n%s\n%s" % (what, ended, tail) if tail else "%s\n%s" % (what, ended)

    def _begin(self, line: int) -> None:
        if line != self.line and 0 < line <= len(self.script):
            self.line = line
            self.say("+ %d: %s" % (line, self.script[line - 1].strip()))

    def _write(self, content: bytes) -> None:
        os.write(1, content)
        self._log.write(content)
        self._log.flush()
