"""What `shell_scan` makes of shell text: passages (words, bodies of here-documents, and the like) made of parts."""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum
from typing import NamedTuple

from attrs import define, field, frozen

__all__ = ["REDIRECTED", "Kind", "Part", "Passage", "Role", "Scan", "Source"]


class Kind(Enum):
    """Where a passage stands."""

    WORD = "word"
    DEFAULT = "the word of ${name-word}"
    HEREDOC = "here-document"
    ARITHMETIC = "$((...))"


class Role(Enum):
    """What a word is to its command."""

    ARGUMENT = "argument"
    INPUT = "<"
    OUTPUT = ">"
    UPDATE = "<>"


REDIRECTED = {
    "<": Role.INPUT,
    "<&": Role.INPUT,
    "<>": Role.UPDATE,
    ">": Role.OUTPUT,
    ">>": Role.OUTPUT,
    ">&": Role.OUTPUT,
    ">|": Role.OUTPUT,
}
"""What the word behind an operator is."""


class Part(NamedTuple):
    """A stretch of a passage; ``start`` and ``end`` count in the text of the passage's source."""

    start: int
    end: int
    text: str | None
    """What the shell makes of it; None when only the running shell knows."""
    quoted: bool
    name: str | None = None
    """The variable's name when the stretch is ``$name`` or ``${name}`` and nothing else."""

    @property
    def verbatim(self) -> bool:
        """Whether every character of the text stands for itself, so that offsets can be counted within."""
        return self.text is not None and self.end - self.start == len(self.text)


@frozen
class Source:
    """Text being scanned: the user's, or what stands in backquotes, with backslashes removed and its origin kept."""

    text: str
    starts: list[int] = field(factory=list)
    origins: list[int] = field(factory=list)
    parent: Source | None = None

    def at(self, index: int) -> int:
        """Give the offset in the user's text of the character at ``index`` of this one."""
        source = self
        while source.parent is not None:
            place = bisect_right(source.starts, index) - 1
            index = source.origins[place] + index - source.starts[place]
            source = source.parent
        return index


class Passage(NamedTuple):
    """A word, a here-document's body, or the like."""

    kind: Kind
    parts: tuple[Part, ...]
    role: Role
    source: Source


@define
class Scan:
    """What a text is made of."""

    passages: list[Passage] = field(factory=list)
    simple: bool = True
    """No operator, redirection, comment, dollar sign or backquote was met, and no second line of words."""
    unclosed: tuple[str, int] | None = None
    """What was opened and never closed, and its offset; the innermost when there are several."""
