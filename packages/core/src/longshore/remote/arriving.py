"""Objects that arrive in the packed form, on their way into a store.

Whoever receives digests what he gets, and keeps it under the digest only if that is right. What was broken off lies in
``<store>/tmp/<sha256>.part`` and can be continued there.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os

from longshore.remote.packing import CHUNK_BYTES, ZEROS, bodies
from longshore.remote.store import is_digest, object_path, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from longshore.remote.packing import Reader

__all__ = ["Damaged", "Part", "part_size", "receive_body"]

_RESUMED_BYTES = 1 << 20
"""What is shorter is sent anew from its beginning."""
_OBJECT_MODE = 0o444


class Damaged(Exception):
    """What was sent is not what its digest says."""


def part_size(store: str, sha256: str, size: int) -> int:
    """Say from where an object can be continued that was broken off, when nobody is just writing it; else 0."""
    try:
        handle = os.open(_part_path(store, sha256), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.fstat(handle).st_size
    except OSError:
        return 0
    finally:
        os.close(handle)
    return there if _RESUMED_BYTES <= there <= size else 0


def _part_path(store: str, sha256: str) -> str:
    return os.path.join(store, "tmp", sha256 + ".part")


class Part:
    """An object on its way into a store. It becomes an object by `finish` or `settle`, or stays for another try."""

    def __init__(self, store: str, sha256: str, size: int, offset: int) -> None:
        """Open it. Of what nobody has read, ``sha256`` is any other name of that form, and the size is not looked at.

        Raises:
            OSError: when the store cannot be written.
            Damaged: when it cannot be continued at this offset.
        """
        _check_digest(sha256)
        self._store = store
        self._sha256 = sha256
        self._size = size
        self._digest = hashlib.sha256()
        self._path, self._handle = self._open(offset)
        self.done = offset

    def _open(self, offset: int) -> tuple[str, int]:
        os.makedirs(os.path.join(self._store, "tmp"), mode=0o700, exist_ok=True)
        path = _part_path(self._store, self._sha256)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(path, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(path).st_ino != os.fstat(handle).st_ino:
                raise BlockingIOError
        except OSError:
            # Another run is bringing the same one here.
            os.close(handle)
            if offset:
                raise Damaged("somebody else continues it") from None
            path = os.path.join(self._store, "tmp", os.urandom(12).hex())
            return path, os.open(path, flags | os.O_EXCL, 0o600)
        os.ftruncate(handle, offset)
        self._digest_prefix(handle, offset)
        return path, handle

    def _digest_prefix(self, handle: int, offset: int) -> None:
        while offset:
            content = os.read(handle, min(offset, CHUNK_BYTES))
            if not content:
                raise Damaged("it has become shorter")
            self._digest.update(content)
            offset -= len(content)

    def write(self, content: bytes) -> None:
        """Take content."""
        self._digest.update(content)
        self.done += len(content)
        view = memoryview(content)
        while view:
            view = view[os.write(self._handle, view) :]

    def skip(self, size: int) -> None:
        """Take a hole."""
        os.ftruncate(self._handle, self.done + size)
        os.lseek(self._handle, size, os.SEEK_CUR)
        self.done += size
        while size:
            count = min(size, len(ZEROS))
            self._digest.update(ZEROS[:count])
            size -= count

    def finish(self) -> None:
        """Make it an object.

        Raises:
            Damaged: when it is not what its digest says; nothing of it is kept then.
            OSError: when the store cannot be written.
        """
        if self._digest.hexdigest() != self._sha256 or self.done != self._size:
            self.drop()
            raise Damaged("what arrived has the digest %s" % self._digest.hexdigest())
        self.settle()

    def settle(self) -> str:
        """Make it an object by whatever digest it has, and give that.

        Raises:
            OSError: when the store cannot be written.
        """
        sha256 = self._digest.hexdigest()
        os.fchmod(self._handle, _OBJECT_MODE)
        place(self._path, object_path(self._store, sha256))
        self.leave()
        return sha256

    def leave(self) -> None:
        """Let it lie, to be continued."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def drop(self) -> None:
        """Remove it."""
        os.unlink(self._path)
        self.leave()


def receive_body(reader: Reader, store: str, sha256: str, size: int, offset: int) -> None:
    """Take the body of an object into a store.

    Raises:
        Broken: when the stream ends; what came is kept, to be continued.
        Damaged: when it is not what its digest says; the stream can be read on only if it was read whole.
        StagingProblem: when the sender had to give up.
        OSError: when the store cannot be written; a full disk keeps nothing of it.
    """
    if size <= CHUNK_BYTES and not offset:
        _receive_small(reader, store, sha256, size)
        return
    part = Part(store, sha256, size, offset)
    try:
        for kind, length, pieces in bodies(reader, size - offset):
            if kind == b"h":
                part.skip(length)
            else:
                for piece in pieces:
                    part.write(piece)
        part.finish()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            part.drop()
        raise
    finally:
        part.leave()


def _receive_small(reader: Reader, store: str, sha256: str, size: int) -> None:
    """Take an object that fits into memory: there are thousands of these, and each system call counts."""
    _check_digest(sha256)
    content = b"".join(
        [each for kind, length, pieces in bodies(reader, size) for each in _filled(kind, length, pieces)]
    )
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise Damaged("what arrived has the digest %s" % found)
    temporary = os.path.join(store, "tmp", os.urandom(12).hex())
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(temporary, flags, _OBJECT_MODE)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(temporary), mode=0o700, exist_ok=True)
        handle = os.open(temporary, flags, _OBJECT_MODE)
    try:
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(handle, view) :]
        finally:
            os.close(handle)
        place(temporary, object_path(store, sha256))
    except BaseException:
        os.unlink(temporary)
        raise


def _filled(kind: bytes, length: int, pieces: Iterator[bytes]) -> Iterable[bytes]:
    return pieces if kind == b"d" else (bytes(length),)


def _check_digest(sha256: str) -> None:
    if not is_digest(sha256):
        raise Damaged("%r is no digest" % sha256)
