"""Where a scan stands: the text, the position, and a stack of frames for what is open there."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from attrs import define, field

from longshore.model.shell.grammar import Grammar
from longshore.model.shell.parts import Kind, Part, Passage, Role, Scan, Source

__all__ = ["Frame", "HereDoc", "Mode", "Walk"]


class Mode(Enum):
    """What a frame is; the value is what opens it."""

    COMMANDS = "$("
    QUOTE = "double quote"
    DEFAULT = "${"
    ARITHMETIC = "$(("
    HEREDOC = "here-document"


class HereDoc(NamedTuple):
    """What follows ``<<``."""

    delimiter: str
    expand: bool
    strip: bool


@define
class Frame:
    """Something open: its beginning, what it is made of so far, and how its text is read."""

    mode: Mode
    start: int
    parts: list[Part]
    quoted: bool
    """Whether text in it is within double quotes, or in a here-document, which is read alike."""
    outer: bool = False
    """Whether the place where it stands is quoted."""
    grammar: Grammar | None = None
    """Of commands."""
    redirect: str = ""
    """The operator whose target the next word is."""
    pending: list[HereDoc] | None = None
    """Here-documents whose bodies come behind the end of the line."""
    document: HereDoc | None = None
    """Of a here-document's body."""
    fresh: bool = True
    """A line of the here-document begins here."""
    depth: int = 0
    """Open parentheses in arithmetic."""


# What stands for itself, by mode and whether it is quoted.
_RUNS = {
    (Mode.COMMANDS, False): re.compile(r"""[^ \t\n\\'"$`;&|<>()]+"""),
    (Mode.QUOTE, True): re.compile(r"""[^\\"$`]+"""),
    (Mode.DEFAULT, False): re.compile(r"""[^\\'"$`}]+"""),
    (Mode.DEFAULT, True): re.compile(r"""[^\\"$`}]+"""),
    (Mode.ARITHMETIC, True): re.compile(r"""[^\\$`()]+"""),
    (Mode.HEREDOC, True): re.compile(r"""[^\\$`\n]*\n|[^\\$`\n]+"""),
}


@define
class Walk:
    """A scan under way. Whoever takes characters moves ``pos``; every step takes at least one or leaves a frame."""

    source: Source
    text: str
    found: Scan
    pos: int = 0
    stack: list[Frame] = field(factory=list)
    ended: bool = False
    """A line with words in it has ended."""

    def take_run(self, frame: Frame) -> bool:
        """Take the characters that stand for themselves, if there are any here."""
        run = _RUNS[frame.mode, frame.quoted].match(self.text, self.pos)
        if run is None:
            return False
        self.take_literal(frame, run.end())
        return True

    def take_literal(self, frame: Frame, end: int) -> None:
        """Take the text up to ``end`` as it is."""
        frame.parts.append(Part(self.pos, end, self.text[self.pos : end], frame.quoted))
        self.pos = end

    def tell(self, kind: Kind, parts: list[Part], role: Role = Role.ARGUMENT) -> None:
        """Report a finished passage."""
        if parts:
            self.found.passages.append(Passage(kind, tuple(parts), role, self.source))

    def note_unclosed(self, opened: str, start: int) -> None:
        """Report what has no end; the first report, which is the innermost, stays."""
        if self.found.unclosed is None:
            self.found.unclosed = (opened, self.source.at(start))
