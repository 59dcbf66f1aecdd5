"""A run that is over, left in a bucket whole: so its computer can end before anybody has fetched what there is.

It is the run's record, and what its tasks have written, by digest. What says that all of it is there comes last, and
counts only as long as no newer controller has had the run.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

from attrs import frozen

from longshore.errors import JournalError, LongshoreError, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.plugin.areas import Empties
from longshore.remote.bringing import local_problem
from longshore.remote.digest import digest_folder
from longshore.remote.laying import Piece, lay_items
from longshore.remote.store import StagingProblem, has_object, is_digest, put_folder
from longshore.runtime.areas import BucketArea
from longshore.runtime.copies import newest_copy
from longshore.runtime.history import RunReader
from longshore.runtime.pools import buckets_of
from longshore.runtime.project import Project
from longshore.runtime.records import copy_record
from longshore.runtime.stores import Stores
from longshore.scheduler.state import DONE, RunState

__all__ = ["Left", "bring_outputs", "bring_record", "find_left", "leave_run", "remove_kept"]

_MARK = "left.json"
_AT_ONCE = 8


@frozen(kw_only=True)
class Left:
    """A run that was left in a bucket."""

    run: str
    url: str
    """That of a pool; the run has a folder of its own below it."""
    fence: int
    """Of the controller that has brought it to its end."""
    record: Artifact


def leave_run(project: Project, run: str, stores: Stores) -> Left | None:
    """Leave a run that is over in the first bucket that its pools have; None when they have none.

    What it has written and cannot be had any more is passed over, as `longshore fetch` would do.

    Raises:
        JournalError: when its record cannot be read.
        StagingError: when the bucket does not take something.
    """
    reader = RunReader(project.run_folder(run))
    state = reader.replay()
    url = next(iter(buckets_of(state.workflow.pools)), "")
    if not url:
        return None
    with closing(BucketArea(url, run, project.store, stores)) as area:
        left = Left(run=run, url=url, fence=reader.fence(), record=_record_of(project, run))
        there = [each for each in _outputs(state) if has_object(str(project.store), each.sha256)]
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            list(crew.map(area.take, [_item(each) for each in [left.record, *there]]))
    mark = {"fence": left.fence, "sha256": left.record.sha256, "size": left.record.size}
    with tempfile.TemporaryDirectory(prefix=".left.", dir=project.home) as aside:
        place = Path(aside) / _MARK
        place.write_text(json.dumps(mark), encoding="utf-8")
        stores.put(place, f"{url}/{run}/{_MARK}")
    return left


def _record_of(project: Project, run: str) -> Artifact:
    """Put a copy of a run's record into the project's store."""
    try:
        with tempfile.TemporaryDirectory(prefix=".left.", dir=project.home) as aside:
            place = Path(aside) / "record"
            copy_record(project.run_folder(run), place)
            folder = digest_folder(str(place))
            put_folder(str(project.store), str(place), folder, move=True)
    except StagingProblem as error:
        raise StagingError(str(error)) from error
    except OSError as error:
        raise local_problem(error, str(project.home)) from error
    return Artifact(path="record", sha256=folder.sha256, size=folder.size, mode=0o755, kind="folder")


def _item(artifact: Artifact) -> Item:
    return Item(path=artifact.path, sha256=artifact.sha256, size=artifact.size, kind=artifact.kind)


def _outputs(state: RunState) -> list[Artifact]:
    """List what the tasks that have succeeded have written, and the tables that were made of it."""
    outputs = [each for task in state.tasks.values() if task.phase in DONE for each in task.outputs]
    return [*outputs, *(each for group in state.groups.values() for each in group.table)]


def find_left(urls: Iterable[str], run: str, stores: Stores) -> Left | None:
    """Find a run in one of these buckets; None when none has it whole, or a newer controller has gone on with it.

    Raises:
        PluginError: when there is no store for a URL.
        StagingError: when a bucket does not say, or has what makes no sense.
    """
    for url in urls:
        if stores.list(f"{url}/{run}/{_MARK}"):
            left = _read_mark(url, run, stores)
            if (newest_copy(f"{url}/{run}", stores) or 0) <= left.fence:
                return left
    return None


def _read_mark(url: str, run: str, stores: Stores) -> Left:
    with tempfile.TemporaryDirectory(prefix="longshore-left-") as aside:
        place = Path(aside) / _MARK
        stores.fetch(f"{url}/{run}/{_MARK}", place)
        try:
            mark = json.loads(place.read_text(encoding="utf-8"))
            sha256, size, fence = mark["sha256"], int(mark["size"]), int(mark["fence"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StagingError(f"{url}/{run}/{_MARK} does not say what was left there") from error
    if not is_digest(sha256):
        raise StagingError(f"{url}/{run}/{_MARK} names no digest")
    record = Artifact(path="record", sha256=sha256, size=size, mode=0o755, kind="folder")
    return Left(run=run, url=url, fence=fence, record=record)


def bring_record(left: Left, project: Project, stores: Stores, runs: Path) -> None:
    """Bring the record of a run here, as one of the folder ``runs``; silent when that has one of this run.

    Raises:
        StagingError: when the bucket does not have it (any more), or it is not what its digest says.
        JournalError: when it cannot be written here.
    """
    if (runs / left.run / "run.db").exists():
        return
    with closing(BucketArea(left.url, left.run, project.store, stores)) as area:
        area.fetch(left.record)
    try:
        runs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".left.", dir=runs) as aside:
            piece = Piece("record", left.record.sha256, left.record.size, 0o755, "folder")
            lay_items([piece], str(project.store), aside, {})
            (Path(aside) / "record").rename(runs / left.run)
    except (OSError, StagingProblem) as error:
        raise JournalError(f"the record of run {left.run} cannot be laid into {runs}: {error}") from error


def bring_outputs(left: Left, project: Project, stores: Stores) -> None:
    """Bring what a run's tasks have written into the project's store; its record is here.

    Raises:
        StagingError: when the bucket does not give something that it has, or there is no room here.
    """
    outputs = _outputs(RunReader(project.run_folder(left.run)).replay())
    with (
        closing(BucketArea(left.url, left.run, project.store, stores)) as area,
        ThreadPoolExecutor(_AT_ONCE) as crew,
    ):
        there = area.contents()
        list(crew.map(area.fetch, [each for each in outputs if each.sha256 in there]))


def remove_kept(urls: Iterable[str], run: str, stores: Stores) -> None:
    """Remove all that a run has in these buckets, copies of its journal too: nobody needs it when all was fetched.

    Silent when that cannot be.
    """
    for url in urls:
        with suppress(LongshoreError):
            store = stores.of(url)
            if isinstance(store, Empties):
                store.empty(f"{url}/{run}")
