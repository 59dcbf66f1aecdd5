"""The store: a folder that keeps files and folders by their digests.

What has the digest ``abcd...`` lies in ``<store>/objects/ab/abcd...``, read-only. A folder is stored as its listing
(see `longshore.remote.digest`) and, each by its own digest, the files that the listing names. Objects appear by rename,
so whatever is there is whole; what a crash left half done lies in ``<store>/tmp`` and can be removed when nobody is
writing.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import os
import stat

from longshore.remote.copying import copy_file
from longshore.remote.digest import FolderDigest, digest_file

__all__ = [
    "StagingProblem",
    "has_object",
    "inside",
    "is_digest",
    "object_path",
    "place",
    "put_bytes",
    "put_file",
    "put_folder",
    "remove_tree",
]

_OBJECT_MODE = 0o444
_NOT_MOVABLE = (errno.EXDEV, errno.EACCES, errno.EPERM)


class StagingProblem(Exception):
    """Data cannot be where it must be; ``full`` when that is for want of room."""

    def __init__(self, text: str, full: bool = False) -> None:
        super().__init__(text)
        self.full = full


def inside(path: str) -> bool:
    """Say whether a relative path stays inside by its words: not absolute, no ``..``, not empty."""
    return bool(path) and not path.startswith("/") and "\0" not in path and ".." not in path.split("/")


def translate(error: OSError, doing: str) -> StagingProblem:
    """Say in one line what went wrong with a file, and whether the disk is full."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    name = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    text = "%s: %s%s" % (doing, error.strerror or error, ": " + name if name else "")
    return StagingProblem(text, full=full)


def is_digest(text: object) -> bool:
    """Say whether something that others have sent may be a SHA-256; what is none must not name a file."""
    return type(text) is str and len(text) == 64 and text.isalnum() and text.isascii()


def object_path(store: str, sha256: str) -> str:
    """Give the place of an object in a store, whether it is there or not."""
    return "%s/objects/%s/%s" % (store, sha256[:2], sha256)


def has_object(store: str, sha256: str) -> bool:
    """Say whether a store has this file or this folder's listing."""
    return os.path.exists(object_path(store, sha256))


def put_file(store: str, path: str, sha256: str, size: int, *, move: bool = False) -> None:
    """Keep a file under a digest that was computed just now. When the store has it, it is as fresh as a new one from
    then on: whoever makes room there leaves it alone until somebody has noted that it is needed.

    Args:
        store: the store.
        path: the file; with ``move`` it may be gone afterwards. One with other names (hard links) is always copied.
        sha256: its digest.
        size: its size in bytes.
        move: whether the file itself may become the object.

    Raises:
        StagingProblem: when it changed meanwhile.
        OSError: when it cannot be read, or the store cannot be written.
    """
    target = object_path(store, sha256)
    if _freshen(target, size):
        return
    if not (move and _move(path, target)):
        _copy(store, path, sha256, target)


def _freshen(target: str, size: int) -> bool:
    """Touch an object, if it is there."""
    try:
        if os.stat(target).st_size != size:
            return False
        os.utime(target)
    except FileNotFoundError:
        return False
    except PermissionError:
        pass  # it is somebody else's, and so is the making of room
    return True


def _move(path: str, target: str) -> bool:
    status = os.lstat(path)
    if status.st_nlink != 1 or not stat.S_ISREG(status.st_mode):
        return False
    try:
        os.chmod(path, _OBJECT_MODE)
        place(path, target)
    except OSError as error:
        if error.errno not in _NOT_MOVABLE:
            raise
        os.chmod(path, stat.S_IMODE(status.st_mode))
        return False
    return True


def _copy(store: str, path: str, sha256: str, target: str) -> None:
    temporary = _temporary(store)
    copy_file(os.path.realpath(path), temporary, _OBJECT_MODE)
    try:
        if digest_file(temporary)[0] != sha256:
            raise StagingProblem("%s changed while it was being stored" % path)
        place(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def put_bytes(store: str, content: bytes, sha256: str) -> None:
    """Keep bytes under their digest. When the store has them, they are as fresh as new ones; see `put_file`.

    Raises:
        OSError: when the store cannot be written.
    """
    target = object_path(store, sha256)
    if _freshen(target, len(content)):
        return
    temporary = _temporary(store)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OBJECT_MODE)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        place(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def put_folder(store: str, root: str, folder: FolderDigest, *, move: bool = False) -> None:
    """Keep a folder that was digested just now: its files, then its listing, which makes it whole.

    Raises:
        StagingProblem, OSError: as in `put_file`.
    """
    for entry in folder.entries:
        if entry.kind == "f":
            put_file(store, os.path.join(root, entry.path), entry.sha256, entry.size, move=move)
    put_bytes(store, folder.listing, folder.sha256)


def _temporary(store: str) -> str:
    folder = os.path.join(store, "tmp")
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, os.urandom(12).hex())


def place(path: str, target: str) -> None:
    """Let a file become what lies at `object_path`, whole at once.

    Raises:
        OSError: when that cannot be.
    """
    try:
        os.rename(path, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)


def remove_tree(root: str) -> None:
    """Remove a folder and all below it, read-only folders too, but nothing that links point to. Silent when it is gone.

    Raises:
        OSError: when something cannot be removed.
    """
    if os.path.islink(root):
        os.unlink(root)
        return
    folders = [root]
    found = []
    while folders:
        folder = folders.pop()
        found.append(folder)
        try:
            folders.extend(_empty(folder))
        except FileNotFoundError:
            if folder == root:
                return
        except PermissionError:
            os.chmod(folder, 0o700)
            folders.extend(_empty(folder))
    for folder in reversed(found):
        os.rmdir(folder)


def _empty(folder: str) -> list[str]:
    """Remove what is no folder; give the folders."""
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(entry.path)
            else:
                os.unlink(entry.path)
    return below
