"""Objects that need not travel, since both stores are on one file system: they get another name, or are copied there.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import os

from longshore.remote.arriving import Damaged
from longshore.remote.store import StagingProblem, object_path, put_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["answer_mark", "hand_over", "link", "take_over"]

# What file systems say that cannot give a file this other name; a copy may do.
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.EOPNOTSUPP)


def answer_mark(path: str, answer: str) -> bool:
    """Show that a file of the other computer is seen here, and what is written here is seen there."""
    try:
        with open(path, "rb") as file:
            content = file.read(64)
        handle = os.open(answer, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(handle, "wb") as file:
            file.write(content)
    except OSError:
        return False
    return True


def link(source: str, target: str) -> None:
    """Give an object another name. Silent when it has it.

    Raises:
        OSError: when that cannot be.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError:
            return


def take_over(store: str, rows: Iterable[tuple[str, int, str, bool]]) -> None:
    """Have files in a store: sha256, size, path, and whether that is an object of another store of ours.

    Only those get another name. A user's file is copied, since he may change it, and digested.

    Raises:
        Damaged: when a file is not what its digest says.
        OSError: when one cannot be read, or the store not be written.
    """
    for sha256, size, path, ours in rows:
        if not (ours and _linked(path, object_path(store, sha256))):
            _copy(store, path, sha256, size)


def hand_over(store: str, target: str, digests: Iterable[str]) -> str:
    """Have objects of a store in another one, too; give the digest of one that is missing, or nothing.

    Raises:
        Damaged, OSError: as `take_over`.
    """
    for sha256 in digests:
        path = object_path(store, sha256)
        try:
            size = os.stat(path).st_size
        except FileNotFoundError:
            return sha256
        if not _linked(path, object_path(target, sha256)):
            _copy(target, path, sha256, size)
    return ""


def _linked(path: str, target: str) -> bool:
    try:
        link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def _copy(store: str, path: str, sha256: str, size: int) -> None:
    try:
        put_file(store, path, sha256, size)
    except StagingProblem as error:
        raise Damaged(str(error)) from None
