"""The project's own modules, for Python calls on machines that do not have the project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from longshore.errors import InputMissing
from longshore.model.attempt import Item
from longshore.remote.digest import Entry, FolderDigest
from longshore.remote.store import StagingProblem, put_bytes, put_file

__all__ = ["bundle"]


def bundle(files: Sequence[Item], store: Path) -> Item:
    """Make a folder of some files of the project in the store, each at its place below the project.

    Raises:
        InputMissing: when one cannot be read, or has changed since it was looked at.
    """
    folders = {str(above) for item in files for above in PurePosixPath(item.path).parents} - {"."}
    entries = [Entry("d", path, 0o755) for path in folders]
    entries += [Entry("f", item.path, 0o644, item.size, item.sha256) for item in files]
    entries.sort(key=lambda entry: entry.path.encode("utf-8", "surrogateescape"))
    digest = FolderDigest(entries)
    try:
        for item in files:
            put_file(str(store), item.source, item.sha256, item.size)
        put_bytes(str(store), digest.listing, digest.sha256)
    except (OSError, StagingProblem) as error:
        raise InputMissing(f"the modules of the project cannot be sent: {error}") from error
    return Item(path="(modules)", sha256=digest.sha256, size=digest.size, mode=0o755, kind="folder")
