"""A cloud that keeps its state, its bill and its bad habits.

It is reached by one door, `FakeCloud.call`: an action's name and a JSON-like body in, another one out, or `CloudFault`
and `CloudTimeout`, as an SDK would raise them. Nothing of Longshore's own classes goes through that door, so it is
served by another process as it is: ``longshore-sandbox`` does so, with machines that are real.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from longshore.testing.fake_cloud_actions import ACTIONS, CODES, HALVED
from longshore.testing.fake_cloud_parts import (
    CloudFault,
    CloudHabits,
    CloudMachine,
    CloudState,
    CloudTimeout,
    Kind,
    Request,
)
from longshore.testing.faults import Fault, Time, VirtualTime

__all__ = ["FakeCloud", "Hardware", "Port"]

Port = Callable[[str, Mapping[str, Any], timedelta | None], dict[str, Any]]
"""A login: action, body and deadline in, the answer out."""

_FOREVER = timedelta(days=1)
_REMEMBERED = 10_000
_MICROSECONDS = Decimal(3_600_000_000)


class Hardware(Protocol):
    """What machines are made of."""

    def boot(self, machine: CloudMachine) -> None:
        """Switch on, for the first time or again. Does nothing when it is on."""
        ...

    def cut(self, machine: CloudMachine) -> None:
        """Take the power away; when this returns, nothing runs on it any more. Does nothing when it is off."""
        ...

    def off_at(self, machine: CloudMachine, now: datetime) -> datetime | None:
        """Say when a machine that was switched on has powered itself off; None while it is on."""
        ...

    def address(self, machine: CloudMachine) -> str:
        """Say where it is."""
        ...


class _Imagined:
    """Hardware that is a row in a table: it powers itself off when its end has come."""

    def boot(self, machine: CloudMachine) -> None:
        pass

    def cut(self, machine: CloudMachine) -> None:
        pass

    def off_at(self, machine: CloudMachine, now: datetime) -> datetime | None:
        return machine.ends_at if machine.ends_at is not None and machine.ends_at <= now else None

    def address(self, machine: CloudMachine) -> str:
        number = int(machine.id[2:])
        return f"10.0.{number // 250}.{number % 250}"


class FakeCloud:
    """The cloud. ``kinds`` is what it rents; ``seed`` decides everything that is left to chance."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        *,
        habits: CloudHabits | None = None,
        time: Time | None = None,
        seed: int = 0,
        hardware: Hardware | None = None,
        state: CloudState | None = None,
        keep: Callable[[CloudState], None] = lambda _: None,
    ) -> None:
        """Open it, or open it again.

        Args:
            kinds: what it rents.
            habits: how it behaves.
            time: its clock; one moved by hand when nothing is said.
            seed: of all chance.
            hardware: what its machines are made of; imagined ones when nothing is said.
            state: what was kept before.
            keep: writes the state down; called before anything is done to a machine and before anybody is answered.
        """
        self.time = time or VirtualTime()
        self.kinds = list(kinds)
        self.habits = habits or CloudHabits()
        self.state = state or CloudState(began=self.time.now())
        self.requests: deque[Request] = deque(maxlen=_REMEMBERED)
        self._seed = seed
        self._hardware = hardware or _Imagined()
        self._keep = keep
        self._lock = threading.RLock()
        self._effects: list[Callable[[], None]] = []

    @property
    def machines(self) -> dict[str, CloudMachine]:
        """All machines that ever were, by id."""
        return self.state.machines

    @property
    def sides(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The side resources, by account and id."""
        return self.state.sides

    def login(self, account: str) -> Port:
        """Give the door of one account."""

        def call(action: str, body: Mapping[str, Any], deadline: timedelta | None) -> dict[str, Any]:
            return self.call(account, action, body, deadline)

        return call

    def fail(self, fault: Fault, *, on: str, times: int = 1) -> None:
        """Let the next requests of an action (``"*"`` for any) go wrong."""
        with self._lock:
            self.state.arranged.extend([(fault, on)] * times)
            self._settle()

    def living(self, account: str | None = None) -> list[CloudMachine]:
        """List the machines that cost money now, without any lag."""
        with self._lock:
            self.elapse()
            return [each for each in self.machines.values() if each.ended is None and account in {None, each.account}]

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take one spot machine back, after so long, and announce it as its habit is. Unknown ids are ignored."""
        with self._lock:
            known = self.machines.get(machine)
            if known is not None and known.kind.spot:
                known.reclaimed_at = self.time.now() + after
            self._settle()

    def admitted(self, account: str) -> list[str]:
        """List the addresses that the account's firewall lets in."""
        return sorted(address for (whose, _), address in self.state.admitted.items() if whose == account)

    def call(self, account: str, action: str, body: Mapping[str, Any], deadline: timedelta | None) -> dict[str, Any]:
        """Take one request.

        Raises:
            CloudFault: when it is refused.
            CloudTimeout: when no answer comes within the deadline; whether it was done is not said.
        """
        with self._lock:
            self.elapse()
            self.requests.append(Request(action=action, body=dict(body), account=account, at=self.time.now()))
            self.state.asked += 1
            fault = self._next_fault(action)
            self._settle()
        if fault is not None and fault in CODES:
            raise CloudFault(CODES[fault], "as arranged")
        if fault is Fault.HANG:
            self._no_answer(deadline)
        self.time.wait(self.habits.latency)
        answer = self.do(account, action, body, partial=fault is Fault.PARTIAL)
        if fault is Fault.DUPLICATE:
            self.do(account, action, body)
        if fault is Fault.REPLY_LOST:
            self._no_answer(deadline)
        return answer

    def do(self, account: str, action: str, body: Mapping[str, Any], *, partial: bool = False) -> dict[str, Any]:
        """Do what is asked at once and without any mishap.

        Raises:
            CloudFault: when it is refused.
        """
        halved = partial and action == "create"
        with self._lock:
            if action not in ACTIONS:
                raise CloudFault(CODES[Fault.INVALID], f"there is no action {action}")
            try:
                return ACTIONS[action](self, account, {**body, HALVED: True} if halved else dict(body))
            finally:
                self._settle()

    def recover(self) -> None:
        """After the cloud itself was down: let all machines be as they should be."""
        with self._lock:
            self.elapse()
            for each in self.machines.values():
                wanted = each.ended is None and each.stopped is None
                self._effects.append(_effect(self.hardware(each).boot if wanted else self.hardware(each).cut, each))
            self._settle()

    def reset(self) -> None:
        """End all machines and forget everything: the cloud begins anew."""
        with self._lock:
            for each in self.machines.values():
                self.end(each, self.time.now())
            self._settle()
            self.state = CloudState(began=self.time.now())
            self.requests.clear()
            self._settle()

    def next_event(self) -> datetime | None:
        """Say when something happens that nobody asked for: a spot machine is taken back."""
        now = self.time.now()
        trace = [self.state.began + after for after, _ in self.habits.reclaims]
        single = [each.reclaimed_at for each in self.machines.values() if each.reclaimed_at and each.ended is None]
        return min((at for at in (*trace, *single) if at > now), default=None)

    # What the actions use. The lock is held.

    def hardware(self, machine: CloudMachine) -> Hardware:
        """Say what a machine is made of; one that was asked for as ``hollow`` is imagined."""
        return _Imagined() if machine.body.get("hollow") else self._hardware

    def switch(self, machine: CloudMachine, *, on: bool) -> None:
        """Give or take the power, once that is written down."""
        hardware = self.hardware(machine)
        self._effects.append(_effect(hardware.boot if on else hardware.cut, machine))

    def end(self, machine: CloudMachine, at: datetime) -> None:
        """End a machine for good. Silent for one that has ended."""
        if machine.ended is None:
            self._bill(machine, at)
            machine.ended = at
            self.switch(machine, on=False)

    def rate(self, kind: Kind, at: datetime) -> str | None:
        """Say what an hour costs at a moment; None when the cloud does not tell."""
        rate = kind.rate
        for after, changed in sorted(kind.changes):
            if self.state.began + after <= at:
                rate = changed
        return rate

    def elapse(self) -> None:
        """Bring everything that happens by itself up to the present: reclaims, ends, and the bill."""
        with self._lock:
            now = self.time.now()
            self._take_back(now)
            for each in self.machines.values():
                if each.ended is None:
                    self._notice_end(each, now)
                    self._bill(each, now)
            self._settle()

    def _take_back(self, now: datetime) -> None:
        due = [(self.state.began + after, kind) for after, kind in sorted(self.habits.reclaims)]
        for at, kind in due[self.state.reclaimed :]:
            if at > now:
                break
            self.state.reclaimed += 1
            for each in self.machines.values():
                if each.kind.spot and each.kind.type == kind and each.born <= at and each.ended is None:
                    each.reclaimed_at = at
                    self.end(each, at)
        for each in self.machines.values():
            if each.reclaimed_at is not None and each.reclaimed_at <= now:
                self.end(each, each.reclaimed_at)

    def _notice_end(self, machine: CloudMachine, now: datetime) -> None:
        """See whether a machine has powered itself off. One that was stopped does nothing by itself."""
        if machine.stopped is not None:
            return
        off_at = self.hardware(machine).off_at(machine, now)
        if off_at is None:
            return
        if self.habits.power_off_still_costs:
            machine.stopped = off_at
        else:
            self.end(machine, off_at)

    def _bill(self, machine: CloudMachine, until: datetime) -> None:
        until = min(until, machine.ended or until)
        if machine.stopped is not None and not self.habits.power_off_still_costs:
            until = min(until, machine.stopped)
        if until <= machine.paid_until:
            return
        changes = [self.state.began + after for after, _ in machine.kind.changes]
        for end in sorted({at for at in changes if machine.paid_until < at < until} | {until}):
            passed = end - machine.paid_until
            machine.paid_seconds += passed.total_seconds()
            rate = self.rate(machine.kind, machine.paid_until)
            machine.paid += Decimal(rate or 0) * (passed // timedelta(microseconds=1)) / _MICROSECONDS
            machine.paid_until = end

    def _settle(self) -> None:
        """Write down, then do."""
        self._keep(self.state)
        effects, self._effects = self._effects, []
        for effect in effects:
            effect()

    def _next_fault(self, action: str) -> Fault | None:
        for index, (fault, on) in enumerate(self.state.arranged):
            if on in {"*", action}:
                del self.state.arranged[index]
                return fault
        chance = random.Random(f"{self._seed}/{self.state.asked}")
        return next((fault for fault, rate in self.habits.faults.items() if chance.random() < rate), None)

    def _no_answer(self, deadline: timedelta | None) -> None:
        self.time.wait(_FOREVER if deadline is None else deadline)
        raise CloudTimeout("no answer")


def _effect(act: Callable[[CloudMachine], None], machine: CloudMachine) -> Callable[[], None]:
    return lambda: act(machine)
