"""What this computer has of the inputs of attempts, to be sent somewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from longshore.errors import DigestMismatch, InputMissing, StagingError
from longshore.model.attempt import Item
from longshore.remote.bringing import entries_of
from longshore.remote.digest import NotStorable, digest_bytes, digest_found
from longshore.remote.store import object_path
from longshore.remote.walking import project_of, walk_input

__all__ = ["Source", "file_of", "files_within", "listing_of", "source_of_listing"]


class Source(NamedTuple):
    """Bytes that can be sent: a file of this computer, or a listing."""

    sha256: str
    size: int
    path: str
    """The file; empty for a listing."""
    content: bytes
    name: str
    """What it is, in messages."""

    def check(self) -> None:
        """See whether it is there.

        Raises:
            InputMissing: when it is not.
        """
        if self.path and not os.path.isfile(self.path):
            raise InputMissing(f"{self.name}: {self.path} is not there, or is no file")


def file_of(item: Item, store: str) -> Source:
    """Give an input that is a file; ``store`` is the project's."""
    path = item.source or object_path(store, item.sha256)
    return Source(item.sha256, item.size, path, b"", f"input {item.path}")


def listing_of(folder: Item, store: str) -> bytes | None:
    """Give the listing of an input that is a folder, from the project's store or from its files; None when nobody here
    has it.

    Raises:
        InputMissing: when its files have gone.
        DigestMismatch: when they have changed.
        StagingError: when they cannot be read.
    """
    try:
        with open(object_path(store, folder.sha256), "rb") as file:
            listing = file.read()
    except OSError:
        listing = b""  # nobody has kept it here
    if digest_bytes(listing) == folder.sha256:
        return listing
    try:
        if folder.source:
            found, _ = walk_input(folder.source, project_of(folder.source, folder.path))
            digested = digest_found(found)
            if digested.sha256 != folder.sha256:
                raise DigestMismatch(f"input {folder.path}: {folder.source} has changed since the run looked at it")
            return digested.listing
    except FileNotFoundError:
        raise InputMissing(f"input {folder.path}: {folder.source} is not there any more") from None
    except (NotStorable, OSError) as error:
        raise StagingError(f"input {folder.path}: {error}") from error
    return None


def source_of_listing(folder: Item, listing: bytes) -> Source:
    """Give the listing itself."""
    return Source(folder.sha256, len(listing), "", listing, f"input {folder.path}")


def files_within(folder: Item, listing: bytes, store: str) -> Iterator[Source]:
    """Give the files that are in an input that is a folder."""
    for entry in entries_of(listing, f"input {folder.path}"):
        if entry.kind == "f":
            path = f"{folder.source}/{entry.path}" if folder.source else object_path(store, entry.sha256)
            yield Source(entry.sha256, entry.size, path, b"", f"input {folder.path}/{entry.path}")
