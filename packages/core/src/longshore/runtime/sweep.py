"""Making room in the cache: which successes give up their objects, and which objects nobody needs any more."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from attrs import frozen

from longshore.remote.digest import NotStorable, parse_listing
from longshore.remote.store import object_path
from longshore.runtime.sidecar import Sidecar

__all__ = ["Cleaned", "Plan", "contents", "sweep"]

_FRESH_SECONDS = 86_400.0
"""What no success needs is left alone for so long, since a run may be about to note it."""
_EXPLAINED_SECONDS = 90 * 86_400.0
"""So long `explain` can tell why a task ran whose outputs had to go."""

_Row = tuple[str, str, float, int]
_ROWS = """
    SELECT identity, outputs, used, EXISTS (SELECT 1 FROM pins WHERE pins.identity = successes.identity) AS pinned
    FROM successes WHERE NOT evicted ORDER BY pinned DESC, used DESC, identity
"""


@frozen(kw_only=True)
class Cleaned:
    """What has been removed, or would be."""

    tasks: int = 0
    """Successes whose outputs cannot be had any more."""
    objects: int = 0
    bytes: int = 0


@frozen(kw_only=True)
class Plan:
    """What may stay: the successes used last, as long as their objects together are small enough."""

    keep_bytes: int
    unused_since: float
    """Those not used since then go in any case, unless a run needs them."""
    dry_run: bool


@frozen
class _Object:
    size: int
    changed: float


def contents(store: str, sha256: str, kind: str, size: int | None = None) -> set[str] | None:
    """List the objects that an artifact is made of; None when one is not there. The size of a file is compared, too."""
    path = object_path(store, sha256)
    try:
        if kind == "file":
            there = os.stat(path).st_size
            return {sha256} if size in (None, there) else None
        with open(path, "rb") as file:
            entries = parse_listing(file.read())
    except (OSError, NotStorable):
        return None
    inner = {entry.sha256: entry.size for entry in entries if entry.kind == "f"}
    if any(contents(store, each, "file", length) is None for each, length in inner.items()):
        return None
    return {sha256, *inner}


def sweep(index: Sidecar, folder: Path, plan: Plan) -> Cleaned:
    """Carry a plan out. What any run has pinned stays, and what is so fresh that a run may be about to note it."""
    objects = dict(_objects(folder))
    rows: list[_Row] = index.read(lambda db: db.execute(_ROWS).fetchall(), [])
    needs = {identity: _needs(str(folder), outputs) for identity, outputs, _, _ in rows}
    now = time.time()

    def decide(db: sqlite3.Connection) -> tuple[int, list[str]]:
        db.execute("SAVEPOINT plan")
        _drop_dead_pins(db, folder.parent / "runs")
        kept: set[str] = set()
        freed: set[str] = set()
        evicted: list[str] = []
        total = 0
        room = True
        for identity, outputs, used, pinned in db.execute(_ROWS).fetchall():
            needed = needs[identity] if identity in needs else _needs(str(folder), outputs)
            if needed is None and pinned:
                # Some of it may be on its way from the machine that wrote it; what has come must stay.
                extra = _there(str(folder), outputs) - kept
            else:
                extra = (needed or set()) - kept
            size = sum(objects[each].size for each in extra if each in objects)
            room = room and total + size <= plan.keep_bytes
            if pinned or (needed is not None and room and used >= plan.unused_since):
                kept |= extra
                total += size
            else:
                evicted.append(identity)
                freed |= needed or set()
        gone = [
            each
            for each, there in objects.items()
            if each not in kept and (each in freed or now - there.changed > _FRESH_SECONDS)
        ]
        left = sum(there.size for there in objects.values()) - sum(objects[each].size for each in gone)
        _note(db, evicted, left, now if plan.unused_since == float("inf") else now - _EXPLAINED_SECONDS)
        if plan.dry_run:
            db.execute("ROLLBACK TO plan")
        return len(evicted), gone

    nothing: tuple[int, list[str]] = (0, [])
    tasks, gone = index.write(decide, nothing)
    if not plan.dry_run:
        _remove(folder, {each: objects[each] for each in gone}, now)
    return Cleaned(tasks=tasks, objects=len(gone), bytes=sum(objects[each].size for each in gone))


def _note(db: sqlite3.Connection, evicted: Iterable[str], left_bytes: int, forget_before: float) -> None:
    db.executemany("UPDATE successes SET evicted = 1 WHERE identity = ?", [(each,) for each in evicted])
    db.execute("DELETE FROM successes WHERE evicted AND used <= ?", (forget_before,))
    db.execute("DELETE FROM latest WHERE identity NOT IN (SELECT identity FROM successes)")
    db.execute("UPDATE counters SET value = ? WHERE name = 'bytes'", (left_bytes,))


def _drop_dead_pins(db: sqlite3.Connection, runs: Path) -> None:
    """A run whose folder is gone needs nothing."""
    pinning = [row[0] for row in db.execute("SELECT DISTINCT run FROM pins")]
    db.executemany("DELETE FROM pins WHERE run = ?", [(run,) for run in pinning if not (runs / run).is_dir()])


def _needs(store: str, outputs: str) -> set[str] | None:
    """List all objects that a success needs; None when one is gone, so that the others are good for nothing."""
    needed: set[str] = set()
    for _, sha256, size, _, kind in json.loads(outputs):
        found = contents(store, sha256, kind, size)
        if found is None:
            return None
        needed |= found
    return needed


def _there(store: str, outputs: str) -> set[str]:
    """List those objects of a success that are there, whether or not others are."""
    wanted: set[str] = set()
    for _, sha256, _, _, kind in json.loads(outputs):
        wanted.add(sha256)
        if kind == "folder":
            with suppress(OSError, NotStorable), open(object_path(store, sha256), "rb") as file:
                wanted |= {entry.sha256 for entry in parse_listing(file.read()) if entry.kind == "f"}
    return {sha256 for sha256 in wanted if os.path.exists(object_path(store, sha256))}


def _objects(folder: Path) -> Iterator[tuple[str, _Object]]:
    for place in _entries(folder / "objects"):
        for entry in _entries(Path(place.path)):
            with suppress(FileNotFoundError):
                status = entry.stat(follow_symlinks=False)
                # The time of its last change of state: a rename counts there, and a task may set the other one as it
                # likes.
                yield entry.name, _Object(status.st_size, status.st_ctime)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove(folder: Path, objects: Mapping[str, _Object], now: float) -> None:
    for sha256, seen in objects.items():
        path = Path(object_path(str(folder), sha256))
        with suppress(FileNotFoundError):
            # Somebody may have put it there again meanwhile.
            if path.stat().st_ctime == seen.changed:
                path.unlink()
    # What a crash left half done.
    for entry in _entries(folder / "tmp"):
        with suppress(OSError):
            if now - entry.stat(follow_symlinks=False).st_ctime > _FRESH_SECONDS:
                Path(entry.path).unlink()
