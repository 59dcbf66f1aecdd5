"""Bringing outputs home: copies in the results folder, each whole or not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from longshore.errors import DiskFull, StagingError
from longshore.model.artifact import Artifact
from longshore.remote.copying import copy_file
from longshore.remote.laying import Piece, lay_items
from longshore.remote.store import StagingProblem, inside, object_path, remove_tree, translate
from longshore.runtime.processes import start_of

__all__ = ["deliver", "mark_latest"]

_PREFIX = ".longshore-"


def deliver(store: Path, outputs: Sequence[Artifact], to: Path) -> list[Path]:
    """Copy artifacts from the store into a folder, below their own paths; answer where they are.

    They are copies (blocks are shared where the file system can), so nobody's change there harms the store. Files
    appear by rename; what is in the folder already is replaced by files of the same names, and the rest of it stays.
    Nothing is written through a symbolic link.

    Raises:
        DiskFull: when there is no room.
        StagingError: when something is no longer in the store, or the folder cannot be written.
    """
    try:
        try:
            to.mkdir()
        except FileNotFoundError:
            to.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            _remove_leftovers(to)
        beside = to / f"{_PREFIX}{os.getpid()}-{os.urandom(4).hex()}"
        if len(outputs) == 1 and outputs[0].kind == "file" and "/" not in outputs[0].path and inside(outputs[0].path):
            _deliver_file(store, outputs[0], to, beside)
        else:
            _deliver_all(store, outputs, to, beside)
    except StagingProblem as problem:
        raise _told(problem) from problem
    except OSError as error:
        raise _told(translate(error, f"bringing outputs to {to}")) from error
    return [to / each.path for each in outputs]


def _deliver_file(store: Path, output: Artifact, to: Path, beside: Path) -> None:
    """Bring one file home, which is all that most tasks have: it needs no folder to be laid in first."""
    try:
        copied = copy_file(object_path(str(store), output.sha256), str(beside), output.mode).st_size
    except FileNotFoundError:
        raise StagingProblem(f"{output.path}: the store does not have {output.sha256} any more") from None
    try:
        if copied != output.size:
            raise StagingProblem(f"{output.path}: the store's copy has {copied} bytes instead of {output.size}")
        beside.replace(to / output.path)
    except BaseException:
        beside.unlink()
        raise


def _deliver_all(store: Path, outputs: Sequence[Artifact], to: Path, workshop: Path) -> None:
    workshop.mkdir()
    try:
        pieces = [Piece(each.path, each.sha256, each.size, each.mode, each.kind) for each in _outermost(outputs)]
        lay_items(pieces, str(store), str(workshop), {})
        for piece in pieces:
            _refuse_links(to, piece.path)
            (to / piece.path).parent.mkdir(parents=True, exist_ok=True)
            _move(workshop / piece.path, to / piece.path)
    finally:
        remove_tree(str(workshop))


def mark_latest(results: Path, run: str) -> None:
    """Let ``results/latest`` point at a run's results, if it has any; something else of that name stays as it is."""
    link = results / "latest"
    if not (results / run).is_dir() or (link.exists() and not link.is_symlink()):
        return
    new = results / f"{_PREFIX}{os.urandom(4).hex()}"
    with suppress(OSError):
        new.symlink_to(run)
        new.replace(link)


def _outermost(outputs: Sequence[Artifact]) -> list[Artifact]:
    """Leave out what a folder among them has already."""
    folders = {each.path for each in outputs if each.kind == "folder"}
    return [each for each in outputs if not any(str(above) in folders for above in Path(each.path).parents)]


def _remove_leftovers(folder: Path) -> None:
    """Remove what a process that is gone has left half done."""
    for entry in list(os.scandir(folder)):
        pid = entry.name.removeprefix(_PREFIX).partition("-")[0]
        if entry.name.startswith(_PREFIX) and pid.isdigit() and start_of(int(pid)) is None:
            if entry.is_dir(follow_symlinks=False):
                remove_tree(entry.path)
            else:
                os.unlink(entry.path)


def _refuse_links(to: Path, path: str) -> None:
    for above in Path(path).parents:
        if (to / above).is_symlink() and to / above != to:
            raise StagingError(f"{to / above} is a symbolic link; what is brought home must not be written through it")


def _move(source: Path, target: Path) -> None:
    """Put a file or folder in its place; a folder that is there already takes in what is new."""
    if source.is_symlink() or not source.is_dir():
        source.replace(target)
        return
    mode = source.stat().st_mode
    source.chmod(mode | 0o700)  # a folder that must not be written cannot be moved
    if target.is_symlink() or not target.is_dir():
        source.rename(target)
    else:
        for entry in list(os.scandir(source)):
            _move(Path(entry.path), target / entry.name)
    target.chmod(mode)


def _told(problem: StagingProblem) -> StagingError:
    return (DiskFull if problem.full else StagingError)(str(problem))
