"""Where shell text speaks of other tasks' outputs; the rules are told in the package's docstring."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from attrs import field, frozen

from longshore.model.shell.parts import Kind, Passage
from longshore.model.shell.scan import scan

__all__ = ["Piece", "RawReference", "references"]

_BEGIN = re.compile(r"workflow:/")
_PREFIX = re.compile(r"workflow://([^/]*)/([^/]*)(/?)")
_GLOB = re.compile(r"[*?\[]")
_UNKNOWN = "\0"  # stands for an expansion; shell text cannot hold it
_SPACE = re.compile(r"\s")
_TEXT_END = re.compile(r"""[\s"'`;|&<>()]""")
_TEXT_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_LIST_SIGNS = frozenset(" \t\n,:;=")

_NOT_LITERAL = re.compile(r"[*?\[$\0]")
_REMEDY = "write workflow:///<task>/<path>, or workflow://<workflow>/<task>/<path>"


@frozen
class Piece:
    """A stretch of a reference's path; ``start`` and ``end`` count in the command's text.

    Literal text has ``text``, a plain variable has ``variable``, any other expansion has neither.
    """

    start: int
    end: int
    text: str | None = None
    variable: str | None = None


@frozen(kw_only=True)
class RawReference:
    """``workflow://<workflow>/<task>/<path>`` as it stands in a command."""

    start: int
    end: int
    """Offset behind its last character; a closing quote does not belong to it."""
    prefix_end: int
    """Offset behind ``workflow://<workflow>/<task>/``, the part to be replaced."""
    workflow: str = ""
    """Empty for the command's own workflow."""
    task: str = ""
    path: str = ""
    """What the shell makes of the rest, if ``static``; else variables are ``${name}``, other expansions ``$(...)``.

    If ``glob``, it is a pattern as `fnmatch` and `glob` know it, in which quoted wildcards stand in brackets.
    """
    static: bool = True
    glob: bool = False
    variables: tuple[str, ...] = ()
    """Plain ``$name`` and ``${name}`` of the path, each once."""
    pieces: tuple[Piece, ...] = field(default=(), repr=False)
    """The path in pieces."""
    problem: str = ""
    """What is wrong with it and what to write; empty for a good one."""


def references(text: str) -> tuple[RawReference, ...]:
    """Find every reference in a command, good or malformed, in the order of the text."""
    if "workflow" not in text:
        return ()
    found = [reference for passage in scan(text).passages for reference in _in_passage(text, passage)]
    return tuple(sorted(found, key=lambda reference: reference.start))


def _in_passage(text: str, passage: Passage) -> Iterator[RawReference]:
    first = passage.parts[0].text
    if len(passage.parts) == 1 and (first is None or "workflow" not in first):
        return
    joined = "".join(_UNKNOWN if part.text is None else part.text for part in passage.parts)
    begins = [found.start() for found in _BEGIN.finditer(joined)]
    if not begins:
        return
    look = _Look(text, passage, joined)
    space = _SPACE.search(joined)
    inner = len(joined) if space is None else space.start()
    for begin, following in zip(begins, [*begins[1:], len(joined)], strict=True):
        quote = joined[begin - 1 : begin]
        if quote in {"'", '"'} and joined.find(quote, begin, following) >= 0:
            embedded, end = True, joined.find(quote, begin, following)
        elif passage.kind is Kind.HEREDOC or inner < begin:
            ended = _TEXT_END.search(joined, begin, following)
            embedded, end = True, following if ended is None else ended.start()
        else:
            embedded, end = False, following
        if end == following < len(joined) and joined[end - 1] in _LIST_SIGNS:
            end -= 1
        yield look.reference(begin, end, embedded)


class _Look:
    """One passage with its text joined, and the way back from there to the command's text."""

    def __init__(self, text: str, passage: Passage, joined: str) -> None:
        self.text = text
        self.passage = passage
        self.joined = joined
        lengths = (1 if part.text is None else len(part.text) for part in passage.parts)
        self.starts = list(accumulate(lengths, initial=0))

    def reference(self, begin: int, end: int, embedded: bool) -> RawReference:
        """Read the reference that stands in the joined text from ``begin`` to ``end``."""
        start, stop = self._origin(begin), self._origin_end(end)
        prefix = _PREFIX.match(self.joined, begin, end)
        problem = self._problem(begin, prefix)
        if problem or prefix is None:
            return RawReference(start=start, end=stop, prefix_end=stop, problem=problem)
        stretches = list(self._stretches(prefix.end(), end))
        wild = [embedded or not quoted for _, quoted in stretches]
        glob = any(
            piece.text is not None and each and _GLOB.search(piece.text)
            for (piece, _), each in zip(stretches, wild, strict=True)
        )
        pieces = tuple(found for piece, _ in stretches for found in (_with_variables(piece) if embedded else (piece,)))
        literal = [each or not glob for each in wild] if not embedded else [True] * len(pieces)
        return RawReference(
            start=start,
            end=stop,
            prefix_end=self._origin_end(prefix.end()),
            workflow=prefix[1],
            task=prefix[2],
            path="".join(map(self._written, pieces, literal)),
            static=all(piece.text is not None for piece in pieces),
            glob=glob,
            variables=tuple(dict.fromkeys(piece.variable for piece in pieces if piece.variable is not None)),
            pieces=pieces,
        )

    def _problem(self, begin: int, prefix: re.Match[str] | None) -> str:
        if not self.joined.startswith("workflow://", begin):
            return f"one slash is missing behind 'workflow:'; {_REMEDY}"
        if prefix is None or not prefix[2]:
            return f"the reference names no task; {_REMEDY}"
        if self.passage.kind is Kind.ARITHMETIC:
            return "a reference stands inside $((...)), which is for sums; put a space between the parentheses"
        if _NOT_LITERAL.search(prefix[0]):
            return "a reference's workflow and task must be written out, without variables and wildcards"
        if self.text[self._origin(begin) : self._origin_end(prefix.end())] != prefix[0]:
            return f"{prefix[0]!r} has a quote or a backslash inside; put the quote before 'workflow:' or behind it"
        return ""

    def _stretches(self, low: int, high: int) -> Iterator[tuple[Piece, bool]]:
        """Cut a stretch of the joined text at its parts, each with whether it is quoted."""
        number = bisect_right(self.starts, low) - 1
        while low < high:
            part, end = self.passage.parts[number], min(high, self.starts[number + 1])
            number += 1
            if end > low:
                text = None if part.text is None else self.joined[low:end]
                yield Piece(self._origin(low), self._origin_end(end), text, part.name), part.quoted
                low = end

    def _written(self, piece: Piece, literal: bool) -> str:
        if piece.text is not None:
            return piece.text if literal else _GLOB.sub(r"[\g<0>]", piece.text)
        return f"${{{piece.variable}}}" if piece.variable is not None else "$(...)"

    def _origin(self, index: int) -> int:
        """Give the offset in the command's text of a character of the joined text."""
        number = bisect_right(self.starts, index) - 1
        part = self.passage.parts[number]
        moved = index - self.starts[number] if part.verbatim else 0
        return self.passage.source.at(part.start + moved)

    def _origin_end(self, index: int) -> int:
        """Give the offset in the command's text behind the character before ``index``."""
        number = bisect_right(self.starts, index - 1) - 1
        part = self.passage.parts[number]
        last = part.start + index - 1 - self.starts[number] if part.verbatim else part.end - 1
        return self.passage.source.at(last) + 1


def _with_variables(piece: Piece) -> Iterator[Piece]:
    """Split text for another program at what looks like a variable, since that program may be a shell."""
    if piece.text is None or "$" not in piece.text or piece.end - piece.start != len(piece.text):
        yield piece
        return
    low = 0
    for found in _TEXT_VARIABLE.finditer(piece.text):
        if low < found.start():
            yield Piece(piece.start + low, piece.start + found.start(), piece.text[low : found.start()])
        yield Piece(piece.start + found.start(), piece.start + found.end(), variable=found[1] or found[2])
        low = found.end()
    if low < len(piece.text):
        yield Piece(piece.start + low, piece.end, piece.text[low:])
