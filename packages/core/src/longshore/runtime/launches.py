"""Launches that are under way: what is sent, by whom it is waited for, and what comes of it.

A cloud takes some calls a second, and a call may take long. So a few are made at once, by threads that touch nothing;
each answer is an order for the thread that owns the leases. What has been launched is used meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Thread
from typing import Protocol

from attrs import field, frozen

from longshore.errors import LongshoreError, ProviderError
from longshore.model.lease import Lease
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.plugin.provider import Provider

__all__ = ["LaunchCall", "Launches"]

_MOST = 8
"""So many calls are under way at once; clouds refuse whoever asks much faster."""


@frozen(kw_only=True, eq=False)
class LaunchCall:
    """The call of a launch that is about to be asked for, or asked for again; the ledger knows of it."""

    before: Lease
    """As the lease was before."""
    lease: Lease
    spec: MachineSpec = field(repr=False)
    token: str = field(repr=False)

    def __str__(self) -> str:
        return self.lease.id

    def ask(self, provider: Provider) -> Machine | LongshoreError:
        """Make the call; give the machine, or what was raised."""
        try:
            (machine,) = provider.launch(self.spec, token=self.token)
        except LongshoreError as error:
            return error
        return machine


class _Keeper(Protocol):
    @property
    def provider(self) -> Provider: ...

    def begin(self, name: str) -> LaunchCall: ...

    def conclude(self, launch: LaunchCall, answer: Machine | LongshoreError) -> Lease: ...


class Launches:
    """The launches of one provider. For the thread that owns its leases.

    ``order`` puts something into that thread's queue; ``done`` is told there of each lease whose call was answered.
    """

    def __init__(
        self, keeper: _Keeper, *, order: Callable[[Callable[[], None]], None], done: Callable[[str], None]
    ) -> None:
        self._keeper = keeper
        self._order = order
        self._done = done
        self._waiting: deque[str] = deque()
        self._asked: set[str] = set()

    @property
    def asked(self) -> frozenset[str]:
        """The leases with a call under way."""
        return frozenset(self._asked)

    @property
    def busy(self) -> frozenset[str]:
        """The leases with a call under way, or one that waits for its turn."""
        return frozenset({*self._asked, *self._waiting})

    def add(self, leases: Iterable[str]) -> None:
        """Ask for the machines of leases that are intended, each in its turn.

        Raises:
            LongshoreError: when a call cannot be written down.
        """
        self._waiting.extend(leases)
        self._ask()

    def drop(self, lease: str) -> None:
        """Do not ask any more; silent when that was done, or never wanted."""
        with suppress(ValueError):
            self._waiting.remove(lease)

    def stop(self) -> None:
        """Ask for nothing any more; what is under way will be answered."""
        self._waiting.clear()

    def _ask(self) -> None:
        # A call is written down just before it is made: whoever finds it knows by when its machine must be listed.
        while self._waiting and len(self._asked) < _MOST:
            launch = self._keeper.begin(self._waiting.popleft())
            self._asked.add(launch.lease.id)
            Thread(target=self._call, args=(launch,), name=f"longshore-{launch}", daemon=True).start()

    def _call(self, launch: LaunchCall) -> None:
        answer = launch.ask(self._keeper.provider)
        self._order(lambda: self._answered(launch, answer))

    def _answered(self, launch: LaunchCall, answer: Machine | LongshoreError) -> None:
        self._asked.discard(launch.lease.id)
        # Whoever is to choose another offer was told, or a later look asks again.
        with suppress(ProviderError):
            self._keeper.conclude(launch, answer)
        self._ask()
        self._done(launch.lease.id)
