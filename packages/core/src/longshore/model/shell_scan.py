"""Take POSIX sh text apart as dash does; the rim of it, what the parts mean to Longshore, is `shell`.

`scan` walks the text once, with a stack of its own, so that any text of any depth costs time in proportion to its length
and raises nothing. It gives *passages*: the words of all commands (also those inside `$(...)` and backquotes), the
words inside `${name-word}`, the bodies of here-documents and the insides of `$((...))`. A passage is made of *parts*:
literal text with its quotes removed, plain variables, and other expansions.

Where shells differ dash decides: `$'...'` is a dollar sign and a quoted string, `$((` always begins arithmetic, a file
number before `<` or `>` has one digit, braces are ordinary characters. A `)` that ends a pattern of `case` does not
end the `$(...)` around it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from enum import Enum
from typing import NamedTuple

from attrs import define, field, frozen


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


class Part(NamedTuple):
    """A stretch of a passage; `start` and `end` count in the text of the passage's source."""

    start: int
    end: int
    text: str | None
    """What the shell makes of it; None when only the running shell knows."""
    quoted: bool
    name: str | None = None
    """The variable's name when the stretch is `$name` or `${name}` and nothing else."""


@frozen
class Source:
    """Text being scanned. Inside backquotes it is a copy with backslashes removed, that knows where it came from."""

    text: str
    starts: list[int] = field(factory=list)
    origins: list[int] = field(factory=list)
    parent: Source | None = None

    def at(self, index: int) -> int:
        """Offset in the user's text of the character at `index` of this one."""
        source: Source = self
        while source.parent is not None:
            place = bisect_right(source.starts, index) - 1
            index = source.origins[place] + index - source.starts[place]
            source = source.parent
        return index


@frozen
class Passage:
    """A word, a here-document's body, or the like, in parts."""

    kind: Kind
    parts: tuple[Part, ...]
    role: Role
    source: Source


@define
class Scan:
    """What `scan` found."""

    passages: list[Passage] = field(factory=list)
    simple: bool = True
    """No operator, redirection, comment, dollar sign, backquote or second command line was met."""
    unclosed: tuple[str, int] | None = None
    """What was opened and never closed, and its offset; the innermost, when there are several."""


def scan(text: str) -> Scan:
    """Take `text` apart; odd text gives odd passages and `unclosed`, never an exception."""
    found = Scan()
    _Scanner(Source(text), found).run()
    return found


class _Mode(Enum):
    COMMANDS = "command"
    QUOTE = "double quote"
    DEFAULT = "${"
    ARITHMETIC = "$(("
    HEREDOC = "here-document"


class _Nest(Enum):
    """What parentheses and `case` commands are open; they decide what the next `)` means."""

    PAREN = "("
    SUBJECT = "case"
    IN = "case word"
    PATTERN = "case word in"
    BODY = "case word in pattern)"


class _HereDoc(NamedTuple):
    delimiter: str
    expand: bool
    strip: bool


@define
class _Frame:
    mode: _Mode
    start: int
    parts: list[Part]
    quoted: bool
    """Whether text in this frame is within double quotes (or a here-document, which is read alike)."""
    outer: bool = False
    """Whether the place that the frame stands in is quoted."""
    head: bool = True
    """The next word may be a keyword; in a here-document: a line begins."""
    redirect: str = ""
    depth: int = 0
    nest: list[_Nest] = field(factory=list)
    pending: list[_HereDoc] = field(factory=list)


_RUNS = {
    (_Mode.COMMANDS, False): re.compile(r"""[^ \t\n\\'"$`;&|<>()]+"""),
    (_Mode.QUOTE, True): re.compile(r"""[^\\"$`]+"""),
    (_Mode.DEFAULT, False): re.compile(r"""[^\\'"$`}]+"""),
    (_Mode.DEFAULT, True): re.compile(r"""[^\\"$`}]+"""),
    (_Mode.ARITHMETIC, True): re.compile(r"""[^\\$`()]+"""),
    (_Mode.HEREDOC, True): re.compile(r"""[^\\$`\n]*\n|[^\\$`\n]+"""),
}
_ESCAPABLE = {_Mode.QUOTE: '$`"\\', _Mode.DEFAULT: '$`"\\}', _Mode.ARITHMETIC: "$`\\", _Mode.HEREDOC: "$`\\"}
_BLANKS = re.compile(r"[ \t]+")
_TABS = re.compile(r"\t*")
_REDIRECT = re.compile(r"<<-?|<&|<>|<|>>|>&|>\||>")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_BRACE = re.compile(r"\{(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[-#?$!@*])?(?::?[-=+?]|(##?|%%?))?")
_BACKQUOTED = re.compile(r"[^`\\]+|\\.|\\|`", re.DOTALL)
_ROLES = {"<": Role.INPUT, "<&": Role.INPUT, "<>": Role.UPDATE}
_BEFORE_COMMAND = frozenset({"if", "then", "elif", "else", "fi", "do", "done", "while", "until", "!", "{", "}", "time"})


class _Scanner:
    def __init__(self, source: Source, found: Scan) -> None:
        self.source = source
        self.text = source.text
        self.size = len(source.text)
        self.pos = 0
        self.found = found
        self.words = 0
        self.stack = [_Frame(_Mode.COMMANDS, 0, [], quoted=False)]

    def run(self) -> None:
        steps = {
            _Mode.COMMANDS: self._in_commands,
            _Mode.QUOTE: self._in_quote,
            _Mode.DEFAULT: self._in_default,
            _Mode.ARITHMETIC: self._in_arithmetic,
            _Mode.HEREDOC: self._in_heredoc,
        }
        while self.pos < self.size:
            frame = self.stack[-1]
            steps[frame.mode](frame)
        while len(self.stack) > 1:
            frame = self.stack[-1]
            if frame.mode is not _Mode.HEREDOC:  # dash takes a here-document without its last line
                opened = "$(" if frame.mode is _Mode.COMMANDS else frame.mode.value
                self._note_unclosed(opened, frame.start)
            self._close(self.size)
        self._end_word(self.stack[0])

    def _in_commands(self, frame: _Frame) -> None:
        char = self.text[self.pos]
        if char == "#" and not frame.parts:
            self.found.simple = False
            end = self.text.find("\n", self.pos)
            self.pos = end if end >= 0 else self.size
        elif self._take_run(frame):
            return
        elif char in " \t":
            self._end_word(frame)
            self.pos = _end_of(_BLANKS, self.text, self.pos)
        elif char == "\n":
            self._newline(frame)
        elif char in "\\'\"$`":
            self._quoting(frame, char)
        else:
            self._operator(frame, char)

    def _in_quote(self, frame: _Frame) -> None:
        if self._take_run(frame):
            return
        char = self.text[self.pos]
        if char == '"':
            self.stack.pop()
            self.pos += 1
        else:
            self._quoting(frame, char)

    def _in_default(self, frame: _Frame) -> None:
        if self._take_run(frame):
            return
        char = self.text[self.pos]
        if char == "}":
            self._close(self.pos + 1)
        else:
            self._quoting(frame, char)

    def _in_arithmetic(self, frame: _Frame) -> None:
        if self._take_run(frame):
            return
        char = self.text[self.pos]
        if char not in "()":
            self._quoting(frame, char)
        elif char == ")" and frame.depth == 0 and self.text.startswith("))", self.pos):
            self._close(self.pos + 2)
        else:
            frame.depth = max(0, frame.depth + (1 if char == "(" else -1))
            self._literal(frame, self.pos + 1)

    def _in_heredoc(self, frame: _Frame) -> None:
        if frame.head:
            end = self._delimiter_end(frame.pending[0], self.pos)
            if end is not None:
                self._close(end)
                return
        if self._take_run(frame):
            frame.head = self.text[self.pos - 1] == "\n"
            return
        frame.head = False
        self._quoting(frame, self.text[self.pos])

    def _take_run(self, frame: _Frame) -> bool:
        run = _RUNS[frame.mode, frame.quoted].match(self.text, self.pos)
        if run is None:
            return False
        self._literal(frame, run.end())
        return True

    def _literal(self, frame: _Frame, end: int) -> None:
        frame.parts.append(Part(self.pos, end, self.text[self.pos : end], frame.quoted))
        self.pos = end

    def _quoting(self, frame: _Frame, char: str) -> None:
        if char == "\\":
            self._backslash(frame)
        elif char == "'":
            end = self.text.find("'", self.pos + 1)
            if end < 0:
                self._note_unclosed("single quote", self.pos)
                end = self.size
            frame.parts.append(Part(self.pos + 1, end, self.text[self.pos + 1 : end], quoted=True))
            self.pos = min(end + 1, self.size)
        elif char == '"':
            # The empty part says that a word has begun here, and that it was quoted.
            frame.parts.append(Part(self.pos + 1, self.pos + 1, "", quoted=True))
            self.stack.append(_Frame(_Mode.QUOTE, self.pos, frame.parts, quoted=True))
            self.pos += 1
        elif char == "$":
            self._dollar(frame)
        else:
            self._backquote(frame)

    def _backslash(self, frame: _Frame) -> None:
        after = self.text[self.pos + 1 : self.pos + 2]
        if after == "\n":
            self.pos += 2
            return
        end = self.pos + 1 + len(after)
        kept = not after or (frame.quoted and after not in _ESCAPABLE[frame.mode])
        frame.parts.append(Part(self.pos, end, self.text[self.pos : end] if kept else after, quoted=True))
        self.pos = end

    def _dollar(self, frame: _Frame) -> None:
        self.found.simple = False
        start = after = self.pos
        after += 1
        while self.text.startswith("\\\n", after):
            after += 2
        char = self.text[after : after + 1]
        named = _BRACED_VARIABLE.match(self.text, after) or _VARIABLE.match(self.text, after)
        if named is not None:
            name = named.group(named.lastindex or 0)
            frame.parts.append(Part(start, named.end(), None, frame.quoted, name))
            self.pos = named.end()
        elif char == "(":
            arithmetic = self.text.startswith("((", after)
            mode = _Mode.ARITHMETIC if arithmetic else _Mode.COMMANDS
            self.stack.append(_Frame(mode, start, [], quoted=arithmetic, outer=frame.quoted))
            self.pos = after + (2 if arithmetic else 1)
        elif char == "{":
            brace = _BRACE.match(self.text, after)
            assert brace is not None  # its one obligatory character was seen
            quoted = frame.quoted and brace.group(1) is None  # patterns to cut off have quotes of their own
            self.stack.append(_Frame(_Mode.DEFAULT, start, [], quoted=quoted, outer=frame.quoted))
            self.pos = brace.end()
        elif char and char in "0123456789@*#?$!-":
            self.pos = after + 1
            frame.parts.append(Part(start, self.pos, None, frame.quoted))
        else:
            self._literal(frame, start + 1)

    def _backquote(self, frame: _Frame) -> None:
        """Scan the inside as text of its own, one layer of backslashes removed, as dash does."""
        self.found.simple = False
        start = self.pos
        escapable = '$`\\"' if frame.quoted else "$`\\"
        pieces: list[str] = []
        starts, origins, length = [0], [start + 1], 0
        self.pos = self.size
        for piece in _BACKQUOTED.finditer(self.text, start + 1):
            token, origin = piece.group(), piece.start()
            if token == "`":
                self.pos = piece.end()
                break
            if token == "\\\n":
                continue
            if len(token) == 2 and token[0] == "\\" and token[1] in escapable:  # noqa: PLR2004 - a backslash and its character
                token, origin = token[1], origin + 1
            pieces.append(token)
            starts.append(length)
            origins.append(origin)
            length += len(token)
        else:
            self._note_unclosed("backquote", start)
        _Scanner(Source("".join(pieces), starts, origins, self.source), self.found).run()
        frame.parts.append(Part(start, self.pos, None, frame.quoted))
