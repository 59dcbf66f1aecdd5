"""The packed form in which objects travel between stores, the same in both directions.

A stream has lines and bodies. A line is a JSON object and says what body follows, if any; `longshore.remote.exchange`
has the list. The body of an object is a row of pieces that together have the size that was announced. Each piece begins
with nine bytes, a letter and a length (big-endian):

``d``
    so many bytes of content follow.
``h``
    so many zero bytes are meant, and none follow: a hole in a sparse file.
``x``
    the sender cannot go on; as many bytes of UTF-8 as the length says follow, and tell why. The object is void.

Whoever receives digests what he gets, and keeps it under the digest only if that is right. What was broken off lies in
``<store>/tmp/<sha256>.part`` and can be continued there.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import struct

from longshore.remote.store import StagingProblem, object_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Union

    Bytes = Union[bytes, memoryview]

__all__ = ["Broken", "Damaged", "Part", "Reader", "Writer", "part_size", "receive_body", "send_body"]

_HEAD = struct.Struct(">cQ")
_CHUNK_BYTES = 1 << 18
_MOST_LINE = 64 << 20
_SPARSE_BYTES = 1 << 20
"""Smaller files are sent whole: to look for holes would cost more."""
_RESUMED_BYTES = 1 << 20
"""What is shorter is sent anew from its beginning."""
_OBJECT_MODE = 0o444
_ZEROS = bytes(_CHUNK_BYTES)


class Broken(Exception):
    """The stream ended in the middle of something, or makes no sense."""


class Damaged(Exception):
    """What was sent is not what its digest says."""


class Writer:
    """Puts small things together before they are sent."""

    def __init__(self, send: Callable[[Bytes], None]) -> None:
        self._send = send
        self._waiting: list[bytes] = []
        self._size = 0

    def line(self, message: dict[str, Any]) -> None:
        """Write a line."""
        self.write(json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n")

    def write(self, content: bytes) -> None:
        """Write something small."""
        self._waiting.append(content)
        self._size += len(content)
        if self._size >= _CHUNK_BYTES:
            self.flush()

    def pass_on(self, content: memoryview) -> None:
        """Send something large without copying it; it may be changed afterwards."""
        self.flush()
        self._send(content)

    def flush(self) -> None:
        """Send all that was written."""
        if self._waiting:
            content = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            self._send(content)


class Reader:
    """Cuts what arrives into lines and bodies."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._rest = b""
        self._at = 0
        """How much of the rest was read: to cut it off each time would copy it each time."""

    def line(self) -> dict[str, Any] | None:
        """Read a line; None at the end of the stream.

        Raises:
            Broken: when the stream ends within it, or it is no JSON object.
        """
        pieces = []
        size = 0
        while True:
            content = self._take(_MOST_LINE) or self._receive(_CHUNK_BYTES)
            end = content.find(b"\n") + 1
            if end:
                self._rest, self._at = content, end
                pieces.append(content[:end])
                break
            pieces.append(content)
            size += len(content)
            if not content and not size:
                return None
            if not content or size > _MOST_LINE:
                raise Broken("the stream ends within a line")
        try:
            message = json.loads(b"".join(pieces))
        except ValueError as error:
            raise Broken("a line is no message: %s" % error) from error
        if type(message) is not dict:
            raise Broken("a line is no JSON object")
        return message

    def exactly(self, size: int) -> bytes:
        """Read so many bytes, which are few.

        Raises:
            Broken: when the stream ends before.
        """
        if len(self._rest) - self._at >= size:
            return self._take(size)
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[bytes]:
        """Read so many bytes, in pieces as they come; the errors are those of `exactly`."""
        while size:
            content = self._take(size)
            if not content:
                # Small things come many at once; what is large need not wait until a whole chunk is there.
                self._rest, self._at = self._receive(_CHUNK_BYTES), 0
                content = self._take(size)
            if not content:
                raise Broken("the stream ends within an object")
            size -= len(content)
            yield content

    def _take(self, most: int) -> bytes:
        """Give what is there, but no more than that."""
        start, self._at = self._at, min(self._at + most, len(self._rest))
        return self._rest[start : self._at]


def send_body(writer: Writer, handle: int, size: int, offset: int) -> str:
    """Send an open file from an offset on, holes as holes.

    Returns:
        The digest of the whole file as it was read.

    Raises:
        OSError: when it cannot be read before anything was sent.
    """
    digest = hashlib.sha256()
    if size <= _CHUNK_BYTES and not offset:
        content = _read_small(handle, size)
        digest.update(content)
        if not size:
            return digest.hexdigest()
        if len(content) == size:
            writer.write(_HEAD.pack(b"d", size) + content)
        else:
            _void(writer, "it has become shorter")
        return digest.hexdigest()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    done = 0
    for end, hole in _extents(handle, size):
        while done < end:
            count = min(end - done, _CHUNK_BYTES)
            if done < offset:
                count = min(count, offset - done)
            if hole:
                digest.update(_ZEROS[:count])
            else:
                got = os.preadv(handle, [buffer[:count]], done)
                if not got:
                    _void(writer, "it has become shorter")
                    return digest.hexdigest()
                count = got
                digest.update(buffer[:count])
            if done >= offset:
                writer.write(_HEAD.pack(b"h" if hole else b"d", count))
                if not hole:
                    writer.pass_on(buffer[:count])
            done += count
    return digest.hexdigest()


def _read_small(handle: int, size: int) -> bytes:
    content = os.pread(handle, size, 0)
    while 0 < len(content) < size:
        more = os.pread(handle, size - len(content), len(content))
        if not more:
            break
        content += more
    return content


def _void(writer: Writer, reason: str) -> None:
    text = reason.encode("utf-8", "replace")
    writer.write(_HEAD.pack(b"x", len(text)) + text)


def _extents(handle: int, size: int) -> Iterator[tuple[int, bool]]:
    """Give the parts of a file in their order: where each ends, and whether it is a hole."""
    sparse = size >= _SPARSE_BYTES and os.fstat(handle).st_blocks * 512 < size and hasattr(os, "SEEK_DATA")
    place = 0
    while sparse and place < size:
        try:
            data = min(os.lseek(handle, place, os.SEEK_DATA), size)
        except OSError as error:
            if error.errno != errno.ENXIO:
                break  # a file system that knows of no holes
            data = size
        if data > place:
            yield data, True
        place = data
        if place < size:
            place = min(os.lseek(handle, data, os.SEEK_HOLE), size)
            yield place, False
    if place < size:
        yield size, False


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
    """An object on its way into a store. It becomes an object by `finish`, or stays for another try."""

    def __init__(self, store: str, sha256: str, size: int, offset: int) -> None:
        """Open it.

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
            content = os.read(handle, min(offset, _CHUNK_BYTES))
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
            count = min(size, len(_ZEROS))
            self._digest.update(_ZEROS[:count])
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
        os.fchmod(self._handle, _OBJECT_MODE)
        _place(self._path, self._store, self._sha256)
        self.leave()

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
    if size <= _CHUNK_BYTES and not offset:
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
        _place(temporary, store, sha256)
    except BaseException:
        os.unlink(temporary)
        raise


def _filled(kind: bytes, length: int, pieces: Iterator[bytes]) -> Iterable[bytes]:
    return pieces if kind == b"d" else (bytes(length),)


def _place(path: str, store: str, sha256: str) -> None:
    target = object_path(store, sha256)
    try:
        os.rename(path, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(path, target)


def _check_digest(sha256: str) -> None:
    if not (len(sha256) == 64 and sha256.isalnum()):
        raise Damaged("%r is no digest" % sha256)


def bodies(reader: Reader, size: int) -> Iterator[tuple[bytes, int, Iterator[bytes]]]:
    """Read the pieces of a body: kind, length, and the bytes that follow, which must be read."""
    while size:
        kind, length = _HEAD.unpack(reader.exactly(_HEAD.size))
        if kind == b"x":
            raise StagingProblem(reader.exactly(min(length, 4096)).decode("utf-8", "replace"))
        if kind not in (b"d", b"h") or not 0 < length <= size:
            raise Broken("a piece makes no sense")
        size -= length
        yield kind, length, reader.pieces(length) if kind == b"d" else iter(())
