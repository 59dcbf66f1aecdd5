"""A cloud that keeps its state, its bill and its bad habits, in memory.

It is reached by one door, `FakeCloud.call`: an action's name and a JSON-like body in, another one out, or `CloudFault`
and `CloudTimeout`, as an SDK would raise them. Nothing of Longshore's own classes goes through that door, so it can be
served by another process as it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from longshore.testing.fake_cloud_parts import CloudFault, CloudHabits, CloudMachine, CloudTimeout, Kind, Request
from longshore.testing.faults import Fault, Time, VirtualTime

__all__ = ["FakeCloud", "Port"]

Port = Callable[[str, Mapping[str, Any], timedelta | None], dict[str, Any]]
"""A login: action, body and deadline in, the answer out."""

_CODES = {
    Fault.CAPACITY: "InsufficientCapacity",
    Fault.QUOTA: "LimitExceeded",
    Fault.CREDENTIALS: "ExpiredToken",
    Fault.DENIED: "NotAuthorized",
    Fault.THROTTLED: "RequestLimitExceeded",
    Fault.INVALID: "MalformedParameter",
    Fault.UNKNOWN: "InternalGremlin",
}
_FOREVER = timedelta(days=1)
_PAGE = 50
_MICROSECONDS = Decimal(3_600_000_000)


class FakeCloud:
    """The cloud. ``kinds`` is what it rents; ``seed`` decides everything that is left to chance."""

    def __init__(
        self, kinds: Sequence[Kind], *, habits: CloudHabits | None = None, time: Time | None = None, seed: int = 0
    ) -> None:
        self.time = time or VirtualTime()
        self.kinds = list(kinds)
        self.habits = habits or CloudHabits()
        self.machines: dict[str, CloudMachine] = {}
        self.sides: dict[tuple[str, str], dict[str, Any]] = {}
        """By account and id."""
        self.requests: list[Request] = []
        self._random = random.Random(seed)
        self._began = self.time.now()
        self._arranged: list[tuple[Fault, str]] = []
        self._keys: dict[tuple[str, str], tuple[dict[str, Any], list[str]]] = {}
        self._count = 0
        self._reclaimed = 0

    def login(self, account: str) -> Port:
        """Give the door of one account."""

        def call(action: str, body: Mapping[str, Any], deadline: timedelta | None) -> dict[str, Any]:
            return self.call(account, action, body, deadline)

        return call

    def fail(self, fault: Fault, *, on: str, times: int = 1) -> None:
        """Let the next requests of an action (``"*"`` for any) go wrong."""
        self._arranged.extend([(fault, on)] * times)

    def living(self, account: str | None = None) -> list[CloudMachine]:
        """List the machines that cost money now, without any lag."""
        self._elapse()
        return [each for each in self.machines.values() if each.ended is None and account in {None, each.account}]

    def call(self, account: str, action: str, body: Mapping[str, Any], deadline: timedelta | None) -> dict[str, Any]:
        """Take one request.

        Raises:
            CloudFault: when it is refused.
            CloudTimeout: when no answer comes within the deadline; whether it was done is not said.
        """
        self._elapse()
        self.requests.append(Request(action=action, body=dict(body), account=account, at=self.time.now()))
        fault = self._next_fault(action)
        if fault in _CODES:
            raise CloudFault(_CODES[fault], "as arranged")
        if fault is Fault.HANG:
            self._no_answer(deadline)
        do = getattr(self, f"_do_{action}")
        self.time.wait(self.habits.latency)
        answer: dict[str, Any] = do(account, dict(body), partial=fault is Fault.PARTIAL)
        if fault is Fault.DUPLICATE:
            do(account, dict(body), partial=False)
        if fault is Fault.REPLY_LOST:
            self._no_answer(deadline)
        return answer

    def _next_fault(self, action: str) -> Fault | None:
        for index, (fault, on) in enumerate(self._arranged):
            if on in {"*", action}:
                del self._arranged[index]
                return fault
        for fault, rate in self.habits.faults.items():
            if self._random.random() < rate:
                return fault
        return None

    def _no_answer(self, deadline: timedelta | None) -> None:
        self.time.wait(_FOREVER if deadline is None else deadline)
        raise CloudTimeout("no answer")

    def _elapse(self) -> None:
        """Bring everything that happens by itself up to the present: reclaims, ends, and the bill."""
        now = self.time.now()
        due = [(self._began + after, kind) for after, kind in sorted(self.habits.reclaims)]
        for at, kind in due[self._reclaimed :]:
            if at > now:
                break
            self._reclaimed += 1
            for each in self.machines.values():
                if each.kind.spot and each.kind.type == kind and each.born <= at:
                    self._end(each, at)
        for each in self.machines.values():
            if each.ends_at is not None and each.ends_at <= now and each.ended is None:
                if self.habits.power_off_still_costs:
                    each.stopped = each.stopped or each.ends_at
                else:
                    self._end(each, each.ends_at)
            self._bill(each, now)

    def _end(self, machine: CloudMachine, at: datetime) -> None:
        if machine.ended is None:
            self._bill(machine, at)
            machine.ended = at

    def _bill(self, machine: CloudMachine, until: datetime) -> None:
        until = min(until, machine.ended or until)
        if machine.stopped is not None and not self.habits.power_off_still_costs:
            until = min(until, machine.stopped)
        if until <= machine.paid_until:
            return
        passed = until - machine.paid_until
        machine.paid_seconds += passed.total_seconds()
        rate = self.rate(machine.kind, machine.paid_until)
        machine.paid += Decimal(rate or 0) * (passed // timedelta(microseconds=1)) / _MICROSECONDS
        machine.paid_until = until

    def rate(self, kind: Kind, at: datetime) -> str | None:
        """Say what an hour costs at a moment; None when the cloud does not tell."""
        rate = kind.rate
        for after, changed in sorted(kind.changes):
            if self._began + after <= at:
                rate = changed
        return rate

    # What an account can ask for. Each takes the account and a body, and says whether to do only a part.

    def _do_whoami(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        return {"account": account, "user": f"user-of-{account}"}

    def _do_offers(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        now = self.time.now()
        return {
            "offers": [
                {
                    name: getattr(kind, name)
                    for name in (
                        "type", "region", "zone", "cpus", "memory_bytes", "gpus", "gpu_model", "arch", "disk_bytes",
                        "spot", "currency",
                    )
                } | {"rate": self.rate(kind, now)}
                for kind in self.kinds
            ]
        }  # fmt: skip

    def _do_create(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        kept = self._keys.get((account, body.get("key") or ""))
        if kept is not None and self.habits.honours_keys:
            if kept[0] != body:
                raise CloudFault("KeyMismatch", "the same key with another request")
            return {"machines": [_shown(self.machines[each]) for each in kept[1]]}
        kind = self._kind(body)
        count = body["count"]
        living = self.living()
        for side in body.get("sides", ()):
            if (account, side) not in self.sides:
                raise CloudFault("MalformedParameter", f"there is no {side}")
        if sum(each.account == account for each in living) + count > self.habits.quota:
            raise CloudFault(_CODES[Fault.QUOTA], f"{self.habits.quota} machines are the most")
        if sum(each.kind == kind for each in living) + count > kind.capacity:
            raise CloudFault(_CODES[Fault.CAPACITY], kind.type)
        made = [self._born(account, body, kind) for _ in range(count // 2 if partial else count)]
        if body.get("key"):
            self._keys[account, body["key"]] = (body, [each.id for each in made])
        return {"machines": [_shown(each) for each in made]}

    def _kind(self, body: dict[str, Any]) -> Kind:
        for kind in self.kinds:
            if all(getattr(kind, name) == body[name] for name in ("type", "region", "zone", "spot")):
                return kind
        raise CloudFault("MalformedParameter", f"there is no {body['type']} in {body['zone']}")

    def _born(self, account: str, body: dict[str, Any], kind: Kind) -> CloudMachine:
        self._count += 1
        now = self.time.now()
        machine = CloudMachine(
            id=f"i-{self._count:06}",
            account=account,
            body=body,
            tags=dict(body.get("tags", {})),
            kind=kind,
            born=now,
            paid_until=now,
            ends_at=datetime.fromisoformat(body["ends_at"]) if "ends_at" in body else None,
        )
        self.machines[machine.id] = machine
        return machine

    def _do_list(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        now, lag = self.time.now(), self.habits.listing_lag
        shown = [
            _shown(each)
            for each in self.machines.values()
            if each.account == account
            and each.born + lag <= now
            and (each.ended is None or now < each.ended + lag)
            and all(each.tags.get(key) == value for key, value in body.get("tags", {}).items())
        ]
        return _page(shown, body)

    def _own(self, account: str, body: dict[str, Any]) -> CloudMachine:
        machine = self.machines.get(body["id"])
        if machine is None or machine.account != account:
            raise CloudFault("NotFound", body["id"])
        return machine

    def _do_end(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        self._end(self._own(account, body), self.time.now())
        return {}

    def _do_tag(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        machine = self._own(account, body)
        machine.tags.update(body.get("tags", {}))
        if "ends_at" in body:
            machine.ends_at = datetime.fromisoformat(body["ends_at"])
        return {}

    def _do_stop(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        machine = self._own(account, body)
        if machine.ended is None:
            machine.stopped = machine.stopped or self.time.now()
        return {}

    def _do_start(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        machine = self._own(account, body)
        if machine.ended is not None:
            raise CloudFault("NotFound", body["id"])
        if machine.stopped is not None:
            machine.stopped, machine.paid_until = None, self.time.now()
        return {}

    def _do_notices(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        now = self.time.now()
        return {
            "notices": [
                {"id": each.id, "at": (self._began + after).isoformat()}
                for after, kind in self.habits.reclaims
                for each in self.living(account)
                if each.kind.spot and each.kind.type == kind and now < self._began + after <= now + self.habits.notice
            ]
        }

    def _do_room(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        used = len(self.living(account))
        return {"limit": self.habits.quota, "used": used}

    def _do_create_side(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        if (account, body["id"]) in self.sides:
            raise CloudFault("AlreadyThere", body["id"])
        self.sides[account, body["id"]] = body
        return {}

    def _do_list_sides(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        return _page([side for (owner, _), side in self.sides.items() if owner == account], body)

    def _do_delete_side(self, account: str, body: dict[str, Any], *, partial: bool) -> dict[str, Any]:
        key = (account, body["id"])
        if key not in self.sides:
            raise CloudFault("NotFound", body["id"])
        if any(body["id"] in each.body.get("sides", ()) for each in self.living(account)):
            raise CloudFault("InUse", body["id"])
        del self.sides[key]
        return {}


def _page(rows: Sequence[dict[str, Any]], body: Mapping[str, Any]) -> dict[str, Any]:
    begin = body.get("page", 0) * _PAGE
    more = begin + _PAGE < len(rows)
    return {"rows": list(rows[begin : begin + _PAGE]), "next": body.get("page", 0) + 1 if more else None}


def _shown(machine: CloudMachine) -> dict[str, Any]:
    state = "running" if machine.stopped is None else "stopped"
    return {
        "id": machine.id,
        "state": "ended" if machine.ended is not None else state,
        "address": f"10.0.{int(machine.id[2:]) // 250}.{int(machine.id[2:]) % 250}",
        "tags": dict(machine.tags),
        "born": machine.born.isoformat(),
        **{name: getattr(machine.kind, name) for name in ("type", "region", "zone", "spot")},
    }
