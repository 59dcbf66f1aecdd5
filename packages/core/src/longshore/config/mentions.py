"""Where a command, or a text in ``inputs``, speaks of other tasks' outputs and of project files, existing or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from attrs import evolve

from longshore.config.urls import SCHEME
from longshore.config.variables import VARIABLE
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.shell import Piece, Role, references, words

__all__ = ["Mention", "call_results", "mention_in_text", "mentions", "plain_words"]

_SEPARATORS = re.compile(r"[\s;&|<>()$`'\"\\=/]+")
# json.dumps writes an object with this one key in no other way, and a text with these characters in it never so.
_FILE = re.compile(r'\{"\$file": ("(?:[^"\\]|\\.)*")\}')


class Mention(NamedTuple):
    """``workflow://<workflow>/<task>/`` and what follows, in pieces that count in the text it stands in."""

    workflow: str
    task: str
    start: int
    prefix_end: int
    path: str
    """What follows, with ``*``, ``?`` and ``[`` as a glob has them."""
    pieces: tuple[Piece, ...]
    """The same in pieces."""
    argument: int = -1
    shell: bool = False
    """A shell will put values in the place of variables."""
    problem: str = ""
    """Why it is none."""


def mentions(command: Command) -> Iterator[Mention]:
    """List the references of a command, in their order."""
    match command:
        case Shell(text):
            for found in references(text):
                # In quotes a shell leaves wildcards to the program, which may know them; brackets it rarely does.
                yield Mention(
                    workflow=found.workflow,
                    task=found.task,
                    start=found.start,
                    prefix_end=found.prefix_end,
                    path=found.path if found.glob else _without_brackets(found.path),
                    pieces=found.pieces,
                    shell=True,
                    problem=found.problem,
                )
        case Argv(args):
            for number, argument in enumerate(args):
                start = argument.find(SCHEME)
                if start >= 0:
                    mention = mention_in_text(argument, start)
                    yield mention._replace(argument=number, path=_without_brackets(mention.path))
        case Call(arguments=arguments):
            for file in _FILE.finditer(arguments):
                # Offsets count in the JSON text, so the reference is read there and only its parts are unescaped.
                if file[1].startswith(f'"{SCHEME}'):
                    mention = mention_in_text(file[1][1:-1], moved=file.start(1) + 1)
                    pieces = tuple(map(_unescaped, mention.pieces))
                    yield mention._replace(pieces=pieces, path=_without_brackets(_from_json(mention.path)))


def _without_brackets(path: str) -> str:
    return path.replace("[", "[[]")


def _from_json(text: str) -> str:
    return str(json.loads(f'"{text}"'))


def _unescaped(piece: Piece) -> Piece:
    return piece if piece.text is None else evolve(piece, text=_from_json(piece.text))


def mention_in_text(text: str, start: int = 0, moved: int = 0) -> Mention:
    """Read a reference that goes on to the end of a text that no shell will see; offsets are ``moved`` by so much."""
    workflow_end = _find(text, "/", start + len(SCHEME))
    task_end = _find(text, "/", workflow_end + 1)
    path = min(task_end + 1, len(text))
    return Mention(
        workflow=text[start + len(SCHEME) : workflow_end],
        task=text[workflow_end + 1 : task_end],
        start=start + moved,
        prefix_end=path + moved,
        path=text[path:],
        pieces=tuple(_pieces(text, path, moved)),
    )


def _find(text: str, char: str, start: int) -> int:
    found = text.find(char, start)
    return len(text) if found < 0 else found


def _pieces(text: str, position: int, moved: int) -> Iterator[Piece]:
    for found in VARIABLE.finditer(text, position):
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


def plain_words(command: Shell | Argv, known: frozenset[str]) -> list[str]:
    """List the words of a command that stand for themselves and are not written to, if a known name may be in them."""
    if isinstance(command, Argv):
        return [argument for argument in command.args if not known.isdisjoint(argument.split("/"))]
    if not _may_hold(command.text, known):
        return []
    found = words(command.text)
    written = {word.text for word in found if word.role is Role.OUTPUT}
    return [word.text for word in found if word.static and not word.glob and word.text not in written]


def _may_hold(text: str, known: frozenset[str]) -> bool:
    """Say quickly whether a word of a command may have a known name as a segment; sure when it says no.

    To take text apart costs 50 us, and most of 100,000 commands have nothing in them that looks like a file.
    """
    if "\\" in text:
        return True
    if "'" not in text and '"' not in text:
        return not known.isdisjoint(_SEPARATORS.split(text))
    bare = text.replace("'", "").replace('"', "")
    # Quotes also hold names together that have a space or the like in them.
    return not known.isdisjoint(_SEPARATORS.split(bare)) or any(
        name in bare for name in known if _SEPARATORS.search(name)
    )
