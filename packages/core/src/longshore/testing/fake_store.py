"""Objects on their way between two stores that are folders: what a fake machine's link does in place of a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from longshore.errors import DigestMismatch, DiskFull, InputMissing, StagingError
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.remote.digest import FolderDigest, NotStorable, digest_bytes, digest_folder, parse_listing
from longshore.remote.store import StagingProblem, has_object, object_path, put_bytes, put_file, translate

__all__ = ["bring", "send"]

Pass = Callable[[str], None]
"""Lets one object through, by its digest, or raises."""


def send(item: Item, here: str, there: str, through: Pass) -> None:
    """Bring what a store lacks of an input there.

    Raises:
        InputMissing: when something is in neither store, nor where the item says.
        DigestMismatch: when it is not what its digest says.
        DiskFull: when there is no room.
    """
    with _told(f"input {item.path}"):
        if item.kind == "file":
            _move(item.source or object_path(here, item.sha256), item.sha256, there, through)
            return
        if item.source:
            folder = digest_folder(item.source)
            if folder.sha256 != item.sha256:
                raise DigestMismatch(f"input {item.path}: {item.source} is not what its digest says")
        else:
            folder = _listed(item.sha256, here, there)
        for entry in folder.entries:
            if entry.kind == "f":
                source = os.path.join(item.source, entry.path) if item.source else object_path(here, entry.sha256)
                _move(source, entry.sha256, there, through)
        _list(folder, there, through)


def bring(artifact: Artifact, here: str, there: str, through: Pass) -> None:
    """Bring what the store here lacks of an artifact.

    Raises:
        InputMissing, DigestMismatch, DiskFull: as in `send`.
    """
    with _told(artifact.path):
        if artifact.kind == "file":
            _move(object_path(there, artifact.sha256), artifact.sha256, here, through)
            return
        folder = _listed(artifact.sha256, here, there)
        for entry in folder.entries:
            if entry.kind == "f":
                _move(object_path(there, entry.sha256), entry.sha256, here, through)
        _list(folder, here, through)


def _move(source: str, sha256: str, store: str, through: Pass) -> None:
    if has_object(store, sha256):
        return
    if not os.path.isfile(source):
        raise InputMissing(f"{source} is not there, or is no file")
    through(sha256)
    put_file(store, source, sha256, os.stat(source).st_size)


def _list(folder: FolderDigest, store: str, through: Pass) -> None:
    """Send a listing, after all that it lists: what has the listing has the folder."""
    if not has_object(store, folder.sha256):
        through(folder.sha256)
        put_bytes(store, folder.listing, folder.sha256)


def _listed(sha256: str, *stores: str) -> FolderDigest:
    for store in stores:
        if has_object(store, sha256):
            listing = Path(object_path(store, sha256)).read_bytes()
            if digest_bytes(listing) != sha256:
                raise DigestMismatch(f"the listing {sha256} is not what its digest says")
            return FolderDigest(parse_listing(listing))
    raise InputMissing(f"no store has the listing {sha256}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say by the error tree what goes wrong, and with what."""
    try:
        yield
    except InputMissing as error:
        raise InputMissing(f"{what}: {error}") from error
    except StagingProblem as problem:
        raise (DiskFull if problem.full else DigestMismatch)(f"{what}: {problem}") from problem
    except NotStorable as error:
        raise StagingError(f"{what}: {error}") from error
    except OSError as error:
        told = translate(error, what)
        raise (DiskFull if told.full else StagingError)(str(told)) from error
