"""Who may tell a supervisor what to do: one controller at a time, the one with the highest fence.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import socket
import time

from longshore.remote.protocol import VERSION, encode
from longshore.remote.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from longshore.remote.watch import Timer, Watch

    class Master(Protocol):
        """What links need of a supervisor."""

        def welcome(self, hello: dict[str, Any]) -> None: ...
        def heard(self, messages: list[dict[str, Any]]) -> None: ...
        def parted(self) -> None: ...
        def drained(self) -> None: ...
        def abandoned(self, seconds: float) -> None: ...


__all__ = ["FENCE", "SOCKET", "Links", "read_fence"]

SOCKET = "socket"
FENCE = "fence"
_LINGER_SECONDS = 60.0
_LATER_SECONDS = 0.008
"""While attempts wait for room the controller is told in pieces of this length: each costs both sides a turn."""
_BACKLOG = 16


class Links:
    """Listens, checks the fence, and keeps the one link that counts."""

    def __init__(self, folder: str, watch: Watch, master: Master) -> None:
        self._folder = folder
        self._watch = watch
        self._master = master
        self._fence = read_fence(folder)
        self._listener: socket.socket | None = None
        self._current: Stream | None = None
        self._tied = False
        self._outgoing: list[bytes] = []
        self._leaving = False
        self._linger: Timer | None = None
        self._unattended = 0.0
        self._attended_at = 0.0
        self._check: Timer | None = None
        self._soon: Timer | None = None

    @property
    def unneeded(self) -> bool:
        """Whether nobody is expected to say anything any more."""
        return self._leaving

    def open(self, first: socket.socket | None) -> None:
        """Listen; the first link is there already, if there is one. The current folder must be our own: long paths do
        not fit a socket's name.
        """
        try:
            os.unlink(SOCKET)
        except FileNotFoundError:
            pass
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(SOCKET)
        os.chmod(SOCKET, 0o600)
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self._watch.add(self._listener.fileno(), self._accept)
        self._expect_somebody()
        if first is not None:
            _Guest(first, self._watch, self)

    def close(self) -> None:
        """Stop listening, then hang up."""
        if self._listener is not None:
            try:
                os.unlink(os.path.join(self._folder, SOCKET))
            except FileNotFoundError:
                pass  # all of the folder has gone
            self._watch.remove(self._listener.fileno())
            self._listener.close()
        self.flush()
        if self._current is not None:
            self._current.close()

    def _accept(self, _events: int) -> None:
        assert self._listener is not None
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        _Guest(connection, self._watch, self)

    def tell(self, line: bytes) -> None:
        """Tell the controller, if there is one, with the next `flush`."""
        if self._current is not None:
            self._outgoing.append(line)

    def flush(self, later: bool = False) -> None:
        """Send what was told, in one piece; with ``later`` in a moment, when more is to come and nobody is in need."""
        if self._outgoing and later:
            if self._soon is None:
                self._soon = self._watch.after(_LATER_SECONDS, self.flush)
        elif self._outgoing:
            if self._soon is not None:
                self._soon.cancel()
                self._soon = None
            content = b"".join(self._outgoing)
            self._outgoing.clear()
            if self._current is not None:
                self._current.write(content)

    def push(self, line: bytes) -> bool:
        """Send a line now, after all that was told; say whether the link would take another at once."""
        self.flush()
        if self._current is not None:
            self._current.write(line)
        return self.free

    @property
    def free(self) -> bool:
        """Whether somebody is there, and nothing waits to be sent to him."""
        return self._current is not None and self._current.free

    def drained(self, stream: Stream) -> None:
        """Note that a link has sent what had to wait."""
        if stream is self._current:
            self._master.drained()

    # --- hello and good-bye

    def hello(self, stream: Stream, message: dict[str, Any]) -> bool:
        """Take a guest in as the controller, unless a newer one has been here; say whether it was."""
        fence = int(message.get("fence", 0))
        reason = self._refusal(message, fence)
        if reason:
            stream.write(encode({"event": "refused", "fence": self._fence, "reason": reason}))
            stream.close()
            return False
        if self._current is not None:
            self.flush()
            self._current.write(
                encode({"event": "refused", "fence": fence, "reason": "another controller has taken this run over"})
            )
            self._current.close()
            self._master.parted()
        self._current = stream
        self._tied = bool(message.get("tied"))
        self._leaving = False
        if self._linger is not None:
            self._linger.cancel()
        self._master.welcome(message)
        self.beat(float(message["unattended"]))
        self.tell(encode({"event": "hello", "version": VERSION, "pid": os.getpid()}))
        return True

    def _refusal(self, message: dict[str, Any], fence: int) -> str:
        """Say why a guest is not to be the controller; raise the fence if he is."""
        if message.get("op") != "hello" or message.get("version") != VERSION:
            return "this supervisor speaks version %d of the protocol" % VERSION
        if fence < self._fence:
            return "a newer controller has taken this run over"
        if fence > self._fence:
            try:
                _write_fence(self._folder, fence)
            except OSError as error:
                return "the supervisor cannot write down who controls it: %s" % error
            self._fence = fence
        return ""

    def heard(self, messages: list[dict[str, Any]]) -> None:
        """Pass on what the controller says; it attends, whatever it says."""
        self._attended_at = time.monotonic()
        self._master.heard(messages)

    def lost(self, stream: Stream) -> None:
        """Note that a link is gone."""
        if stream is self._current:
            self._current = None
            self._outgoing.clear()
            self._master.parted()
            self._expect_somebody()
            if self._tied:
                # Only now does nobody attend. Of other links we may hear hours later that they have ended.
                self.beat(self._unattended)

    def leave(self, *, stay: bool) -> None:
        """Note that the controller goes, and that nobody comes after it. When we must stay, its link ends at once."""
        self._leaving = True
        if stay and self._current is not None:
            self.flush()
            self._current.close()
            self._current = None
            self._master.parted()
            self.beat(self._unattended)

    def _expect_somebody(self) -> None:
        def gone() -> None:
            self._leaving = True

        self._linger = self._watch.after(_LINGER_SECONDS, gone)

    # --- attendance

    def beat(self, unattended: float) -> None:
        """Note that a controller attends, and for how many seconds nobody may."""
        self._attended_at = time.monotonic()
        self._unattended = unattended
        self._check_after(unattended)

    def _check_after(self, seconds: float) -> None:
        if self._check is not None:
            self._check.cancel()
        self._check = self._watch.after(seconds, self._check_attendance)

    def _check_attendance(self) -> None:
        if self._current is not None and self._tied:
            # It lives, and its end would be told by the link; so there is nothing to do before that.
            return
        left = self._attended_at + self._unattended - time.monotonic()
        if left > 0:
            self._check_after(left)
        else:
            self._leaving = True
            self._master.abandoned(self._unattended)


class _Guest:
    """A link from its beginning; what comes first must be its hello."""

    def __init__(self, connection: socket.socket, watch: Watch, links: Links) -> None:
        self._links = links
        self._welcome = False
        self._stream = Stream(
            connection,
            watch,
            self._heard,
            lambda _reason: links.lost(self._stream),
            lambda: links.drained(self._stream),
        )

    def _heard(self, messages: list[dict[str, Any]]) -> None:
        if not self._welcome:
            self._welcome = self._links.hello(self._stream, messages[0])
            messages = messages[1:]
        if self._welcome and messages:
            self._links.heard(messages)


def read_fence(folder: str) -> int:
    """Give the highest fence that the supervisors of a folder have seen; 0 when there has been none."""
    try:
        with open(os.path.join(folder, FENCE)) as file:
            return int(file.read())
    except (FileNotFoundError, ValueError):
        return 0


def _write_fence(folder: str, fence: int) -> None:
    path = os.path.join(folder, FENCE)
    with open(path + ".new", "w") as file:
        file.write("%d\n" % fence)
    os.rename(path + ".new", path)
