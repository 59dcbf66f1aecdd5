"""What a controller has asked of a supervisor and is not over, so that it can be said again to the next one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from longshore.errors import LongshoreError
from longshore.remote.protocol import MAX_LINE
from longshore.remote.wire import Order

__all__ = ["Outstanding"]

_HELD_BACK = 64


class Outstanding:
    """Writes lines for one link at a time. Who uses it sees to it that its methods are called one after the other."""

    def __init__(self, encode: Callable[[dict[str, Any]], bytes]) -> None:
        """Begin with nothing; ``encode`` says how messages are written."""
        self._encode = encode
        self._orders: dict[str, Order] = {}
        self._running: dict[str, bool] = {}
        """Ids that were sent, or adopted, and are not over; True for those that can be sent again if they never
        started.
        """
        self._cancelled: set[str] = set()
        self._sent: set[str] = set()
        """Digests of the scripts and pickles that the supervisor has."""
        self._releases: list[str] = []

    def remember(self, order: Order) -> None:
        """Know what an id means, for when it is to go."""
        self._orders[order.message["id"]] = order

    def order(self, identity: str) -> Order | None:
        """Give what an id means; None when it is not known, or released."""
        return self._orders.get(identity)

    @property
    def running(self) -> Collection[str]:
        """The ids that were sent, or adopted, and are not over."""
        return self._running.keys()

    def go(self, identity: str) -> bytes:
        """Write its order; nothing when it is not known.

        Raises:
            LongshoreError: when that is too long for one message.
        """
        order = self._orders.get(identity)
        if order is None:
            return b""
        line = self._write(order)
        self._running[identity] = True
        return line

    def adopt(self, identities: Collection[str]) -> bytes:
        """Write the question what became of some, and expect the answers."""
        for identity in identities:
            self._running.setdefault(identity, False)
        return self._encode({"op": "adopt", "ids": list(identities)})

    def cancel(self, identity: str) -> bytes:
        """Write that it is to end."""
        if identity in self._running:
            self._cancelled.add(identity)
        return self._encode({"op": "cancel", "ids": [identity]})

    def release(self, identity: str) -> bool:
        """Forget it; say whether so many are forgotten that the supervisor should hear of it."""
        self._orders.pop(identity, None)
        self._releases.append(identity)
        return len(self._releases) >= _HELD_BACK

    def releases(self) -> bytes:
        """Write what has been forgotten since the last time."""
        releases, self._releases = self._releases, []
        return self._encode({"op": "release", "ids": releases}) if releases else b""

    def over(self, identity: str) -> None:
        """Note that its end was told."""
        self._running.pop(identity, None)
        self._cancelled.discard(identity)

    def all_again(self) -> bytes:
        """Write what the next supervisor must know: whom we ask for, and who is to end."""
        self._sent = set()
        lines = self._encode({"op": "adopt", "ids": list(self._running)}) if self._running else b""
        return lines + (self._encode({"op": "cancel", "ids": list(self._cancelled)}) if self._cancelled else b"")

    def go_again(self, identity: str) -> bytes:
        """Write an order again that a dead supervisor had not begun; nothing when it was not sent by us."""
        order = self._orders.get(identity)
        if order is None or not self._running.get(identity):
            return b""
        cancel = self._encode({"op": "cancel", "ids": [identity]}) if identity in self._cancelled else b""
        return self._write(order) + cancel

    def _write(self, order: Order) -> bytes:
        """Write an order, with the script or pickle that it means when that was not sent yet."""
        line = self._encode(order.message)
        if order.blob is not None and order.sha256 not in self._sent:
            line = self._encode(order.blob) + line
        if len(line) > MAX_LINE:
            raise LongshoreError(
                f"attempt {order.message['id']} takes {len(line)} bytes to describe, more than {MAX_LINE}; "
                "put its inputs into a folder, and large arguments into a file"
            )
        self._sent.add(order.sha256)
        return line
