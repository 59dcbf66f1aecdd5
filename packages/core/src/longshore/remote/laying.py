"""Inputs of attempts, laid into a workdir from the store or from where they lie on this computer.

Nothing here ever makes a hard link: a task that writes into what it was given harms nobody else's copy.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import stat
import time

from longshore.remote.copying import copy_file
from longshore.remote.digest import MODE_BITS, NotStorable, digest_bytes, digest_file, digest_folder, parse_listing
from longshore.remote.store import StagingProblem, inside, object_path, translate
from longshore.remote.walking import project_of, walk_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Dict, List, Optional, Protocol, Tuple

    from longshore.remote.laid import Laid, SpareFolders

    StatKey = Tuple[int, int, int, int, int]
    Verified = Dict[StatKey, str]

    class Layable(Protocol):
        """What can be laid into a workdir: a `Piece`, or `longshore.model.attempt.Item`."""

        @property
        def path(self) -> str: ...
        @property
        def sha256(self) -> str: ...
        @property
        def size(self) -> int: ...
        @property
        def mode(self) -> int: ...
        @property
        def kind(self) -> str: ...
        @property
        def source(self) -> str: ...


__all__ = ["Piece", "lay_items", "main", "stat_key", "write_secret"]

# A file that was written so lately could be written again without its times telling (ext4 ticks every 4 ms, FAT every 2
# s).
_SETTLED_NS = 2 * 10**9


class Piece:
    """One artifact to be laid into a workdir; the fields are those of `longshore.model.attempt.Item`."""

    __slots__ = ("kind", "mode", "path", "sha256", "size", "source")

    def __init__(
        self, path: str, sha256: str, size: int, mode: int = 0o644, kind: str = "file", source: str = ""
    ) -> None:
        self.path = path
        self.sha256 = sha256
        self.size = size
        self.mode = mode
        self.kind = kind
        self.source = source


def main(folder: str) -> None:
    """Carry out the order that lies in a folder as ``order.json``: a store, pieces, and a target to lay them into."""
    import json  # noqa: PLC0415  no attempt needs it

    os.chdir(folder)
    with open("order.json", encoding="utf-8") as file:
        order = json.load(file)
    lay_items([Piece(*row) for row in order["pieces"]], order["store"], order["target"], {})


def lay_items(
    items: Iterable[Layable], store: str, workdir: str, verified: Verified, spare: Optional[SpareFolders] = None
) -> List[Laid]:
    """Lay artifacts into a workdir, each with its mode; folders between are made.

    What comes from the store is trusted. What comes from a path of this computer is looked at before and after, and
    digested the first time; ``verified`` remembers what was found good. A folder of the store that is ``spare`` since
    an earlier attempt had it need not be copied.

    Returns:
        The folders from the store that may become spare in their turn.

    Raises:
        StagingProblem: when one cannot be laid; it names the path and says why.
    """
    real = os.path.realpath(workdir)
    parents = {workdir}
    folders = []
    for item in items:
        if not inside(item.path):
            raise StagingProblem("the input path %r leads out of the workdir" % item.path)
        target = os.path.join(workdir, item.path)
        try:
            _make_parent(target, real, parents)
            laid = _lay(item, store, target, verified, spare)
            if laid is not None:
                folders.append(laid)
        except OSError as error:
            raise translate(error, "input %s" % item.path) from error
        except NotStorable as error:
            raise StagingProblem("input %s: %s" % (item.path, error)) from error
    return folders


def _make_parent(target: str, real: str, parents: set[str]) -> None:
    """Make the folder for a target; a link in one laid before must not lead it out of the workdir."""
    parent = os.path.dirname(target)
    if parent in parents:
        return
    os.makedirs(parent, exist_ok=True)
    if not (os.path.realpath(parent) + "/").startswith(real + "/"):
        raise StagingProblem("the input path %s leads out of the workdir through a link" % target)
    parents.add(parent)


def _lay(item: Layable, store: str, target: str, verified: Verified, spare: Optional[SpareFolders]) -> Optional[Laid]:
    if item.kind == "folder" and not item.source:
        laid = spare.give(item.sha256, target) if spare is not None else None
        if laid is not None:
            os.chmod(target, item.mode)
            return laid
        return _lay_stored_folder(item, store, target, spare)
    if item.kind == "folder":
        _lay_project_folder(item, target)
    elif item.source:
        _lay_project_file(item, target, verified)
    else:
        _lay_object(store, item.sha256, item.size, target, item.mode)
    return None


def _lay_object(store: str, sha256: str, size: int, target: str, mode: int) -> os.stat_result:
    try:
        copied = copy_file(object_path(store, sha256), target, mode)
    except FileNotFoundError as error:
        raise StagingProblem("%s: the store does not have %s any more" % (target, sha256)) from error
    if copied.st_size != size:
        os.unlink(target)
        raise StagingProblem(
            "%s: the store's copy of %s has %d bytes instead of %d" % (target, sha256, copied.st_size, size)
        )
    return copied


def stat_key(status: os.stat_result) -> StatKey:
    """Give what changes whenever a file's bytes do."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _lay_project_file(item: Layable, target: str, verified: Verified) -> None:
    try:
        before = os.stat(item.source)
    except FileNotFoundError as error:
        raise StagingProblem(
            "input %s: %s has vanished since the run looked at it" % (item.path, item.source)
        ) from error
    if before.st_size != item.size or not stat.S_ISREG(before.st_mode):
        raise _changed(item)
    copy_file(item.source, target, item.mode)
    key = stat_key(before)
    if stat_key(os.stat(item.source)) != key:
        raise _changed(item)
    if verified.get(key) == item.sha256:
        return
    if digest_file(target)[0] != item.sha256:
        raise _changed(item)
    if max(before.st_mtime_ns, before.st_ctime_ns) + _SETTLED_NS < time.time_ns():
        verified[key] = item.sha256


def _changed(item: Layable) -> StagingProblem:
    return StagingProblem(
        "input %s: %s has changed since the run looked at it; run it again to use the new content"
        % (item.path, item.source)
    )


def _lay_project_folder(item: Layable, target: str) -> None:
    if not os.path.isdir(item.source):
        raise StagingProblem(
            "input %s: the folder %s has vanished since the run looked at it" % (item.path, item.source)
        )
    found, _ = walk_input(item.source, project_of(item.source, item.path))
    _copy_folder(found, target)
    laid = digest_folder(target)
    if laid.sha256 != item.sha256:
        raise _changed(item)
    os.chmod(target, item.mode)


def _copy_folder(found: Iterable[tuple[str, os.DirEntry[str]]], target: str) -> None:
    os.mkdir(target)
    modes = []
    for path, entry in found:
        there = os.path.join(target, path)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), there)
        elif entry.is_dir():
            os.mkdir(there)
            modes.append((there, entry.stat().st_mode & MODE_BITS))
        elif entry.is_file():
            copy_file(entry.path, there, entry.stat().st_mode & MODE_BITS)
        else:
            raise NotStorable("%s is a socket, pipe or device" % entry.path)
    for place, mode in reversed(modes):
        os.chmod(place, mode)


def _lay_stored_folder(item: Layable, store: str, target: str, spare: Optional[SpareFolders]) -> Optional[Laid]:
    try:
        with open(object_path(store, item.sha256), "rb") as file:
            listing = file.read()
    except FileNotFoundError as error:
        raise StagingProblem(
            "input %s: the store does not have folder %s any more" % (item.path, item.sha256)
        ) from error
    if digest_bytes(listing) != item.sha256:
        raise StagingProblem("input %s: the store's listing of folder %s is damaged" % (item.path, item.sha256))
    os.mkdir(target)
    entries = parse_listing(listing)
    files = {}
    for entry in entries:
        place = os.path.join(target, entry.path)
        if entry.kind == "d":
            os.mkdir(place)
        elif entry.kind == "f":
            files[entry.path] = _lay_object(store, entry.sha256, entry.size, place, entry.mode)
    # Links come last, so that nothing above can be laid through one; modes after them, deepest first, as a folder may
    # be read-only.
    for entry in entries:
        if entry.kind == "l":
            os.symlink(entry.target, os.path.join(target, entry.path))
    for entry in reversed(entries):
        if entry.kind == "d":
            os.chmod(os.path.join(target, entry.path), entry.mode)
    os.chmod(target, item.mode)
    return spare.note(target, item.sha256, entries, files) if spare is not None else None


def write_secret(workdir: str, path: str, content: bytes) -> None:
    """Write a file that only its owner can read.

    Raises:
        StagingProblem: when that is impossible; the content is in no message.
    """
    if not inside(path):
        raise StagingProblem("the secret's path %r leads out of the workdir" % path)
    target = os.path.join(workdir, path)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        raise translate(error, "secret %s" % path) from error
