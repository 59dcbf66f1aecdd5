"""What is in a folder, and what of it counts when the folder is an input: what its ignore files do not leave out.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import stat

from longshore.remote.ignoring import Ignoring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Dict, List, Set, Tuple

    Found = Tuple[str, os.DirEntry[str]]

__all__ = ["IGNORE_FILE", "project_of", "rules_above", "walk_folder", "walk_input"]

IGNORE_FILE = ".longshoreignore"
_NAMES = (IGNORE_FILE, ".gitignore")
"""The second counts where there is none of the first."""
_NEVER = ".git"


def walk_folder(root: str, *, without: str = "") -> Iterator[Found]:
    """Give all that is below a folder, by paths relative to it: folders before what is in them, links not followed.

    Args:
        root: the folder.
        without: a name that is passed over, with all below it.

    Raises:
        OSError: when a folder cannot be read.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder)) as found:
            for item in found:
                if item.name == without:
                    continue
                path = folder + "/" + item.name if folder else item.name
                yield path, item
                if item.is_dir(follow_symlinks=False):
                    folders.append(path)


def walk_input(root: str, project: str) -> tuple[Iterable[Found], set[str]]:
    """Give what counts of a folder that is an input, as `walk_folder` does, and the paths that its ignore files leave
    out; what lies below one of those is not named.

    Args:
        root: the folder.
        project: the same folder, or one above it: ignore files from there on count.

    Raises:
        OSError: when a folder or an ignore file cannot be read.
    """
    everything = list(walk_folder(root, without=_NEVER))
    inner = "" if root == project else os.path.relpath(root, project)
    prefix = inner + "/" if inner else ""
    places = [(os.path.dirname(path), os.path.join(project, path)) for path in rules_above(inner, project)]
    places += [
        (os.path.dirname(prefix + path), entry.path)
        for path, entry in everything
        if entry.name in _NAMES and entry.is_file(follow_symlinks=False)
    ]
    return (everything, set()) if not places else _kept(everything, places, prefix)


def rules_above(path: str, project: str) -> list[str]:
    """Give the ignore files of a project that count for one of its folders and do not lie in it, by their paths below
    the project.
    """
    found = []
    parts = path.split("/") if path else []
    for depth in range(len(parts)):
        for name in _NAMES:
            place = "/".join([*parts[:depth], name])
            try:
                status = os.lstat(os.path.join(project, place))
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append(place)
    return found


def project_of(source: str, path: str) -> str:
    """Give the folder of the project that something is an input of, from where it lies and its path in the project."""
    return source[: -len(path) - 1] if source.endswith("/" + path) else source


def _kept(everything: List[Found], places: List[Tuple[str, str]], prefix: str) -> Tuple[List[Found], Set[str]]:
    name = next(name for name in _NAMES if any(os.path.basename(path) == name for _, path in places))
    files: Dict[bytes, bytes] = {}
    for folder, path in places:
        if os.path.basename(path) == name:
            with open(path, "rb") as file:
                files[os.fsencode(folder)] = file.read()
    ignoring = Ignoring(files)
    kept: List[Found] = []
    inside = {""}
    left: Set[str] = set()
    for path, entry in everything:
        if path.rpartition("/")[0] not in inside:
            continue
        is_folder = entry.is_dir(follow_symlinks=False)
        if ignoring.ignored(os.fsencode(prefix + path), folder=is_folder):
            left.add(path)
        else:
            kept.append((path, entry))
            if is_folder:
                inside.add(path)
    return kept, left
