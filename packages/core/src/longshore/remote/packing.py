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

What becomes of it where it arrives is in `longshore.remote.arriving`.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import struct

from longshore.remote.store import StagingProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Union

    Bytes = Union[bytes, memoryview]

__all__ = ["CHUNK_BYTES", "ZEROS", "Broken", "Reader", "Writer", "bodies", "send_body"]

_HEAD = struct.Struct(">cQ")
CHUNK_BYTES = 1 << 18
_MOST_LINE = 64 << 20
_SPARSE_BYTES = 1 << 20
"""Smaller files are sent whole: to look for holes would cost more."""
ZEROS = bytes(CHUNK_BYTES)


class Broken(Exception):
    """The stream ended in the middle of something, or makes no sense."""


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
        if self._size >= CHUNK_BYTES:
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
            content = self._take(_MOST_LINE) or self._receive(CHUNK_BYTES)
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
                self._rest, self._at = self._receive(CHUNK_BYTES), 0
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
    if size <= CHUNK_BYTES and not offset:
        content = _read_small(handle, size)
        digest.update(content)
        if not size:
            return digest.hexdigest()
        if len(content) == size:
            writer.write(_HEAD.pack(b"d", size) + content)
        else:
            _void(writer, "it has become shorter")
        return digest.hexdigest()
    buffer = memoryview(bytearray(CHUNK_BYTES))
    done = 0
    for end, hole in _extents(handle, size):
        while done < end:
            count = min(end - done, CHUNK_BYTES)
            if done < offset:
                count = min(count, offset - done)
            if hole:
                digest.update(ZEROS[:count])
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
