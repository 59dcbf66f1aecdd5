"""The controller's side of a link to a supervisor: thin, and the same for every way in which a supervisor can be
reached.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from longshore.errors import FenceRefused, MachineUnreachable
from longshore.model.attempt import AttemptSpec, environment_of, split_attempt_id
from longshore.model.events import MachineGone
from longshore.model.times import over_by
from longshore.plugin.protocols import SessionEvent, Sink
from longshore.remote.discards import Discards
from longshore.remote.outstanding import Outstanding
from longshore.remote.protocol import Lines, decode_lines, encode
from longshore.remote.speech import Speech
from longshore.remote.wire import ended_event, order_of, started_event

if TYPE_CHECKING:
    from longshore.model.environment import BuildSpec
    from longshore.model.load import MachineLoad

__all__ = ["SupervisorSession"]

_log = logging.getLogger(__name__)

_CLOSE_SECONDS = 10.0


class SupervisorSession:
    """A `longshore.plugin.protocols.Session` over a stream socket, but for ``put`` and ``get``, which depend on whether
    the machine shares our files. One thread of its own hears what the supervisor tells.

    When the supervisor dies, ``connect`` is called again, and attempts are taken up where the record says they are: the
    caller notices nothing, but for those that are lost.
    """

    _encode = staticmethod(encode)
    """How messages are written."""

    def __init__(
        self,
        machine: str,
        hello: dict[str, Any],
        connect: Callable[[], socket.socket],
        sink: Sink,
        trouble: Callable[[], str],
        *,
        patience: float = math.inf,
    ) -> None:
        """Link to a supervisor.

        Args:
            machine: id of the machine.
            hello: the first message, as in `longshore.remote.protocol`.
            connect: gives a socket to the supervisor, starting it if need be.
            sink: where events go.
            trouble: gives what the supervisor has left in words when it died; may be empty.
            patience: seconds without a word after which the supervisor is asked for one; when none comes for as long
                again, the link is taken for dead. It is asked sooner when its unattended time is short.

        Raises:
            MachineUnreachable: when ``connect`` does.
        """
        self._machine = machine
        self._connect = connect
        self._sink = sink
        self._trouble = trouble
        self._outstanding = Outstanding(self._encode)
        self._discards = Discards()
        self._refused = ""
        self._unreachable = ""
        self._closed = False
        self._patience = patience
        self._noticed: datetime | None = None
        self._on_notice: Callable[[datetime], None] | None = None
        self._measure: tuple[float, Callable[[MachineLoad], None]] | None = None
        self._parted_at = datetime.now(UTC)
        """When the latest link has ended; it says nothing while there is one."""
        self._speech = Speech(hello, self._encode, self._outstanding.releases)
        self._lock = self._speech.lock
        self._speech.channel.use(connect(), self._greeting())
        self._thread = threading.Thread(target=self._hear, name=f"longshore-{machine}", daemon=True)
        self._thread.start()

    # --- what the protocol of sessions asks for

    def create(self, attempt: AttemptSpec) -> None:
        """Remember the attempt; its place is made when it starts."""
        self._check()
        self._outstanding.remember(order_of(attempt))

    def build(self, build: BuildSpec) -> None:
        """Ask for an environment; its id is used as an attempt's."""
        from longshore.remote.wire_builds import build_order  # noqa: PLC0415  few runs build any, and all wait for imports

        self._check()
        self._outstanding.remember(build_order(build))
        self.go(build.id)

    def go(self, attempt: str) -> None:
        """Start it, when there is room for it."""
        self._check()
        with self._lock:
            line = self._outstanding.go(attempt)
            if line:
                self._send(line)

    def together(self) -> AbstractContextManager[None]:
        """Send what is said within this block in one piece, at its end."""
        return self._speech.together()

    def adopt(self, attempts: Collection[str]) -> None:
        """Ask what became of attempts."""
        self._check()
        with self._lock:
            self._send(self._outstanding.adopt(attempts))

    def cancel(self, attempt: str) -> None:
        """End it."""
        self._check()
        with self._lock:
            self._send(self._outstanding.cancel(attempt))

    def discard(self, digests: Collection[str]) -> None:
        """Let the machine's store forget objects, but for those that attempts claim which are not released."""
        self._check()
        with self._lock:
            allowed = self._discards.ask(digests)
            if allowed:
                self._send(self._encode({"op": "discard", "digests": allowed}))

    def release(self, attempt: str) -> None:
        """Forget it, with the next message."""
        self._discards.release(attempt)
        if self._outstanding.release(attempt):
            with self._lock:
                self._send(b"")

    def beat(self, until: datetime) -> None:
        """Attend until then, and for the machine's unattended time from now."""
        self._check()
        with self._lock:
            self._speech.attend(until)

    def measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        """Have what the machine uses told again and again; never when ``every`` is 0."""
        self._check()
        with self._lock:
            self._measure = (every.total_seconds(), told)
            self._send(self._measure_line())

    def on_notice(self, told: Callable[[datetime], None]) -> None:
        """Have it told when the machine hears that it will be taken away; at once when it has."""
        with self._lock:
            self._on_notice, noticed = told, self._noticed
        if noticed is not None:
            told(noticed)

    def close(self) -> None:
        """Drop the link; the supervisor stays while it has attempts."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._speech.channel.send_last(self._outstanding.releases() + self._leave_line(), _CLOSE_SECONDS)
        self._thread.join(_CLOSE_SECONDS)
        self._speech.channel.close()

    # --- sending

    def _greeting(self) -> bytes:
        """Say what a link begins with."""
        return self._encode(self._speech.hello) + (self._measure_line() if self._measure is not None else b"")

    def _measure_line(self) -> bytes:
        return self._encode({"op": "measure", "every": self._measure[0] if self._measure is not None else 0.0})

    def _leave_line(self) -> bytes:
        return self._encode({"op": "leave"})

    def _check(self) -> None:
        if self._refused:
            raise FenceRefused(self._refused)
        if self._unreachable:
            raise MachineUnreachable(self._unreachable)

    def _send(self, content: bytes) -> None:
        """Send, or hold back until all that is said together was said. The lock is held."""
        self._speech.say(content)

    # --- hearing

    def _hear(self) -> None:
        """Take what supervisors tell, one after the other, until there is no use in asking for another."""
        try:
            while True:
                self._listen()
                self._parted_at = datetime.now(UTC)
                if self._closed or self._refused:
                    return
                self._link_again()
        except Exception as error:  # noqa: BLE001  nobody else could tell that the machine is out of reach
            self._discards.reset()
            if not self._closed:
                self._unreachable = self._give_up(str(error) or repr(error))

    def _listen(self) -> None:
        lines = Lines()
        for content in self._speech.hear(self._patience):
            told = [self._take(message) for message in decode_lines(lines.take(content))]
            if events := [event for event in told if event is not None]:
                self._tell(*events)

    def _link_again(self) -> None:
        """Take everything up that is not over, with the supervisor that is there now."""
        link = self._connect()
        with self._lock:
            if self._closed:
                link.close()
                return
            self._speech.channel.use(link, self._greeting())
            self._discards.reset()
            self._speech.say_again(self._outstanding.all_again())

    def _take(self, told: dict[str, Any]) -> SessionEvent | None:
        """Do what a message asks for; give what has happened, if anything has."""
        event = told["event"]
        if event == "ended":
            return self._ended(told)
        elif event == "started":
            return None if environment_of(split_attempt_id(told["id"])[1]) else started_event(told)
        elif event == "notice":
            self._take_notice(datetime.fromtimestamp(told["at"], UTC))
        elif event == "discarded":
            self._discards.answered()
        elif event == "beat" and "attempts" in told and self._measure is not None:
            from longshore.remote.wire_loads import load_of  # noqa: PLC0415  only who watches needs it

            self._measure[1](load_of(self._machine, told))
        elif event == "refused":
            self._refused = f"{told['reason']} (its fence is {told['fence']})"
            self._give_up(self._refused)
        elif event == "problem":
            _log.error("the supervisor of %s did not understand: %s", self._machine, told["text"])
        return None

    def _ended(self, told: dict[str, Any]) -> SessionEvent | None:
        """Take note of an end; what a dead supervisor had not begun is sent again instead.

        What ends while it is asked for is told twice: as it ends, and in answer. The second time says nothing.
        """
        if told["id"] not in self._outstanding.running:
            return None
        if told.get("never"):
            with self._lock:
                line = self._outstanding.go_again(told["id"])
                if line:
                    self._send(line)
                    return None
        self._outstanding.over(told["id"])
        self._discards.claim(told["id"], [row[1] for row in told.get("outputs", ())])
        return ended_event(told)

    def _take_notice(self, at: datetime) -> None:
        with self._lock:
            self._noticed, told = at, self._on_notice
        if told is not None:
            told(at)

    def _give_up(self, reason: str) -> str:
        trouble = self._trouble()
        reason = f"{reason}\n{trouble}" if trouble else reason
        gone = MachineGone(at=datetime.now(UTC), machine=self._machine, reason=reason, over_by=self._over_by())
        self._tell(gone)
        return reason

    def _over_by(self) -> datetime | None:
        """Say when the machine itself ends what nobody attends; None when it hears at once that nobody does."""
        if self._speech.hello["tied"]:
            return None
        return over_by(self._parted_at, timedelta(seconds=self._speech.hello["unattended"]))

    def _tell(self, *events: SessionEvent) -> None:
        try:
            self._sink(*events)
        except Exception:  # noqa: BLE001  whatever a sink does, the other events must still be heard
            _log.exception("nobody took the events %r", events)
