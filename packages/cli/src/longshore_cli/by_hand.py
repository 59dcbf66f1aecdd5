"""Work by hand on one machine: a command, a shell, files there and back."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from longshore.machines import open_shell
from longshore.machines.clusters import enter
from longshore.plugin import Shell
from longshore_cli.invocation import Invocation
from longshore_cli.output import can_ask
from longshore_cli.passing import Shown
from longshore_cli.places import folder_of
from longshore_cli.telling import telling

__all__ = ["enter_attempt", "execute", "get", "interact", "put"]


def execute(invocation: Invocation, folder: Path | None, name: str, words: Sequence[str]) -> int:
    """Execute a command on a machine; give its exit code."""
    shown = {1: Shown(sys.stdout.fileno()), 2: Shown(sys.stderr.fileno())}
    with _logged_in(invocation, folder, name) as shell:
        code = shell.execute(words, feed=sys.stdin.fileno(), tell=lambda stream, data: shown[stream].write(data))
    for each in shown.values():
        each.close()
    return code


def enter_attempt(invocation: Invocation, folder: Path, running: tuple[str, str, str], words: Sequence[str]) -> int:
    """Execute a command beside an attempt, of which pool, machine and id are given; give its exit code."""
    shown = {1: Shown(sys.stdout.fileno()), 2: Shown(sys.stderr.fileno())}
    invocation.began = True
    feed = sys.stdin.fileno()
    code = enter(*running, words, folder=folder, feed=feed, tell=lambda stream, data: shown[stream].write(data))
    for each in shown.values():
        each.close()
    return code


def interact(invocation: Invocation, folder: Path | None, name: str) -> int:
    """Open a shell on a machine.

    Raises:
        click.UsageError: when nobody sits at a terminal.
    """
    if not (can_ask() and sys.stdout.isatty()):
        raise click.UsageError("a shell needs a terminal; `longshore machines exec` executes one command without")
    with _logged_in(invocation, folder, name) as shell:
        return shell.interact()


def put(invocation: Invocation, folder: Path | None, name: str, sources: Sequence[Path], target: str) -> int:
    """Bring files there."""
    with _logged_in(invocation, folder, name) as shell:
        shell.put(sources, target)
    return 0


def get(invocation: Invocation, folder: Path | None, name: str, sources: Sequence[str], target: Path) -> int:
    """Bring files here."""
    with _logged_in(invocation, folder, name) as shell:
        shell.get(sources, target)
    return 0


@contextmanager
def _logged_in(invocation: Invocation, folder: Path | None, name: str) -> Iterator[Shell]:
    with ExitStack() as stack:
        with telling(invocation) as tell:  # its line is gone before the machine says anything
            shell = stack.enter_context(open_shell(name, folder=folder_of(folder), tell=tell))
        invocation.began = True
        yield shell
