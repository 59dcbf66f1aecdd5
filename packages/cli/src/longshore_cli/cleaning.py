"""What `clean` removes: old runs, workdirs that were kept, cached outputs, and environments."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, field

from longshore.errors import LongshoreError, RunLocked
from longshore.model.quantity import format_size
from longshore.remote.store import remove_tree
from longshore.runtime.cache import Cache, Cleaned
from longshore.runtime.history import RunReader
from longshore.runtime.installed import Installed, remove_unused
from longshore.runtime.lock import acquire
from longshore.runtime.project import Project
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, warn
from longshore_cli.places import find_project
from longshore_cli.text import counted

__all__ = ["clean"]


@define
class _Done:
    """What has gone, or would go."""

    runs: list[str] = field(factory=list)
    workdirs: list[str] = field(factory=list)
    cache: Cleaned = field(factory=Cleaned)
    environments: list[Installed] = field(factory=list)
    bytes: int = 0


def clean(
    folder: Path | None,
    *,
    cache: bool,
    workdirs: bool,
    runs: bool,
    environments: bool,
    older_than: timedelta,
    dry_run: bool,
    invocation: Invocation,
) -> None:
    """Remove what is asked for, and tell what has gone.

    Raises:
        OSError: when something cannot be removed.
    """
    project = find_project(folder)
    done = _Done()
    unclosed = project.unclosed()
    if unclosed and not dry_run:
        from longshore_cli.tidying import tidy_up

        tidy_up(project, unclosed)
    before = datetime.now(UTC) - older_than
    for reader in list(_ended(project, before)):
        if runs:
            _remove_run(reader, done, dry_run=dry_run)
        elif workdirs:
            _remove_workdirs(reader, done, dry_run=dry_run)
    if cache:
        # After the runs, since what they needed is needed no more.
        index = Cache(project.store)
        try:
            done.cache = index.clean(older_than=older_than, dry_run=dry_run)
        finally:
            index.close()
        done.bytes += done.cache.bytes
    if environments:
        done.environments = remove_unused(older_than, dry_run=dry_run)
        done.bytes += sum(each.bytes for each in done.environments)
    _tell(done, invocation, dry_run=dry_run)


def _ended(project: Project, before: datetime) -> Iterator[RunReader]:
    """Give the runs that ended before a moment and are not to be continued. Those that have left something on hosts are
    not among them, since only their records know it.
    """
    unclosed = set(project.unclosed())
    for name in project.run_ids():
        if name in unclosed:
            continue
        reader = RunReader(project.run_folder(name))
        try:
            info = reader.info()
        except LongshoreError as error:
            warn(f"run {name} is left alone: {error}")
            continue
        if info.ended is not None and info.ended <= before and not info.resumable:
            yield reader


def _remove_run(reader: RunReader, done: _Done, *, dry_run: bool) -> None:
    size = _size(reader.folder)
    if not dry_run:
        try:
            lock = acquire(reader.folder)
        except RunLocked:
            return  # somebody has just taken it up
        with lock:
            remove_tree(str(reader.folder))
    done.runs.append(reader.folder.name)
    done.bytes += size


def _remove_workdirs(reader: RunReader, done: _Done, *, dry_run: bool) -> None:
    """Remove the workdirs that a run has left, as far as they lie in its own folder."""
    for workdir in {attempt.workdir for attempt in reader.attempts() if attempt.workdir}:
        path = Path(workdir)
        if not path.is_dir() or reader.folder.resolve() not in path.resolve().parents:
            continue
        done.bytes += _size(path)
        done.workdirs.append(workdir)
        if not dry_run:
            remove_tree(workdir)


def _size(folder: Path) -> int:
    """Count the bytes of all files below a folder, without following links."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                total += status.st_size
    return total


def _tell(done: _Done, invocation: Invocation, *, dry_run: bool) -> None:
    if invocation.json:
        document: dict[str, Any] = {
            "dry_run": dry_run,
            "runs": done.runs,
            "workdirs": sorted(done.workdirs),
            "cache": {"tasks": done.cache.tasks, "objects": done.cache.objects, "bytes": done.cache.bytes},
            "environments": [each.key for each in done.environments],
            "bytes": done.bytes,
        }
        answer_json(document)
        return
    parts = [
        counted(len(done.runs), "run") if done.runs else "",
        counted(len(done.workdirs), "workdir") if done.workdirs else "",
        f"the cached outputs of {counted(done.cache.tasks, 'task')}" if done.cache.objects else "",
        counted(len(done.environments), "environment") if done.environments else "",
    ]
    things = ", ".join(filter(None, parts))
    verb = "would remove" if dry_run else "removed"
    answer(f"{verb} {things}: {format_size(done.bytes)}" if things else f"{verb} nothing")
    if invocation.verbosity > 0:
        for name in (*done.runs, *sorted(done.workdirs), *(each.key for each in done.environments)):
            answer(f"  {name}")
