"""How `env build --on` builds on several machines at once, and shows what their builds print."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from longshore.errors import EnvironmentBuildError, ExecutorError, LongshoreError
from longshore.machines import build_on
from longshore.machines.hosts import given_hosts
from longshore.model.environment import EnvironmentSpec
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.text import clean

__all__ = ["build_elsewhere"]

_AT_ONCE = 16


def build_elsewhere(
    invocation: Invocation, environments: Sequence[EnvironmentSpec], words: Sequence[str], folder: Path
) -> int:
    """Build on all machines that are meant; give the exit code, 1 when something could not be built somewhere.

    Raises:
        LongshoreError: when no machine is meant, or nobody can log in to one.
    """
    names = _machines(words, folder)
    invocation.began = True
    shown = _Shown(several=len(names) > 1, quiet=invocation.quiet)

    def work(name: str) -> bool:
        sound = True
        for each in environments:
            try:
                fresh = build_on(name, each, folder=folder, show=lambda content: shown.printed(name, content))
            except (EnvironmentBuildError, ExecutorError) as error:
                shown.line(name, str(error))
                sound = False
            else:
                shown.end(name)
                if not invocation.quiet:
                    say(f"{each.name} {'is built' if fresh else 'was there already'} on {name}.")
        return sound

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(work, name) for name in names]
        problems = [error for each in asked if isinstance(error := each.exception(), LongshoreError)]
        if problems:
            raise problems[0]
        return 0 if all(each.result() for each in asked) else 1


def _machines(words: Sequence[str], folder: Path) -> list[str]:
    """Name the machines that are meant; a pool means all its hosts."""
    with tempfile.TemporaryDirectory(prefix="longshore-build-") as aside:
        given = given_hosts(folder, Path(aside))
    names: list[str] = []
    for word in words:
        names += [host.name for host in given if host.pool.name == word] or [word]
    return list(dict.fromkeys(names))


class _Shown:
    """Writes whole lines of what machines print to stderr, each with its machine when there are several."""

    def __init__(self, *, several: bool, quiet: bool) -> None:
        self._several = several
        self._quiet = quiet
        self._rests: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def printed(self, name: str, content: bytes) -> None:
        """Take a piece of what a machine prints."""
        with self._lock:
            *lines, self._rests[name] = (self._rests.get(name, b"") + content).split(b"\n")
        for line in () if self._quiet else lines:
            self.line(name, line.decode("utf-8", "replace"))

    def end(self, name: str) -> None:
        """Write what is left without a line end."""
        rest = self._rests.pop(name, b"")
        if rest and not self._quiet:
            self.line(name, rest.decode("utf-8", "replace"))

    def line(self, name: str, text: str) -> None:
        """Write a line."""
        head = f"{name}: " if self._several else ""
        sys.stderr.write(f"{head}{clean(text)}\n")
        sys.stderr.flush()
