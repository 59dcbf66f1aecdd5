"""Where a command, or a text in ``inputs``, speaks of other tasks' outputs and of project files, existing or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from longshore.config.urls import SCHEME
from longshore.model.command import Argv, Call, Command, Shell

__all__ = ["Mention", "Piece", "call_results", "mention_in_text", "mentions", "plain_words"]

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
# json.dumps writes an object with this one key in no other way, and a text with these characters in it never so.
_FILE = re.compile(r'\{"\$file": ("(?:[^"\\]|\\.)*")\}')


class Piece(NamedTuple):
    """A stretch of a mention: literal text, a variable, or something that only the running shell knows."""

    start: int
    end: int
    text: str | None = None
    variable: str | None = None


class Mention(NamedTuple):
    """``workflow://<workflow>/<task>/`` and what follows, in pieces that count in the text it stands in."""

    workflow: str
    task: str
    start: int
    prefix_end: int
    tail: tuple[Piece, ...]
    argument: int = -1
    shell: bool = False
    """A shell will put values in the place of variables."""


def mentions(command: Command) -> Iterator[Mention]:
    """List the references of a command, in their order."""
    match command:
        case Shell(text):
            if SCHEME in text:
                yield from _in_shell(text)
        case Argv(args):
            for number, argument in enumerate(args):
                start = argument.find(SCHEME)
                if start >= 0:
                    yield mention_in_text(argument, start, number)
        case Call(arguments=arguments):
            for found in _FILE.finditer(arguments):
                # Offsets count in the JSON text, so the reference is read there and only its pieces are unescaped.
                if found[1].startswith(f'"{SCHEME}'):
                    mention = mention_in_text(found[1][1:-1], moved=found.start(1) + 1)
                    yield mention._replace(tail=tuple(map(_unescaped, mention.tail)))


def _unescaped(piece: Piece) -> Piece:
    return piece if piece.text is None else piece._replace(text=json.loads(f'"{piece.text}"'))


def mention_in_text(text: str, start: int = 0, argument: int = -1, moved: int = 0) -> Mention:
    """Read a reference that goes on to the end of a text that no shell will see; offsets are ``moved`` by so much."""
    workflow_end = _find(text, "/", start + len(SCHEME))
    task_end = _find(text, "/", workflow_end + 1)
    tail = min(task_end + 1, len(text))
    return Mention(
        workflow=text[start + len(SCHEME) : workflow_end],
        task=text[workflow_end + 1 : task_end],
        start=start + moved,
        prefix_end=tail + moved,
        tail=tuple(_pieces(text, tail, moved)),
        argument=argument,
    )


def _find(text: str, char: str, start: int) -> int:
    found = text.find(char, start)
    return len(text) if found < 0 else found


def _pieces(text: str, position: int, moved: int) -> Iterator[Piece]:
    for found in _VARIABLE.finditer(text, position):
        if position < found.start():
            yield Piece(position + moved, found.start() + moved, text[position : found.start()])
        yield Piece(found.start() + moved, found.end() + moved, variable=found[1] or found[2])
        position = found.end()
    if position < len(text):
        yield Piece(position + moved, len(text) + moved, text[position:])


def call_results(command: Command) -> list[str]:
    """List the tasks whose results a Python call is given."""
    if not isinstance(command, Call) or '"$result"' not in command.arguments:
        return []
    found: list[str] = []
    stack = [json.loads(command.arguments)]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            result = value.get("$result")
            if len(value) == 1 and isinstance(result, str):
                found.append(result)
            stack += value.values()
        elif isinstance(value, list):
            stack += value
    return sorted(set(found))


def _in_shell(text: str) -> Iterator[Mention]:
    for found in re.finditer(r"workflow://[^\s'\";|&<>()`]*", text):
        yield mention_in_text(text[: found.end()], found.start())._replace(shell=True)


_OPERATORS = re.compile(r"[ \t\n;&|<>()$`'\"\\=]+")


def plain_words(command: Command, known: frozenset[str]) -> Iterable[str]:
    """List the words of a command that stand for themselves and may be files, given the names in the folder."""
    match command:
        case Shell(text):
            words: Iterable[str] = _OPERATORS.split(text)
        case Argv(args):
            words = args
        case _:
            return ()
    return [word for word in words if word.removeprefix("./").split("/", 1)[0] in known]
