"""One line on stderr that says what is waited for, and vanishes when it is over."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from longshore_cli.invocation import Invocation
from longshore_cli.output import is_terminal, say
from longshore_cli.text import clean, shorten

__all__ = ["telling"]


@contextmanager
def telling(invocation: Invocation) -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is going on: in one line of a terminal, with -v line by line, else not."""
    if invocation.verbosity > 0:
        yield lambda text: say(clean(text))
        return
    if invocation.quiet or not is_terminal(sys.stderr):
        yield lambda _: None
        return

    def show(text: str) -> None:
        width = shutil.get_terminal_size().columns - 2
        sys.stderr.write(f"\r\x1b[K{shorten(clean(text), width)}…")
        sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
