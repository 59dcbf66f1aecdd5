"""What attempts print, sent to a controller that does not share our files: live, in order, and before their end is
told.

Nothing is kept in memory: the files are read when the link has room, each from where it was sent up to. A controller
that comes back says how much of each it has; what it is sent twice it writes to the same place.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import binascii
import os

from longshore.remote.bell import Bell
from longshore.remote.protocol import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Dict, List, Protocol

    from longshore.remote.attempt import Attempt
    from longshore.remote.logs import LogShelf
    from longshore.remote.watch import Watch

    Offsets = List[int]
    Ends = Dict[str, bytes]

    class Outlet(Protocol):
        """The link, as far as it takes output."""

        def tell(self, line: bytes) -> None: ...
        def push(self, line: bytes) -> bool: ...
        @property
        def free(self) -> bool: ...


__all__ = ["Following"]

_STREAMS = ("out", "err")
_CHUNK_BYTES = 48 << 10


class Following:
    """Follows all attempts while a controller wants that."""

    def __init__(self, watch: Watch, shelf: LogShelf, outlet: Outlet, hear: Callable[[Attempt], None]) -> None:
        """Prepare; ``hear`` takes the answers that the worker of an attempt has given."""
        self._hear = hear
        self._shelf = shelf
        self._outlet = outlet
        self._bell = Bell(watch, self.look)
        self._on = False
        self._running: Dict[str, Attempt] = {}
        self._sent: Dict[str, Offsets] = {}
        self._ends: Ends = {}
        """Lines that wait until the output of their attempts was sent."""

    @property
    def on(self) -> bool:
        """Whether a controller wants to be sent what attempts print."""
        return self._on

    @property
    def behind(self) -> bool:
        """Whether the end of an attempt is still to be told."""
        return bool(self._ends)

    def start(self, known: Dict[str, Offsets]) -> None:
        """Send output from now on; ``known`` says how many bytes of stdout and stderr the controller has of attempts.

        Raises:
            ValueError: when a number is none.
        """
        for identity, (out, err) in known.items():
            self._sent.setdefault(identity, [int(out), int(err)])
        if not self._on:
            self._on = True
            self._bell.hang(self._shelf.folder)

    def stop(self) -> None:
        """Send nothing more; nobody is there."""
        if self._on:
            self._on = False
            self._bell.take_down()
        self._sent.clear()
        self._ends.clear()

    def began(self, attempt: Attempt) -> None:
        """Take note of an attempt that may print from now on."""
        self._running[attempt.id] = attempt
        if self._on:
            self._bell.wake()

    def over(self, identity: str, line: bytes) -> None:
        """Tell the end of an attempt, after all that it has printed. Its logs have their own name, if any."""
        self._running.pop(identity, None)
        if not self._on:
            self._outlet.tell(line)
            return
        for message in self._little(identity) if self._outlet.free and not self._ends else ():
            self._outlet.tell(message)
        if self._is_sent(identity):
            self._told(identity, line)
        else:
            self._ends[identity] = line
            self.look()

    def _little(self, identity: str) -> Iterator[bytes]:
        """Give messages with all that is to be sent of an attempt, if that is little."""
        for index, stream in enumerate(_STREAMS):
            chunk = self._read(self._path(identity, stream), self._offsets(identity)[index])
            if 0 < len(chunk) < _CHUNK_BYTES:
                yield self._message(identity, index, chunk)

    def look(self) -> bool:
        """Send what is new, as far as the link takes it; say whether anybody runs who may print more."""
        while self._on and self._outlet.free:
            if not self._send_some():
                break
        return self._on and bool(self._running)

    def _send_some(self) -> bool:
        """Send a piece of everything that is not sent yet; say whether there was any."""
        found = False
        for identity, line in list(self._ends.items()):
            found = True
            for index, stream in enumerate(_STREAMS):
                self._send_chunk(identity, index, self._path(identity, stream))
            if self._is_sent(identity):
                self._ends.pop(identity, None)
                self._told(identity, line)
            if not self._outlet.free:
                return True
        for attempt in list(self._running.values()):
            for index, stream in enumerate(_STREAMS):
                path = _path_of(attempt, stream) or self._path(attempt.id, stream)
                if _size(path) > self._offsets(attempt.id)[index]:
                    found = self._send_new(attempt, index, path) or found
            if not self._outlet.free:
                return True
        return found

    def _send_new(self, attempt: Attempt, index: int, path: str) -> bool:
        """Send a piece of what an attempt prints; say whether there was any."""
        logs = attempt.logs
        chunk = self._read(path, self._offsets(attempt.id)[index])
        # Its worker may have gone on to the next call of a batch, which prints into the same file. It says so before.
        self._hear(attempt)
        if not chunk or attempt.logs is not logs:
            return False
        self._outlet.push(self._message(attempt.id, index, chunk))
        return True

    def _send_chunk(self, identity: str, index: int, path: str) -> None:
        chunk = self._read(path, self._offsets(identity)[index])
        if chunk:
            self._outlet.push(self._message(identity, index, chunk))

    def _message(self, identity: str, index: int, chunk: bytes) -> bytes:
        offsets = self._offsets(identity)
        told: Dict[str, Any] = {
            "event": "log",
            "id": identity,
            "stream": _STREAMS[index],
            "at": offsets[index],
            "base64": binascii.b2a_base64(chunk, newline=False).decode("ascii"),
        }
        offsets[index] += len(chunk)
        return encode(told)

    def _told(self, identity: str, line: bytes) -> None:
        self._sent.pop(identity, None)
        self._outlet.tell(line)

    def forget(self, identity: str) -> None:
        """Remove the logs of an attempt that is released: the controller has them."""
        if self._on and identity not in self._ends:
            for stream in _STREAMS:
                try:
                    os.unlink(self._path(identity, stream))
                except OSError:
                    continue

    def _offsets(self, identity: str) -> Offsets:
        return self._sent.setdefault(identity, [0, 0])

    def _path(self, identity: str, stream: str) -> str:
        _, task, number = identity.split("/")
        return "%s.%s" % (self._shelf.stem("%s.%s" % (task, number)), stream)

    def _is_sent(self, identity: str) -> bool:
        return all(
            _size(self._path(identity, stream)) <= self._offsets(identity)[index]
            for index, stream in enumerate(_STREAMS)
        )

    @staticmethod
    def _read(path: str, offset: int) -> bytes:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.pread(handle, _CHUNK_BYTES, offset)
        except OSError:
            return b""
        finally:
            os.close(handle)


def _path_of(attempt: Attempt, stream: str) -> str:
    """Give where an attempt prints to; nothing when only the supervisor before us has known that."""
    return "" if attempt.logs is None else str(getattr(attempt.logs, stream).path)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
