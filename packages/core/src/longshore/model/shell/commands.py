"""The words of a command, and whether it needs a shell at all."""

from __future__ import annotations

import re

from attrs import frozen

from longshore.model.shell.parts import Kind, Part, Passage, Role
from longshore.model.shell.scan import scan

__all__ = ["Word", "plain_argv", "problem", "words"]

_PLAIN = re.compile(r"[A-Za-z0-9_./+@%:,=\- \t]+")
_PLAIN_NAME = re.compile(r"[\w.+][\w.+@-]*")
_GLOB = re.compile(r"[*?\[]")
# Wildcards, home folders, and the braces that bash-as-sh expands and that dash takes for keywords.
_NOT_PLAIN = re.compile(r"[*?\[~{}]")

# What a shell does itself and a program, if there is one of that name, does differently: builtins and keywords of
# dash, of bash called as sh, and of busybox ash. Busybox's own `sleep` is left out: the program does the same.
_SHELL_WORDS = frozenset(
    """
    . : ! [ [[ ]] { } alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc
    declare dirs disown do done echo elif else enable esac eval exec exit export fc fg fi for function getopts hash help
    history if in jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set
    shift shopt source suspend test then time times trap type typeset ulimit umask unalias unset until wait while
    """.split()
)
_SAME_ALONE = frozenset({"true", "false"})


@frozen(kw_only=True)
class Word:
    """One word of a command."""

    text: str
    """What the shell makes of it; empty when it is not ``static``."""
    start: int
    end: int
    static: bool
    """It has no expansion and no ``~`` for a home folder, so the program sees ``text``, unless it is a ``glob``."""
    glob: bool
    """It has an unquoted wildcard."""
    role: Role


def words(text: str) -> tuple[Word, ...]:
    """List the words of all commands in a text, in its order, also of commands in ``$(...)`` and backquotes.

    Keywords and the numbers in ``2>&1`` are listed as well; comments and here-documents are not.
    """
    found = [_word(passage) for passage in scan(text).passages if passage.kind is Kind.WORD]
    return tuple(sorted(found, key=lambda word: word.start))


def _word(passage: Passage) -> Word:
    static, glob, seen = True, False, []
    for part in passage.parts:
        if part.text is None:
            static = False
        else:
            seen.append(part.text)
            glob = glob or (not part.quoted and _GLOB.search(part.text) is not None)
    first, last = passage.parts[0], passage.parts[-1]
    static = static and not _is_home(first)
    start, end = passage.source.at(first.start), passage.source.at(max(last.end - 1, 0)) + 1
    return Word(
        text="".join(seen) if static else "",
        start=start,
        end=end,
        static=static,
        glob=glob,
        role=passage.role,
    )


def _is_home(part: Part) -> bool:
    return part.text is not None and not part.quoted and part.text.startswith("~")


def plain_argv(text: str) -> tuple[str, ...] | None:
    """Give the arguments of a command for which no shell is needed; None when ``sh`` has to read it.

    Executing the arguments does the same as ``sh -c text`` wherever ``sh`` is dash, bash or busybox. Three things the
    shell would do are left to whoever executes them: find the program in ``PATH``, give a program without ``#!`` to
    ``sh``, and set ``PWD``.
    """
    argv = text.split() if _PLAIN.fullmatch(text) else _argv(text)
    if not argv:
        return None
    program = argv[0]
    if "=" in program or program.startswith("-") or program in _SHELL_WORDS or (program in _SAME_ALONE and argv[1:]):
        return None
    return tuple(argv) if "/" in program or _PLAIN_NAME.fullmatch(program) else None


def _argv(text: str) -> list[str]:
    """Give the words of one simple command without shell syntax; none when it is anything else."""
    if "$" in text or "`" in text or "\0" in text:
        return []
    found = scan(text)
    if not found.simple or found.unclosed is not None:
        return []
    argv = []
    for passage in found.passages:
        if any(not part.quoted and _NOT_PLAIN.search(part.text or "") for part in passage.parts):
            return []
        argv.append("".join(part.text or "" for part in passage.parts))
    return argv


def problem(text: str) -> str | None:
    """Say what a text opens and never closes, and on which line of it; None when all is closed."""
    unclosed = scan(text).unclosed
    if unclosed is None:
        return None
    opened, start = unclosed
    line = text.count("\n", 0, start) + 1
    column = start - text.rfind("\n", 0, start)
    return f"the {opened} at line {line}, column {column} is never closed"
