"""The file of variables and credentials that goes to tasks and into no journal, log or message."""

from __future__ import annotations

import re
from pathlib import Path

from longshore.config.problems import Mistake, Mistakes, wrong

__all__ = ["read_env_file", "tracked_by_git"]

_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_BARE = re.compile(r"[^\n]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\n": "", '"': '"', "\\": "\\", "$": "$", "`": "`"}
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_IDLE = re.compile(r"(?:[ \t\n]+|#[^\n]*)+")
_GIT_TIMEOUT = 10


def read_env_file(path: Path) -> dict[str, str]:
    r"""Read lines of ``NAME=value``, as shells do without expanding anything.

    ``export`` before the name, comments, blank lines, single quotes (as they are) and double quotes (``\n``, ``\t``
    and ``\"``) are known; quoted values may go over several lines.

    Raises:
        Mistakes: with line numbers; never with a value.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise wrong(f"there is no file {path.name!r}", "write it, or take env_file out") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise wrong(f"{path.name!r} cannot be read: {reason}", "make it a readable file of NAME=value lines") from None
    return _parse(content.replace("\r\n", "\n"), path.name)


def _parse(content: str, name: str) -> dict[str, str]:
    values: dict[str, str] = {}
    mistakes: list[Mistake] = []
    position = 0
    while position < len(content):
        idle = _IDLE.match(content, position)
        if idle is not None:
            position = idle.end()
            continue
        line = content.count("\n", 0, position) + 1
        found = _NAME.match(content, position)
        value = None if found is None else _value(content, found.end())
        if found is None or value is None:
            what = "is no NAME=value" if found is None else f"gives {found[1]} a value with an open or misplaced quote"
            mistakes.append(Mistake((), f"line {line} of {name!r} {what}", "write NAME=value or NAME='value'"))
            position = _end_of_line(content, position)
            continue
        values[found[1]], position = value
    if mistakes:
        raise Mistakes(*mistakes)
    return values


def _value(content: str, position: int) -> tuple[str, int] | None:
    """Read a value and find its end; None when its quotes are not closed or something follows them."""
    quote = content[position : position + 1]
    if quote not in ("'", '"') or not quote:
        text = content[position : _end_of_line(content, position)]
        return re.split(r"(?:^|[ \t]+)#", text, maxsplit=1)[0].rstrip(), position + len(text)
    quoted = (_SINGLE if quote == "'" else _DOUBLE).match(content, position)
    rest = quoted and _REST.match(content, quoted.end())
    if not quoted or not rest:
        return None
    inside = quoted[1]
    if quote == '"':
        inside = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[0]), inside)
    return inside, rest.end()


def _end_of_line(content: str, position: int) -> int:
    end = content.find("\n", position)
    return len(content) if end < 0 else end


def tracked_by_git(path: Path) -> bool:
    """Say whether git keeps a file, so that whoever clones the repository has it too. No git, no repository: no."""
    if not any((parent / ".git").exists() for parent in path.absolute().parents):
        return False
    import subprocess  # noqa: PLC0415 - 10 ms that only workflows with an env_file in a repository need

    try:
        asked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", "--", path.name],
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
