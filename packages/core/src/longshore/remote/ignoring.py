"""What ignore files leave out of a tree, by git's rules; pure, and in bytes, as git's patterns are.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Dict, List, Tuple

    Chain = List[Tuple[int, List["Rule"]]]

__all__ = ["Ignoring", "Rule", "parse_rules"]

_SPECIAL = re.compile(rb"[*?\[\\]")
_STAR = rb"[^/]*"
_ANY = rb".*"
_FOLDERS = rb"(?:.*/)?"
_STARS = re.compile(rb"\*\*+")
_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb" -~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t\n\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}


class _Never(Exception):
    """The pattern is malformed, and matches nothing."""


class Rule:
    """One line of an ignore file: ``pattern`` for what it matches, ``keeps`` when it began with ``!``, ``folders`` when
    it is for folders alone, ``names`` when it is for last parts of paths and not for whole ones.
    """

    __slots__ = ("folders", "keeps", "names", "pattern")

    def __init__(self, pattern: re.Pattern[bytes], *, keeps: bool, folders: bool, names: bool) -> None:
        self.pattern = pattern
        self.keeps = keeps
        self.folders = folders
        self.names = names


class Ignoring:
    """The rules of one tree. Whoever asks goes down from the top, and never into a folder that is ignored."""

    def __init__(self, files: Mapping[bytes, bytes]) -> None:
        """Take the contents of ignore files, by the paths of their folders; the top is the empty path."""
        self._rules = {folder: parse_rules(content) for folder, content in files.items()}
        self._chains: Dict[bytes, Chain] = {}

    def ignored(self, path: bytes, *, folder: bool) -> bool:
        """Say whether something is left out, of which all folders above are kept: the last rule that matches decides,
        and those of inner files before those of outer ones.
        """
        above, _, name = path.rpartition(b"/")
        for start, rules in self._chain(above):
            for rule in reversed(rules):
                if (folder or not rule.folders) and rule.pattern.fullmatch(name if rule.names else path[start:]):
                    return not rule.keeps
        return False

    def _chain(self, folder: bytes) -> Chain:
        """Give the rules for what lies in a folder, inner ones first, and where the paths begin that they mean."""
        known = self._chains.get(folder)
        if known is None:
            own = self._rules.get(folder)
            known = [(len(folder) + 1 if folder else 0, own)] if own else []
            if folder:
                known += self._chain(folder.rpartition(b"/")[0])
            self._chains[folder] = known
        return known


def parse_rules(content: bytes) -> list[Rule]:
    """Read an ignore file; lines that can match nothing are left out, as nothing in one is a mistake for git."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    rules = []
    for line in content.split(b"\n"):
        text = line[:-1] if line.endswith(b"\r") else line
        if not text.startswith(b"#"):
            rule = _rule(_without_spaces(text))
            if rule is not None:
                rules.append(rule)
    return rules


def _without_spaces(text: bytes) -> bytes:
    """Cut spaces off the end, but not one that a backslash stands before."""
    bare = text.rstrip(b" ")
    slashes = len(bare) - len(bare.rstrip(b"\\"))
    return bare + b" " if slashes % 2 and len(bare) < len(text) else bare


def _rule(text: bytes) -> Rule | None:
    keeps = text.startswith(b"!")
    text = text[keeps:]
    folders = text.endswith(b"/")
    text = text[: len(text) - folders]
    names = b"/" not in text
    text = text[1:] if text.startswith(b"/") else text
    try:
        return Rule(re.compile(_translated(text, names), re.DOTALL), keeps=keeps, folders=folders, names=names)
    except _Never:
        return None


def _translated(text: bytes, names: bool) -> bytes:
    found = _SPECIAL.search(text)
    # git compares what comes before the first special character by itself, so that two stars there begin a part.
    plain = at = found.start() if found else len(text)
    parts = [re.escape(text[:plain])]
    while at < len(text):
        stars = _STARS.match(text, at)
        char = text[at : at + 1]
        if stars and not names and (at == plain or text[at - 1 : at] == b"/") and _ends_part(text, stars.end()):
            at = stars.end()
            if text[at : at + 1] == b"/":
                parts.append(_FOLDERS)
                at += 1
            else:
                parts.append(_ANY)
        elif char == b"*":
            parts.append(_STAR)
            at = stars.end() if stars else at + 1
        elif char == b"?":
            parts.append(rb"[^/]")
            at += 1
        elif char == b"[":
            at = _set(text, at + 1, parts)
        else:
            at += char == b"\\"
            parts.append(re.escape(_byte(text, at)))
            at += 1
    return _joined(parts)


def _joined(parts: list[bytes]) -> bytes:
    """Join what a pattern was translated to. Of what stands between two stars the first place is as good as any: to try
    others, too, would take years for names as they can be.
    """
    done: list[bytes] = []
    opened = -1
    for count, part in enumerate(parts):
        if part == _STAR and opened >= 0:
            name = b"s%d" % count
            done[opened:] = [b"(?=(?P<" + name + b">[^/]*?" + b"".join(done[opened + 1 :]) + b"))(?P=" + name + b")"]
        if part == _STAR:
            opened = len(done)
        elif part in (b"/", _ANY, _FOLDERS):
            opened = -1
        done.append(part)
    return b"".join(done)


def _ends_part(text: bytes, at: int) -> bool:
    return at == len(text) or text[at : at + 1] == b"/" or text[at : at + 2] == b"\\/"


def _byte(text: bytes, at: int) -> bytes:
    if at >= len(text):
        raise _Never
    return text[at : at + 1]


def _set(text: bytes, at: int, parts: list[bytes]) -> int:
    """Translate a set of characters; give where it ends."""
    negated = _byte(text, at) in b"!^"
    at += negated
    members: list[bytes] = []
    before = b""
    first = True
    while first or _byte(text, at) != b"]":
        first = False
        char = _byte(text, at)
        end = text.find(b"]", at + 2)
        if char == b"-" and before and _byte(text, at + 1) != b"]":
            at += 1
            at += _byte(text, at) == b"\\"
            last = _byte(text, at)
            if before <= last:
                members.append(re.escape(before) + b"-" + re.escape(last))
            before = b""
        elif char == b"[" and text[at + 1 : at + 2] == b":" and end < 0:
            raise _Never
        elif char == b"[" and text[at + 1 : at + 2] == b":" and end > at + 2 and text[end - 1 : end] == b":":
            if text[at + 2 : end - 1] not in _CLASSES:
                raise _Never
            members.append(_CLASSES[text[at + 2 : end - 1]])
            at, before = end, b""
        else:
            at += char == b"\\"
            before = _byte(text, at)
            members.append(re.escape(before))
        at += 1
    if negated:
        parts.append(b"[^/" + b"".join(members) + b"]")
    else:
        parts.append(b"(?!/)[" + b"".join(members) + b"]" if members else rb"(?!)")
    return at + 1
