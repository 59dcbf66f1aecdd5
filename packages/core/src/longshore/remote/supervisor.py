"""The program that keeps attempts alive and their outcomes safe while nobody is looking: one for each run and machine.

``python start.py <folder>``: it serves one folder, alone (``<folder>/lock``), and answers on ``<folder>/socket``. A
connected socket as its standard input is its first link, so that whoever starts it need not wait until it listens. It
detaches itself from whoever started it, and ends itself when nothing runs and nobody is connected, or when nobody has
attended to it for too long. Whatever it knows is in ``<folder>/record`` too.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import binascii
import fcntl
import os
import signal
import socket
import stat

from longshore.remote.attempt import COLLECTING, RUNNING, STAGING, WAITING, Attempt, BadOrder, is_made
from longshore.remote.closing import Closing
from longshore.remote.following import Following
from longshore.remote.forgetting import discard
from longshore.remote.links import Links
from longshore.remote.measuring import Measuring
from longshore.remote.processes import boot_id
from longshore.remote.protocol import decode_lines, encode
from longshore.remote.recovery import recover
from longshore.remote.services import Services
from longshore.remote.starting import Starting
from longshore.remote.store import remove_tree
from longshore.remote.watch import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["Supervisor", "main", "serve"]

_LOCK_SECONDS = 5.0
_BEAT = encode({"event": "beat"})
_DISCARDED = encode({"event": "discarded"})


class Supervisor:
    """Carries out what the controller says."""

    def __init__(self, folder: str) -> None:
        self._watch = Watch(self._reap)
        self._links = Links(folder, self._watch, self)
        self._services = Services(folder, self._watch, self)
        services = self._services
        self._following = Following(self._watch, services.shelf, self._links, services.workers.hear)
        self._closing = Closing(self._services)
        self._starting = Starting(self._services, self._closing)
        self._measuring = Measuring(self._watch, self.tell, lambda: list(self._closing.attempts.values()))
        self._over = False
        """Whether the run needs nothing of ours any more."""
        self._ended: dict[str, bytes] = {}
        """The line of each attempt that is over and not released."""

    def serve(self, first: socket.socket | None) -> None:
        """Serve until nothing is left to do."""
        services = self._services
        memory = services.record.open()
        self._ended.update(memory.ended)
        services.record.add(_birth())
        services.remove_stale({entry["workdir"] for entry in memory.begun.values()})
        recover(memory, services, self._closing)
        self._links.open(first)
        while self._closing.attempts or services.helpers.busy or not self._links.unneeded:
            self._write_record()
            self._links.flush(later=self._starting.has_waiting)
            self._watch.turn()
            self._closing.settle()
            self._starting.admit()
        self._write_record()
        services.close()
        if self._over:
            try:
                remove_tree(services.folder)
            except OSError:
                pass  # what cannot be removed is left
        self._links.close()

    def _write_record(self) -> None:
        record = self._services.record
        try:
            record.flush()
            if record.overgrown:
                begun = [attempt for attempt in self._closing.attempts.values() if attempt.state != WAITING]
                lines = [line for attempt in begun for line in (attempt.intent_line(), attempt.pid_line())]
                record.rewrite([_birth(), *lines, *self._ended.values()])
        except OSError:
            return  # the disk is full; it is tried again in each turn, and the controller is told all the same

    def _reap(self) -> None:
        self._closing.reap()

    # --- what the parts tell

    def tell(self, line: bytes) -> None:
        """Tell the controller, if there is one."""
        self._links.tell(line)

    def over(self, attempt: Attempt, line: bytes) -> None:
        """Keep what is known of an attempt that is over, until it is released."""
        self._ended[attempt.id] = line
        self._services.record.add(line)
        self._following.over(attempt.id, line)

    def answered(self, attempt: Attempt, answer: dict[str, Any]) -> None:
        """Take note that a worker has made a call."""
        self._closing.answered(attempt, answer)

    def began(self, attempt: Attempt) -> None:
        """Take note that a worker goes on with the next call of its batch."""
        self._starting.began(attempt)

    def prints(self, attempt: Attempt) -> None:
        """Take note of an attempt that may print from now on."""
        self._following.began(attempt)

    def noticed(self, at: float) -> None:
        """Tell the controller that the machine will be taken away, and ask those to end that wanted to be asked."""
        self._links.tell(_notice(at))
        self._services.workers.take_back()
        running = [attempt for attempt in self._closing.attempts.values() if attempt.state == RUNNING]
        warned = [attempt for attempt in running if attempt.order.get("warn") and not is_made(attempt)]
        for attempt in warned:
            attempt.warned = True
        self._services.endings.warn(warned)

    def returned(self, attempts: Sequence[Attempt]) -> None:
        """Let calls wait again that were handed out but not begun."""
        self._starting.put_back(attempts)

    # --- what the links call

    def parted(self) -> None:
        """Take note that nobody controls us now."""
        self._following.stop()
        self._measuring.stop()

    def drained(self) -> None:
        """Go on with what had to wait until the link has room."""
        self._following.look()

    def welcome(self, hello: dict[str, Any]) -> None:
        """Serve another controller from now on."""
        self._over = False
        self._services.configure(hello)
        if self._services.notices.at is not None:
            self._links.tell(_notice(self._services.notices.at))
        self._services.attend()

    def heard(self, messages: list[dict[str, Any]]) -> None:
        """Do what the controller says."""
        for message in messages:
            try:
                _OPERATIONS[message["op"]](self, message)
            except (BadOrder, KeyError, TypeError, ValueError) as error:
                self._links.tell(encode({"event": "problem", "text": "%s: %s" % (type(error).__name__, error)}))

    def abandoned(self, seconds: float) -> None:
        """End everything, since nobody has attended for so long."""
        reason = "ended because no controller had attended to it for %g seconds" % seconds
        self._services.workers.take_back()
        attempts = list(self._closing.attempts.values())
        for attempt in attempts:
            attempt.lost = reason
            attempt.fail("machine lost", reason)
        self._end(attempts)

    # --- what the controller says

    def _go(self, message: dict[str, Any]) -> None:
        line = self._ended.get(message["id"])
        if line is not None:
            self._following.over(message["id"], line)
        elif message["id"] not in self._closing.attempts:
            self._starting.accept(message)

    def _blob(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        content = binascii.a2b_base64(message["base64"]) if text is None else text.encode("utf-8", "surrogateescape")
        self._services.blobs.take(message["sha256"], content)

    def _cancel(self, message: dict[str, Any]) -> None:
        self._services.workers.take_back()
        known = [self._closing.attempts[identity] for identity in message["ids"] if identity in self._closing.attempts]
        attempts = [a for a in known if a.state in (WAITING, STAGING, RUNNING) and not is_made(a)]
        for attempt in attempts:
            attempt.cancelled = True
        self._end(attempts)

    def _end(self, attempts: list[Attempt]) -> None:
        self._starting.withdraw([attempt for attempt in attempts if attempt.state == WAITING])
        self._closing.end(attempts)

    def _adopt(self, message: dict[str, Any]) -> None:
        self._services.workers.take_back()
        for identity in message["ids"]:
            attempt = self._closing.attempts.get(identity)
            if attempt is None:
                never = {
                    "event": "ended",
                    "id": identity,
                    "lost": "never started",
                    "failure": "machine lost",
                    "never": True,
                }
                self._following.over(identity, self._ended.get(identity) or encode(never))
            elif attempt.state not in (WAITING, STAGING):
                self._starting.announce(attempt)

    def _survey(self, message: dict[str, Any]) -> None:
        self._services.workers.take_back()
        for over, identities in ((False, self._closing.attempts), (True, self._ended)):
            for identity in identities:
                self._links.tell(encode({"event": "known", "id": identity, "over": over}))
        self._links.tell(encode({"event": "surveyed"}))

    def _release(self, message: dict[str, Any]) -> None:
        gone = [identity for identity in message["ids"] if identity in self._ended]
        for identity in gone:
            self._following.forget(identity)
            line = self._ended.pop(identity)
            if b'"workdir":' in line and message.get("remove"):
                self._services.staging.remove(decode_lines(line)[0]["workdir"])
        if gone:
            self._services.record.add(encode({"event": "released", "ids": gone}))

    def _beat(self, message: dict[str, Any]) -> None:
        self._services.attend()
        self._links.beat(message["unattended"])
        self._links.tell(_BEAT)

    def _measure(self, message: dict[str, Any]) -> None:
        self._measuring.start(message["every"])

    def _follow(self, message: dict[str, Any]) -> None:
        self._following.start(message["from"])

    def _discard(self, message: dict[str, Any]) -> None:
        # What is being stored just now may be the same; then none of it goes, and the end of the run sees to it.
        if not any(attempt.state == COLLECTING for attempt in self._closing.attempts.values()):
            discard(self._services.staging.store, message["digests"], self._ended.values())
        self._services.staging.forget(message["digests"])
        self._links.tell(_DISCARDED)

    def _gpus(self, message: dict[str, Any]) -> None:
        self._services.room.gpus = list(message["names"])

    def _leave(self, message: dict[str, Any]) -> None:
        self._over = bool(message.get("over"))
        # When nothing runs, the end of the link tells that all is tidied up.
        self._links.leave(stay=bool(self._closing.attempts))


_OPERATIONS: dict[str, Callable[[Supervisor, dict[str, Any]], None]] = {
    "go": Supervisor._go,
    "blob": Supervisor._blob,
    "cancel": Supervisor._cancel,
    "discard": Supervisor._discard,
    "adopt": Supervisor._adopt,
    "survey": Supervisor._survey,
    "release": Supervisor._release,
    "beat": Supervisor._beat,
    "follow": Supervisor._follow,
    "measure": Supervisor._measure,
    "gpus": Supervisor._gpus,
    "leave": Supervisor._leave,
}


def _notice(at: float) -> bytes:
    return encode({"event": "notice", "at": at})


def _birth() -> bytes:
    return encode({"event": "supervisor", "boot": boot_id(), "pid": os.getpid()})


def main(folder: str) -> None:
    """Serve a folder from a process that belongs to nobody; return at once in the one that was started."""
    if not os.fork():
        serve(folder)


def serve(folder: str) -> None:
    """Serve a folder from this process, cut off from whoever started it."""
    os.setsid()
    _close_inherited()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.chdir(folder)
    first = _first_link()
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # The one before may be about to end; if it is not, SIGALRM ends this one, and whoever started it finds the other.
    signal.setitimer(signal.ITIMER_REAL, _LOCK_SECONDS)
    fcntl.flock(lock, fcntl.LOCK_EX)
    signal.setitimer(signal.ITIMER_REAL, 0)
    Supervisor(os.getcwd()).serve(first)


def _close_inherited() -> None:
    """Close what we were born with but for the standard three: somebody may wait for the end of a pipe."""
    try:
        handles = [int(name) for name in os.listdir("/dev/fd")]
    except OSError:
        handles = list(range(256))
    for handle in handles:
        if handle > 2:
            try:
                os.close(handle)
            except OSError:
                continue  # the one that the listing was read through


def _first_link() -> socket.socket | None:
    """Give the socket that is our standard input, if it is one, and put nothing in its place."""
    first = socket.socket(fileno=os.dup(0)) if stat.S_ISSOCK(os.fstat(0).st_mode) else None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return first
