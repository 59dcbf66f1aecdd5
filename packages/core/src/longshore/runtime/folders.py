"""Folders of the project that tasks read: what ignore files leave out of them, and what makes them heavy."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from longshore.errors import InputMissing
from longshore.model.attempt import Item
from longshore.model.quantity import format_size
from longshore.model.task import Task
from longshore.remote.digest import FolderDigest
from longshore.remote.walking import IGNORE_FILE

__all__ = ["HEAVY_BYTES", "Folders", "heaviest", "together"]

HEAVY_BYTES = 100 << 20
"""A folder with more than this is worth a word before it is sent."""

_log = logging.getLogger(__name__)


class Folders:
    """What was seen when folders were digested, by where they lie. Any thread may tell and ask."""

    def __init__(self, heavy_bytes: int = HEAVY_BYTES) -> None:
        """Call heavy what has more bytes than this."""
        self._heavy_bytes = heavy_bytes
        self._left: dict[str, frozenset[str]] = {}
        self._heavy: dict[str, str] = {}
        self._told: set[str] = set()

    def seen(self, place: str, digested: FolderDigest, left: Iterable[str]) -> None:
        """Note what a folder has, and what ignore files leave out of it."""
        self._left[place] = frozenset(left)
        self._heavy.pop(place, None)
        if digested.size > self._heavy_bytes:
            self._heavy[place] = heaviest((entry.path, entry.size) for entry in digested.entries)

    def has(self, folder: Item, path: str) -> bool:
        """Say whether a path of the workdir comes with a folder, as nothing on the way to it is left out."""
        inner = PurePosixPath(path).relative_to(folder.path)
        left = self._left.get(folder.source)
        return not left or left.isdisjoint(map(str, (inner, *inner.parents)))

    def sending(self, items: Iterable[Item]) -> None:
        """Warn of each heavy folder among items that are to be sent, once."""
        if not self._heavy:
            return
        for item in items:
            most = self._heavy.get(item.source) if item.kind == "folder" else None
            if most is not None and item.source not in self._told:
                self._told.add(item.source)
                _log.warning(
                    "the input folder %s, which is sent to machines, has %s: %s; a file %s in it leaves out what tasks "
                    "do not need, as .gitignore does",
                    item.path,
                    format_size(item.size),
                    most,
                    IGNORE_FILE,
                )


def heaviest(sizes: Iterable[tuple[str, int]], count: int = 3) -> str:
    """Name the folders, or files, at the top of a tree that have most of it, with their sizes; the tree is given by the
    paths and bytes of its files.
    """
    found: dict[str, int] = {}
    for path, size in sizes:
        top = path.partition("/")[0]
        found[top] = found.get(top, 0) + size
    most = sorted(found, key=lambda name: -found[name])[:count]
    return ", ".join(f"{name} {format_size(found[name])}" for name in most)


def together(task: Task, groups: Iterable[tuple[str, Sequence[Item]]], seen: Folders) -> tuple[Item, ...]:
    """Make one list of all items of a task: each once, and nothing that comes with a folder among them.

    Raises:
        InputMissing: when two that differ have one path.
    """
    found: dict[str, Item] = {}
    for _, items in groups:
        for item in items:
            if found.setdefault(item.path, item).sha256 != item.sha256:
                raise InputMissing(f"two inputs of {task.id} with different content both want to be {item.path}")
    folders = {path: item for path, item in found.items() if item.kind == "folder"}
    if not folders:
        return tuple(found.values())
    apart: list[Item] = []
    into: list[Item] = []
    for path, item in found.items():
        above = [folders[name] for name in map(str, PurePosixPath(path).parents) if name in folders]
        if not above:
            apart.append(item)
        elif not any(seen.has(folder, path) for folder in above):
            into.append(item)
    # What a folder leaves out, and was named, is laid into it when it is there.
    return (*apart, *sorted(into, key=lambda item: len(item.path)))
