"""Copies of files that cost nothing where the file system can share blocks. What differs between systems is in here.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys

__all__ = ["copy_file"]

_FICLONE = 0x40049409  # linux/fs.h: _IOW(0x94, 9, int)
_CHUNK_BYTES = 1 << 20
_RANGE_BYTES = 1 << 30
# What kernels and file systems say when they cannot copy inside the kernel; anything else is a real failure.
_CANNOT = (
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EPERM,
    errno.EBADF,
    errno.ETXTBSY,
)


def copy_file(source: str, target: str, mode: int) -> os.stat_result:
    """Copy a file to where there is none, sharing its blocks where that is possible; never a hard link.

    A change to one of the two is never seen in the other. After a failure there is no target.

    Returns:
        What the copy looks like.

    Raises:
        OSError: when it cannot be read or written, or the target exists.
    """
    if sys.platform == "darwin" and _clone_darwin(source, target):
        os.chmod(target, mode)
        return os.stat(target)
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if not _clone(read, write):
                _copy(read, write)
            os.fchmod(write, mode)
            return os.fstat(write)
        except BaseException:
            os.unlink(target)
            raise
        finally:
            os.close(write)
    finally:
        os.close(read)


def _clone(read: int, write: int) -> bool:
    """Let the second file have the first one's blocks; say whether that was possible."""
    try:
        fcntl.ioctl(write, _FICLONE, read)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _clone_darwin(source: str, target: str) -> bool:
    """The same by ``clonefile``, which makes the target itself and works on APFS only."""
    import ctypes  # noqa: PLC0415  not needed elsewhere, and slow to import

    return bool(ctypes.CDLL(None).clonefile(os.fsencode(source), os.fsencode(target), 0) == 0)


def _copy(read: int, write: int) -> None:
    copied = _copy_inside_kernel(read, write)
    if copied:
        return
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    while True:
        count = os.readv(read, [buffer])
        if not count:
            return
        done = 0
        while done < count:
            done += os.write(write, view[done:count])


def _copy_inside_kernel(read: int, write: int) -> bool:
    """Copy without the bytes coming here; False when nothing was copied, because it cannot be done or there is
    nothing.
    """
    if not hasattr(os, "copy_file_range"):
        return False
    started = False
    while True:
        try:
            count = os.copy_file_range(read, write, _RANGE_BYTES)
        except OSError as error:
            if not started and error.errno in _CANNOT:
                return False
            raise
        if not count:
            return started
        started = True
