"""There: taking in a project and its run, and answering for them, as somebody elsewhere asks over a login."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from longshore.errors import LongshoreError, UsageError
from longshore.remote.digest import digest_folder
from longshore.remote.laying import Piece, lay_items
from longshore.remote.store import inside, put_folder
from longshore.runtime.asking import ask
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore.runtime.records import copy_record
from longshore_cli.away.keeping import keep_environment, start_keeper, wait_for_keeper
from longshore_cli.away.lasting import check_that_it_stays, last
from longshore_cli.away.listing import list_runs
from longshore_cli.away.orders import is_kept, is_over, order_of, write_order
from longshore_cli.away.seats import VERSION
from longshore_cli.fetching import fetched
from longshore_cli.scheduling.timers import alone

__all__ = ["begin", "gather", "join", "record", "take_files", "wake"]

_LAID = "seat/files.json"


def check_version(request: Mapping[str, Any]) -> None:
    """Refuse what somebody newer or older asks for.

    Raises:
        UsageError: with what to do.
    """
    if request.get("version") != VERSION:
        raise UsageError(
            f"the computer that asks speaks version {request.get('version')} of what is said between controllers' "
            f"machines and others, and Longshore here speaks {VERSION}; use the same Longshore on both"
        )


def begin(folder: Path, request: Mapping[str, Any]) -> str:
    """Take in a project's files, and begin a run of it; silent when that has been done. Gives the project's folder.

    Raises:
        UsageError: when it was asked for by another version, or this machine is ending itself.
        LongshoreError: when it cannot begin.
    """
    check_version(request)
    run = str(request["run"])
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    project = Project(folder)
    project.make_home()
    if order_of(project, run) is None:
        take_files(project, request)
        with alone():
            check_that_it_stays()
            order = {key: request[key] for key in ("name", "workflow", "options")}
            write_order(project, run, order | {"rented": request.get("rented")})
        keep_environment(project, run, request["environment"])
    if not is_over(project, run):
        last(Path.home())
        start_keeper(project, run)
    return str(folder)


def take_files(project: Project, request: Mapping[str, Any]) -> None:
    """Lay what a project has elsewhere into its folder here; what was laid before and is there no more is removed.

    Raises:
        UsageError: when a path leads out of the folder.
        StagingError: when something cannot be laid.
    """
    pieces = [Piece(*row) for row in request["files"]]
    links = {str(path): str(target) for path, target in request["links"]}
    for path in [*(piece.path for piece in pieces), *links]:
        if not inside(path):
            raise UsageError(f"{path!r} leads out of the project's folder")
    record = project.home / _LAID
    before = _laid(record)
    changed = [piece for piece in pieces if before.get(piece.path) != _mark(piece) or _differs(project, piece)]
    for path in before.keys() - {piece.path for piece in pieces} - links.keys():
        with suppress(OSError):
            (project.folder / path).unlink()
    with tempfile.TemporaryDirectory(prefix=".taken.", dir=project.home) as aside:
        lay_items(changed, str(request["store"]), aside, {})
        for piece in changed:
            target = project.folder / piece.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(f"{aside}/{piece.path}", target)
        for path, to in links.items():
            place = Path(aside) / "link"
            place.symlink_to(to)
            (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(place, project.folder / path)
    record.parent.mkdir(mode=0o700, exist_ok=True)
    record.write_text(json.dumps({piece.path: _mark(piece) for piece in pieces} | dict.fromkeys(links, "link")))


def _mark(piece: Piece) -> str:
    return f"{piece.sha256} {piece.mode:o}"


def _laid(record: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(record.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _differs(project: Project, piece: Piece) -> bool:
    """Say whether somebody has changed a file since it was laid, as far as its size tells."""
    try:
        return (project.folder / piece.path).stat().st_size != piece.size
    except OSError:
        return True


def wake(root: Path) -> list[str]:
    """Start keepers for all runs that go on and have none, as after a reboot; give these runs."""
    woken = []
    for each in list_runs(root):
        if not each["over"] and not each["kept"]:
            with suppress(LongshoreError):  # its log tells
                start_keeper(Project(Path(each["folder"])), each["run"])
                woken.append(str(each["run"]))
    return woken


def gather(project: Project, run: str, tasks: Sequence[str], store: Path, *, now: bool) -> dict[str, Any]:
    """Put what tasks have written into a store, as a folder ``results`` in one folder; give its digest and size, and
    what fetching told.

    Of a run that is over, when all of it is wanted, the record is put beside it, as ``record``, and that is told.
    """
    with tempfile.TemporaryDirectory(prefix=".gathered.", dir=project.home) as aside:
        results = Path(aside) / "results"
        results.mkdir()
        told = fetched(project, RunReader(project.run_folder(run)), tasks, results, now=now)
        told["written"] = [os.path.relpath(path, results) for path in told["written"]]
        told["record"] = not tasks and not told["missing"] and is_over(project, run)
        if told["record"]:
            wait_for_keeper(project, run)  # it ends when the controller has left everything in order
            copy_record(project.run_folder(run), Path(aside) / "record")
        folder = digest_folder(aside)
        put_folder(str(store), aside, folder, move=True)
        return told | {"sha256": folder.sha256, "size": folder.size}


def record(project: Project, run: str, store: Path) -> dict[str, Any]:
    """Put the record of a run, as it stands now, into a store; give its digest and size."""
    with tempfile.TemporaryDirectory(prefix=".record.", dir=project.home) as aside:
        place = Path(aside) / "record"
        copy_record(project.run_folder(run), place)
        folder = digest_folder(str(place))
        put_folder(str(store), str(place), folder, move=True)
        running = RunReader(project.run_folder(run)).info().state == "running"
        return {"sha256": folder.sha256, "size": folder.size, "running": running}


def join(project: Project, request: Mapping[str, Any]) -> None:
    """Let tasks join a run, with their files; one that was interrupted goes on.

    Raises:
        UsageError: when it was asked for by another version, or the run is over.
        LongshoreError: when its controller does not take them.
    """
    check_version(request)
    run = str(request["run"])
    info = RunReader(project.run_folder(run)).info()
    if info.ended is not None and not info.resumable:
        raise UsageError(
            f"run {run} has ended ({info.state}), so no task can join it; `longshore run --on` begins another"
        )
    take_files(project, request)
    if not is_kept(project, run):
        start_keeper(project, run)
    ask(project.run_folder(run), "add", {"document": request["document"]})
