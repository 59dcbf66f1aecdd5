"""The quick way for what most commands are: words, plain variables, redirections, operators; nothing quoted or nested.

It gives what the full scan gives (a test holds it to that) in a third of the time, since 100,000 tasks may have as
many commands.
"""

from __future__ import annotations

import re

from longshore.model.shell.parts import REDIRECTED, Kind, Part, Passage, Role, Scan, Source

__all__ = ["scan_easy"]

_EASY = re.compile(r"""(?:[^\\'"`#(){}\n$<]|<(?!<)|\$(?=[A-Za-z_]))*""")
_TOKEN = re.compile(r"[0-9]?(<&|<>|<|>>|>&|>\||>)|([;&|])|[^ \t;&|<>]+")
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


def scan_easy(text: str) -> Scan | None:
    """Take ``text`` apart if it is of the easy kind; else None."""
    if _EASY.fullmatch(text) is None:
        return None
    source = Source(text)
    passages: list[Passage] = []
    simple = "$" not in text
    role = Role.ARGUMENT
    for token in _TOKEN.finditer(text):
        operator = token.lastindex
        if operator is None:
            passages.append(Passage(Kind.WORD, _parts(token[0], token.start()), role, source))
            role = Role.ARGUMENT
        else:
            simple = False
            role = REDIRECTED[token[1]] if operator == 1 else Role.ARGUMENT
    return Scan(passages, simple)


def _parts(word: str, start: int) -> tuple[Part, ...]:
    if "$" not in word:
        return (Part(start, start + len(word), word, quoted=False),)
    parts: list[Part] = []
    low = 0
    for found in _VARIABLE.finditer(word):
        if low < found.start():
            parts.append(Part(start + low, start + found.start(), word[low : found.start()], quoted=False))
        parts.append(Part(start + found.start(), start + found.end(), None, quoted=False, name=found[1]))
        low = found.end()
    if low < len(word):
        parts.append(Part(start + low, start + len(word), word[low:], quoted=False))
    return tuple(parts)
