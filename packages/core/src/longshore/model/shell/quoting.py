"""Quotes, backslashes and dollar signs, which mean the same in all places that have them."""

from __future__ import annotations

import re

from longshore.model.shell.frames import Frame, Mode, Walk
from longshore.model.shell.grammar import Grammar
from longshore.model.shell.parts import Part

__all__ = ["take_special"]

_ESCAPABLE = {Mode.QUOTE: '$`"\\', Mode.DEFAULT: '$`"\\}', Mode.ARITHMETIC: "$`\\", Mode.HEREDOC: "$`\\"}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# dash skips the one character behind the name that is no operator of its own, be it a quote.
_BRACE = re.compile(r"\{(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[-#?$!@*])?(?::?[-=+?]|(##?|%%?)|:?[^}])?", re.DOTALL)
_SPECIAL = frozenset("0123456789@*#?$!-")


def take_special(walk: Walk, frame: Frame, char: str) -> None:
    """Take the quote, backslash or dollar sign that stands here, and what belongs to it; a frame if it goes on."""
    match char:
        case "\\":
            _backslash(walk, frame)
        case "'":
            _single(walk, frame)
        case '"':
            # The empty part says that a word has begun here, and that it was quoted.
            frame.parts.append(Part(walk.pos + 1, walk.pos + 1, "", quoted=True))
            walk.stack.append(Frame(Mode.QUOTE, walk.pos, frame.parts, quoted=True))
            walk.pos += 1
        case _:
            _dollar(walk, frame)


def _backslash(walk: Walk, frame: Frame) -> None:
    after = walk.text[walk.pos + 1 : walk.pos + 2]
    if after == "\n":
        walk.pos += 2
        return
    end = walk.pos + 1 + len(after)
    kept = not after or (frame.quoted and after not in _ESCAPABLE[frame.mode])
    frame.parts.append(Part(walk.pos, end, walk.text[walk.pos : end] if kept else after, quoted=True))
    walk.pos = end


def _single(walk: Walk, frame: Frame) -> None:
    start = walk.pos + 1
    end = walk.text.find("'", start)
    if end < 0:
        walk.note_unclosed("single quote", walk.pos)
        end = len(walk.text)
    frame.parts.append(Part(start, end, walk.text[start:end], quoted=True))
    walk.pos = min(end + 1, len(walk.text))


def _dollar(walk: Walk, frame: Frame) -> None:
    walk.found.simple = False
    text, start, after = walk.text, walk.pos, walk.pos + 1
    while text.startswith("\\\n", after):
        after += 2
    char = text[after : after + 1]
    named = _BRACED_VARIABLE.match(text, after) or _VARIABLE.match(text, after)
    if named is not None:
        name = named.group(named.lastindex or 0)
        frame.parts.append(Part(start, named.end(), None, frame.quoted, name))
        walk.pos = named.end()
    elif text.startswith("((", after):
        walk.stack.append(Frame(Mode.ARITHMETIC, start, [], quoted=True, outer=frame.quoted))
        walk.pos = after + 2
    elif char == "(":
        walk.stack.append(Frame(Mode.COMMANDS, start, [], quoted=False, outer=frame.quoted, grammar=Grammar()))
        walk.pos = after + 1
    elif char == "{":
        brace = _BRACE.match(text, after)
        assert brace is not None  # its one obligatory character was seen
        quoted = frame.quoted and brace[1] is None  # a pattern to cut off has quotes of its own
        walk.stack.append(Frame(Mode.DEFAULT, start, [], quoted=quoted, outer=frame.quoted))
        walk.pos = brace.end()
    elif char in _SPECIAL:
        walk.pos = after + 1
        frame.parts.append(Part(start, walk.pos, None, frame.quoted))
    else:
        walk.take_literal(frame, start + 1)
