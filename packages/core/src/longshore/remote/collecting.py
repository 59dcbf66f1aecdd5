"""Declared outputs: found in the workdir, digested, and brought into the store.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import stat

from longshore.remote.digest import MODE_BITS, FolderDigest, NotStorable, digest_file, digest_folder
from longshore.remote.store import inside, put_file, put_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Tuple

    Row = Tuple[str, str, int, int, str]
    Rows = List[Row]

__all__ = ["Found", "OutputProblem", "collect_outputs", "find_outputs", "refuse_escapes"]

_SHOWN_NAMES = 20


class OutputProblem(Exception):
    """A declared output is not there, or is nothing that can be kept: the task's own fault."""


class Found:
    """The outputs that are in a workdir: relative paths, and the bytes of the files among them."""

    __slots__ = ("file_bytes", "has_folder", "paths")

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.file_bytes = 0
        self.has_folder = False


def refuse_escapes(patterns: list[str]) -> None:
    """Refuse patterns that lead out of the workdir by their words.

    Raises:
        OutputProblem: naming the first one.
    """
    for pattern in patterns:
        if not inside(pattern):
            raise OutputProblem(
                "the output %r leads out of the workdir; outputs are named relative to it, without '..'" % pattern
            )


def find_outputs(workdir: str, patterns: list[str]) -> Found:
    """Find what the patterns mean: files, folders (a slash at the end insists on one), globs with ``*``, ``?``,
    ``[...]`` and ``**``.

    As in a shell, wildcards do not match a dot at the beginning of a name, and ``**`` does not follow links.

    Raises:
        OutputProblem: when a pattern has no match, or one leads out of the workdir.
    """
    refuse_escapes(patterns)
    found = Found()
    seen = set()
    for pattern in patterns:
        paths = [path for path in _expand(workdir, pattern.strip("/").split("/")) if _fits(workdir, path, pattern)]
        if not paths:
            raise OutputProblem(_not_written(workdir, pattern))
        for path in paths:
            if path not in seen:
                seen.add(path)
                _add(found, workdir, path)
    return found


def _fits(workdir: str, path: str, pattern: str) -> bool:
    return not pattern.endswith("/") or os.path.isdir(os.path.join(workdir, path))


def _add(found: Found, workdir: str, path: str) -> None:
    status = _look(workdir, path)
    if stat.S_ISREG(status.st_mode):
        found.file_bytes += status.st_size
    elif stat.S_ISDIR(status.st_mode):
        found.has_folder = True
    else:
        raise OutputProblem("the output %s is a socket, pipe or device; only files and folders can be kept" % path)
    found.paths.append(path)


def _look(workdir: str, path: str) -> os.stat_result:
    """Look at an output; refuse one that leads out of the workdir, which only links can do."""
    place = workdir
    status = os.lstat(place)
    for part in path.split("/"):
        if stat.S_ISLNK(status.st_mode):
            break
        place = place + "/" + part
        status = os.lstat(place)
    if not stat.S_ISLNK(status.st_mode):
        return status
    place = os.path.join(workdir, path)
    real = os.path.realpath(place)
    # The workdir itself cannot be a link, unless the command has put one in its place.
    if os.path.islink(workdir) or not real.startswith(os.path.realpath(workdir) + "/"):
        raise OutputProblem("the output %s leads out of the workdir through a link, to %s" % (path, real))
    return os.stat(place)


def _not_written(workdir: str, pattern: str) -> str:
    try:
        names = sorted(os.listdir(workdir))
    except FileNotFoundError:
        return "the output %r was not written: the command removed its workdir" % pattern
    shown = ", ".join(names[:_SHOWN_NAMES]) if names else "nothing"
    more = " and %d more" % (len(names) - _SHOWN_NAMES) if len(names) > _SHOWN_NAMES else ""
    return "the output %r was not written; in the workdir there is %s%s" % (pattern, shown, more)


def _expand(workdir: str, parts: list[str]) -> list[str]:
    """Give the relative paths that a pattern means, sorted."""
    found = [""]
    for index, part in enumerate(parts):
        if part in ("", "."):
            continue
        step = []
        for folder in found:
            step.extend(_step(workdir, folder, part, index == len(parts) - 1))
        found = step
    return sorted({path for path in found if path}, key=os.fsencode)


def _step(workdir: str, folder: str, part: str, last: bool) -> list[str]:
    if part == "**":
        return _descend(workdir, folder, files=last)
    if not any(sign in part for sign in "*?["):
        path = os.path.join(folder, part)
        return [path] if os.path.exists(os.path.join(workdir, path)) else []
    import fnmatch  # noqa: PLC0415  needed for globs only

    names = [name for name in _names(os.path.join(workdir, folder)) if fnmatch.fnmatchcase(name, part)]
    return [os.path.join(folder, name) for name in names if part.startswith(".") or not name.startswith(".")]


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _descend(workdir: str, folder: str, files: bool) -> list[str]:
    """Give all files below a folder, or the folder itself and all folders below it."""
    result = [] if files else [folder]
    folders = [folder]
    while folders:
        current = folders.pop()
        try:
            with os.scandir(os.path.join(workdir, current)) as entries:
                for entry in entries:
                    path = os.path.join(current, entry.name)
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(path)
                    if entry.is_dir(follow_symlinks=False) != files:
                        result.append(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
    return result


def collect_outputs(workdir: str, found: Found, store: str, *, move: bool) -> Rows:
    """Digest what was found and bring it into the store.

    Args:
        workdir: where they are; all processes that could write there must be over.
        found: what `find_outputs` gave.
        store: where they go.
        move: whether the files may leave the workdir.

    Returns:
        For each a row of path, digest, size, mode, and ``file`` or ``folder``.

    Raises:
        OutputProblem: when something in a folder cannot be kept.
        StagingProblem, OSError: when something cannot be read, or the store cannot be written.
    """
    digested = [_digest(workdir, path) for path in found.paths]
    # All are digested before the first is moved, since one pattern may name what is inside another's folder: putting
    # that a second time finds it in the store, and does not look for the file again.
    rows = []
    for path, mode, folder, sha256, size in digested:
        place = os.path.join(workdir, path)
        if folder is not None:
            put_folder(store, place, folder, move=move)
            rows.append((path, sha256, size, mode, "folder"))
        else:
            put_file(store, place, sha256, size, move=move)
            rows.append((path, sha256, size, mode, "file"))
    return rows


def _digest(workdir: str, path: str) -> tuple[str, int, FolderDigest | None, str, int]:
    place = os.path.join(workdir, path)
    mode = os.stat(place).st_mode & MODE_BITS
    if os.path.isdir(place):
        try:
            folder = digest_folder(place)
        except NotStorable as error:
            raise OutputProblem("output %s: %s" % (path, error)) from error
        return path, mode, folder, folder.sha256, folder.size
    sha256, size = digest_file(place)
    return path, mode, None, sha256, size
