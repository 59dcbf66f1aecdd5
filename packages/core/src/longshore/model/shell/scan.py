"""Take POSIX sh text apart as dash does.

`scan` walks the text once, with a stack of its own, so that any text of any depth costs time in proportion to its
length and raises nothing. It gives the words of all commands (also of those in ``$(...)`` and backquotes), the words
inside ``${name-word}``, the bodies of here-documents and the insides of ``$((...))``.

Where shells differ dash decides: ``$'...'`` is a dollar sign and a quoted string, ``$((`` always begins arithmetic, a
file number before ``<`` or ``>`` has one digit, braces are ordinary characters. Within ``$(...)`` the body of a
here-document begins behind the end of a line in there.
"""

from __future__ import annotations

import re

from longshore.model.shell.easy import scan_easy
from longshore.model.shell.frames import Frame, HereDoc, Mode, Walk
from longshore.model.shell.grammar import Grammar
from longshore.model.shell.parts import REDIRECTED, Kind, Part, Role, Scan, Source
from longshore.model.shell.quoting import take_special

__all__ = ["scan", "scan_fully"]

_DIGITS = frozenset("0123456789")
_PLAIN_WORD = re.compile(r"""([^ \t\n\\'"$`;&|<>()#][^ \t\n\\'"$`;&|<>()]*)([ \t]*)""")
_BLANKS = re.compile(r"[ \t]*")
_TABS = re.compile(r"\t*")
_REDIRECT = re.compile(r"<<-?|<&|<>|<|>>|>&|>\||>")
_HEREDOCS = frozenset({"<<", "<<-"})
_BACKQUOTED = re.compile(r"[^`\\]+|\\.|\\|`", re.DOTALL)
_KINDS = {Mode.DEFAULT: Kind.DEFAULT, Mode.ARITHMETIC: Kind.ARITHMETIC, Mode.HEREDOC: Kind.HEREDOC}


def scan(text: str) -> Scan:
    """Take ``text`` apart; odd text gives odd passages and ``unclosed``, never an exception."""
    return scan_easy(text) or scan_fully(text)


def scan_fully(text: str) -> Scan:
    """Do the same without looking for the quick way."""
    found = Scan()
    _scan(Source(text), found)
    return found


def _scan(source: Source, found: Scan) -> None:
    walk = Walk(source, source.text, found)
    stack = walk.stack
    stack.append(Frame(Mode.COMMANDS, 0, [], quoted=False, grammar=Grammar()))
    size = len(source.text)
    while walk.pos < size:
        frame = stack[-1]
        step = _STEPS[frame.mode]
        while walk.pos < size and stack[-1] is frame:
            step(walk, frame)
    while len(stack) > 1:
        if stack[-1].mode is not Mode.HEREDOC:  # dash does without a here-document's last line
            walk.note_unclosed(stack[-1].mode.value, stack[-1].start)
        _close(walk, size)
    _end_word(walk, stack[0])


def _in_commands(walk: Walk, frame: Frame) -> None:
    plain = _PLAIN_WORD.match(walk.text, walk.pos)
    if plain is not None and not frame.parts:  # what most words are, in one step
        walk.pos = plain.end(1)
        frame.parts.append(Part(plain.start(), walk.pos, plain[1], quoted=False))
        if plain[2]:
            _end_word(walk, frame)
            walk.pos = plain.end()
        return
    char = walk.text[walk.pos]
    if char == "#" and not frame.parts:
        walk.found.simple = False
        walk.pos = _line_end(walk.text, walk.pos)
    elif walk.take_run(frame):
        return
    elif char in " \t":
        _end_word(walk, frame)
        walk.pos = _end_of(_BLANKS, walk.text, walk.pos)
    elif char == "\n":
        _newline(walk, frame)
    elif char in "\\'\"$`":
        _special(walk, frame, char)
    elif char in "<>":
        _redirection(walk, frame)
    else:
        _operator(walk, frame, char)


def _in_quote(walk: Walk, frame: Frame) -> None:
    if walk.take_run(frame):
        return
    char = walk.text[walk.pos]
    if char == '"':
        walk.stack.pop()
        walk.pos += 1
    else:
        _special(walk, frame, char)


def _in_default(walk: Walk, frame: Frame) -> None:
    if walk.take_run(frame):
        return
    char = walk.text[walk.pos]
    if char == "}":
        _close(walk, walk.pos + 1)
    else:
        _special(walk, frame, char)


def _in_arithmetic(walk: Walk, frame: Frame) -> None:
    if walk.take_run(frame):
        return
    char = walk.text[walk.pos]
    if char not in "()":
        _special(walk, frame, char)
    elif frame.depth == 0 and walk.text.startswith("))", walk.pos):
        _close(walk, walk.pos + 2)
    else:
        frame.depth = max(0, frame.depth + (1 if char == "(" else -1))
        walk.take_literal(frame, walk.pos + 1)


def _in_heredoc(walk: Walk, frame: Frame) -> None:
    assert frame.document is not None
    end = _delimiter_end(walk.text, frame.document, walk.pos) if frame.fresh else None
    if end is not None:
        _close(walk, end)
        return
    if frame.fresh and frame.document.strip:
        walk.pos = _end_of(_TABS, walk.text, walk.pos)
    if walk.pos == len(walk.text):
        return
    if walk.take_run(frame):
        frame.fresh = walk.text[walk.pos - 1] == "\n"
    else:
        frame.fresh = False
        _special(walk, frame, walk.text[walk.pos])


_STEPS = {
    Mode.COMMANDS: _in_commands,
    Mode.QUOTE: _in_quote,
    Mode.DEFAULT: _in_default,
    Mode.ARITHMETIC: _in_arithmetic,
    Mode.HEREDOC: _in_heredoc,
}


def _close(walk: Walk, end: int) -> None:
    """Leave the innermost frame, which reaches to ``end``."""
    frame = walk.stack.pop()
    walk.pos = end
    if frame.mode is Mode.COMMANDS:
        _end_word(walk, frame)
    elif frame.mode in _KINDS:
        walk.tell(_KINDS[frame.mode], frame.parts)
    if frame.mode is Mode.HEREDOC:
        _next_document(walk, walk.stack[-1])
    elif frame.mode is not Mode.QUOTE:
        walk.stack[-1].parts.append(Part(frame.start, end, None, frame.outer))


def _special(walk: Walk, frame: Frame, char: str) -> None:
    owner = walk.stack[-2] if frame.mode is Mode.QUOTE else frame
    if char in "$`" and owner.redirect in _HEREDOCS:  # a here-document's last line is not expanded
        walk.take_literal(frame, walk.pos + 1)
    elif char == "`":
        _backquote(walk, frame)
    else:
        take_special(walk, frame, char)


def _backquote(walk: Walk, frame: Frame) -> None:
    """Scan the inside as a text of its own, one layer of backslashes removed, as dash does.

    This calls itself no deeper than the logarithm of the text's length, since every layer doubles the backslashes.
    """
    walk.found.simple = False
    start = walk.pos
    escapable = '$`\\"' if frame.quoted else "$`\\"
    pieces: list[str] = []
    starts, origins, length = [0], [start + 1], 0
    walk.pos = len(walk.text)
    for piece in _BACKQUOTED.finditer(walk.text, start + 1):
        token, origin = piece[0], piece.start()
        if token == "`":
            walk.pos = piece.end()
            break
        if token == "\\\n":
            continue
        if token[0] == "\\" and token[1:] in escapable and len(token) > 1:
            token, origin = token[1], origin + 1
        pieces.append(token)
        starts.append(length)
        origins.append(origin)
        length += len(token)
    else:
        walk.note_unclosed("backquote", start)
    _scan(Source("".join(pieces), starts, origins, walk.source), walk.found)
    frame.parts.append(Part(start, walk.pos, None, frame.quoted))


def _operator(walk: Walk, frame: Frame, char: str) -> None:
    walk.found.simple = False
    assert frame.grammar is not None
    _end_word(walk, frame)
    frame.redirect = ""
    if char == "(":
        frame.grammar.opening()
    elif char == ")":
        if not frame.grammar.closing() and len(walk.stack) > 1:
            _close(walk, walk.pos + 1)
            return
    elif walk.text.startswith(";;", walk.pos):
        frame.grammar.separator(";;")
        walk.pos += 1
    else:
        frame.grammar.separator(char)
    walk.pos += 1


def _redirection(walk: Walk, frame: Frame) -> None:
    walk.found.simple = False
    if not (len(frame.parts) == 1 and _is_file_number(frame.parts[0], walk.pos)):
        _end_word(walk, frame)
    frame.parts = []
    operator = _REDIRECT.match(walk.text, walk.pos)
    assert operator is not None
    frame.redirect = operator[0]
    walk.pos = operator.end()


def _is_file_number(part: Part, end: int) -> bool:
    return part.end == end and not part.quoted and part.text in _DIGITS


def _end_word(walk: Walk, frame: Frame) -> None:
    if not frame.parts:
        return
    parts, frame.parts = frame.parts, []
    operator, frame.redirect = frame.redirect, ""
    if operator in _HEREDOCS:
        text = "".join(part.text or "" for part in parts)
        frame.pending = frame.pending or []
        frame.pending.append(HereDoc(text, not any(part.quoted for part in parts), operator == "<<-"))
        return
    if walk.ended:
        walk.found.simple = False
    walk.tell(Kind.WORD, parts, REDIRECTED[operator] if operator else Role.ARGUMENT)
    if not operator and frame.grammar is not None:
        frame.grammar.word(parts[0].text if len(parts) == 1 and not parts[0].quoted else None)


def _newline(walk: Walk, frame: Frame) -> None:
    _end_word(walk, frame)
    frame.redirect = ""
    if frame.grammar is not None:
        frame.grammar.separator("\n")
    walk.pos += 1
    walk.ended = walk.ended or bool(walk.found.passages)
    if frame.pending:
        frame.pending.reverse()
        _next_document(walk, frame)


def _next_document(walk: Walk, frame: Frame) -> None:
    """Begin the body of the next here-document that is due; bodies without expansions are taken whole."""
    while frame.pending:
        document = frame.pending.pop()
        if document.expand:
            walk.stack.append(Frame(Mode.HEREDOC, walk.pos, [], quoted=True, document=document))
            return
        walk.pos = _literal_document(walk, document)


def _literal_document(walk: Walk, document: HereDoc) -> int:
    parts: list[Part] = []
    line, after = walk.pos, None
    while line < len(walk.text):
        after = _delimiter_end(walk.text, document, line)
        if after is not None:
            break
        start = _end_of(_TABS, walk.text, line) if document.strip else line
        line = _line_end(walk.text, line)
        line += walk.text.startswith("\n", line)
        parts.append(Part(start, line, walk.text[start:line], quoted=True))
    walk.tell(Kind.HEREDOC, parts)
    return len(walk.text) if after is None else after


def _delimiter_end(text: str, document: HereDoc, line: int) -> int | None:
    """Say where the next line begins if this one ends the here-document."""
    begin = _end_of(_TABS, text, line) if document.strip else line
    after = begin + len(document.delimiter)
    if not text.startswith(document.delimiter, begin) or text[after : after + 1] not in {"", "\n"}:
        return None
    return min(after + 1, len(text))


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found is not None else start


def _line_end(text: str, start: int) -> int:
    """Give the offset of the next newline, or of the end."""
    end = text.find("\n", start)
    return end if end >= 0 else len(text)
