"""Where words go: what was asked for to stdout, everything about it to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, Any

import click

__all__ = ["COLOURS", "answer", "answer_json", "can_ask", "is_terminal", "paint", "say", "warn"]

COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "succeeded": "green",
        "up to date": "green",
        "running": "cyan",
        "failed": "red",
        "lost": "red",
        "cancelled": "yellow",
        "interrupted": "yellow",
        "unfinished": "yellow",
        "skipped": "yellow",
        "ok": "green",
        "warning": "yellow",
        "bad": "red",
    }
)
"""Of states, and of what is good or bad, as terminals name them."""


def answer(text: str) -> None:
    """Print what was asked for."""
    click.echo(text)


def answer_json(document: object) -> None:
    """Print the one JSON document of this call."""
    click.echo(json.dumps(document, indent=2, default=_plain))


def say(text: str) -> None:
    """Tell something beside what was asked for, on stderr."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """Tell something that may surprise later, on stderr."""
    click.echo(f"longshore: warning: {text}", err=True)


def is_terminal(stream: IO[Any]) -> bool:
    """Say whether somebody looks at this stream, on a terminal that can redraw a line."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def can_ask() -> bool:
    """Say whether a question can be asked and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def paint(text: str, kind: str | None = None, *, stream: IO[Any] | None = None) -> str:
    """Colour a text in the colour of its state, or of ``kind``, when it goes to a terminal and NO_COLOR is not set."""
    colour = COLOURS.get(kind or text)
    if colour is None or os.environ.get("NO_COLOR") or not is_terminal(stream or sys.stdout):
        return text
    return click.style(text, fg=colour)


def _plain(value: object) -> object:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)
