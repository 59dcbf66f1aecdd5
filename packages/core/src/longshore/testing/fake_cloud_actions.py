"""What an account can ask of the fake cloud. Each action takes the cloud, the account and the request's body."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from longshore.testing.fake_cloud_parts import CloudFault, CloudMachine, Kind
from longshore.testing.faults import Fault

if TYPE_CHECKING:
    from longshore.testing.fake_cloud import FakeCloud

__all__ = ["ACTIONS", "CODES", "HALVED"]

CODES: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.CAPACITY: "InsufficientCapacity",
        Fault.QUOTA: "LimitExceeded",
        Fault.CREDENTIALS: "ExpiredToken",
        Fault.DENIED: "NotAuthorized",
        Fault.THROTTLED: "RequestLimitExceeded",
        Fault.INVALID: "MalformedParameter",
        Fault.UNKNOWN: "InternalGremlin",
    }
)
"""What this cloud calls its refusals."""

HALVED = "halved"
"""In a request: only a part of it is done."""
_PAGE = 50
_KEYS_AFTER = timedelta(seconds=10)
"""So long after its birth a machine's host keys can be read."""
_LISTED = "type region zone cpus memory_bytes gpus gpu_model arch disk_bytes spot currency".split()

Body = dict[str, Any]


def _whoami(cloud: FakeCloud, account: str, body: Body) -> Body:
    return {"account": account, "user": f"user-of-{account}"}


def _offers(cloud: FakeCloud, account: str, body: Body) -> Body:
    now = cloud.time.now()
    return {
        "offers": [
            {**{name: getattr(kind, name) for name in _LISTED}, "rate": cloud.rate(kind, now)} for kind in cloud.kinds
        ]
    }


def _create(cloud: FakeCloud, account: str, body: Body) -> Body:
    """Make machines; with a ``group`` in the request, all of them or none. Where things go wrong, only half of them."""
    halved = body.pop(HALVED, False)
    kept = cloud.state.keys.get((account, body.get("key") or ""))
    if kept is not None and cloud.habits.honours_keys:
        if kept[0] != body:
            raise CloudFault("KeyMismatch", "the same key with another request")
        return {"machines": [_shown(cloud, cloud.machines[each]) for each in kept[1]]}
    kind = _kind(cloud, body)
    count = body["count"]
    living = cloud.living()
    for side in body.get("sides", ()):
        if (account, side) not in cloud.sides:
            raise CloudFault(CODES[Fault.INVALID], f"there is no {side}")
    if sum(each.account == account for each in living) + count > cloud.habits.quota:
        raise CloudFault(CODES[Fault.QUOTA], f"{cloud.habits.quota} machines are the most")
    if sum(each.kind == kind for each in living) + count > kind.capacity or (halved and body.get("group")):
        raise CloudFault(CODES[Fault.CAPACITY], kind.type)
    made = [_born(cloud, account, body, kind) for _ in range(count // 2 if halved else count)]
    if body.get("key"):
        cloud.state.keys[account, body["key"]] = (body, [each.id for each in made])
    return {"machines": [_shown(cloud, each) for each in made]}


def _kind(cloud: FakeCloud, body: Body) -> Kind:
    for kind in cloud.kinds:
        if all(getattr(kind, name) == body[name] for name in ("type", "region", "zone", "spot")):
            return kind
    raise CloudFault(CODES[Fault.INVALID], f"there is no {body['type']} in {body['zone']}")


def _born(cloud: FakeCloud, account: str, body: Body, kind: Kind) -> CloudMachine:
    cloud.state.count += 1
    now = cloud.time.now()
    machine = CloudMachine(
        id=f"i-{cloud.state.count:06}",
        account=account,
        body=body,
        tags=dict(body.get("tags", {})),
        kind=kind,
        born=now,
        paid_until=now,
        ends_at=datetime.fromisoformat(body["ends_at"]) if "ends_at" in body else None,
    )
    cloud.machines[machine.id] = machine
    cloud.switch(machine, on=True)
    return machine


def _list(cloud: FakeCloud, account: str, body: Body) -> Body:
    now, lag = cloud.time.now(), cloud.habits.listing_lag
    shown = [
        _shown(cloud, each)
        for each in cloud.machines.values()
        if each.account == account
        and each.born + lag <= now
        and (each.ended is None or now < each.ended + lag)
        and all(each.tags.get(key) == value for key, value in body.get("tags", {}).items())
    ]
    return _page(shown, body)


def _own(cloud: FakeCloud, account: str, body: Body) -> CloudMachine:
    machine = cloud.machines.get(body["id"])
    if machine is None or machine.account != account:
        raise CloudFault("NotFound", body["id"])
    return machine


def _living(cloud: FakeCloud, account: str, body: Body) -> CloudMachine:
    machine = _own(cloud, account, body)
    if machine.ended is not None:
        raise CloudFault("NotFound", body["id"])
    return machine


def _end(cloud: FakeCloud, account: str, body: Body) -> Body:
    cloud.end(_own(cloud, account, body), cloud.time.now())
    return {}


def _tag(cloud: FakeCloud, account: str, body: Body) -> Body:
    machine = _own(cloud, account, body)
    machine.tags.update(body.get("tags", {}))
    if "ends_at" in body:
        machine.ends_at = datetime.fromisoformat(body["ends_at"])
    return {}


def _stop(cloud: FakeCloud, account: str, body: Body) -> Body:
    machine = _living(cloud, account, body)
    if machine.stopped is None:
        machine.stopped = cloud.time.now()
        cloud.switch(machine, on=False)
    return {}


def _start(cloud: FakeCloud, account: str, body: Body) -> Body:
    machine = _living(cloud, account, body)
    if machine.stopped is not None:
        machine.stopped, machine.paid_until = None, cloud.time.now()
        cloud.switch(machine, on=True)
    return {}


def _notices(cloud: FakeCloud, account: str, body: Body) -> Body:
    now = cloud.time.now()
    told = []
    for each in cloud.living(account):
        trace = [cloud.state.began + after for after, kind in cloud.habits.reclaims if kind == each.kind.type]
        due = [at for at in (*trace, each.reclaimed_at) if at is not None and now < at <= now + cloud.habits.notice]
        if each.kind.spot and due:
            told.append({"id": each.id, "at": min(due).isoformat()})
    return {"notices": told}


def _taken(cloud: FakeCloud, account: str, body: Body) -> Body:
    ours = [each for each in cloud.machines.values() if each.account == account]
    return {"taken": [each.id for each in ours if each.ended is not None and each.ended == each.reclaimed_at]}


def _room(cloud: FakeCloud, account: str, body: Body) -> Body:
    return {"limit": cloud.habits.quota, "used": len(cloud.living(account))}


def _host_keys(cloud: FakeCloud, account: str, body: Body) -> Body:
    """Read what a machine has written on its console."""
    machine = _living(cloud, account, body)
    if cloud.time.now() < machine.born + _KEYS_AFTER:
        return {"keys": []}
    name, raw = b"ssh-ed25519", hashlib.sha256(machine.id.encode()).digest()
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (name, raw))
    return {"keys": [f"{name.decode()} {base64.b64encode(blob).decode()}"]}


def _make_image(cloud: FakeCloud, account: str, body: Body) -> Body:
    if (account, body["name"]) in cloud.state.images:
        raise CloudFault("AlreadyThere", body["name"])
    region = _living(cloud, account, body).kind.region
    image = {"id": body["name"], "kind": "image", "region": region, "tags": dict(body["tags"])}
    cloud.state.images[account, body["name"]] = image
    return image


def _list_images(cloud: FakeCloud, account: str, body: Body) -> Body:
    return _page([image for (owner, _), image in cloud.state.images.items() if owner == account], body)


def _delete_image(cloud: FakeCloud, account: str, body: Body) -> Body:
    if cloud.state.images.pop((account, body["id"]), None) is None:
        raise CloudFault("NotFound", body["id"])
    return {}


def _admit(cloud: FakeCloud, account: str, body: Body) -> Body:
    """Let in one address for one owner; the one before is shut out."""
    try:
        address = ipaddress.ip_address(body["address"])
    except ValueError as error:
        raise CloudFault(CODES[Fault.INVALID], str(error)) from error
    cloud.state.admitted[account, body["owner"]] = str(address)
    return {}


def _create_side(cloud: FakeCloud, account: str, body: Body) -> Body:
    if (account, body["id"]) in cloud.sides:
        raise CloudFault("AlreadyThere", body["id"])
    cloud.sides[account, body["id"]] = body
    return {}


def _list_sides(cloud: FakeCloud, account: str, body: Body) -> Body:
    return _page([side for (owner, _), side in cloud.sides.items() if owner == account], body)


def _delete_side(cloud: FakeCloud, account: str, body: Body) -> Body:
    key = (account, body["id"])
    if key not in cloud.sides:
        raise CloudFault("NotFound", body["id"])
    if any(body["id"] in each.body.get("sides", ()) for each in cloud.living(account)):
        raise CloudFault("InUse", body["id"])
    del cloud.sides[key]
    return {}


def _page(rows: Sequence[Body], body: Mapping[str, Any]) -> Body:
    begin = body.get("page", 0) * _PAGE
    more = begin + _PAGE < len(rows)
    return {"rows": list(rows[begin : begin + _PAGE]), "next": body.get("page", 0) + 1 if more else None}


def _shown(cloud: FakeCloud, machine: CloudMachine) -> Body:
    state = "running" if machine.stopped is None else "stopped"
    return {
        "id": machine.id,
        "state": "ended" if machine.ended is not None else state,
        "address": cloud.hardware(machine).address(machine),
        "tags": dict(machine.tags),
        "born": machine.born.isoformat(),
        "cpus": machine.kind.cpus,
        "memory_bytes": machine.kind.memory_bytes,
        **{name: getattr(machine.kind, name) for name in ("type", "region", "zone", "spot")},
    }


ACTIONS: Mapping[str, Callable[[FakeCloud, str, Body], Body]] = MappingProxyType(
    {
        "admit": _admit,
        "create": _create,
        "create_side": _create_side,
        "delete_image": _delete_image,
        "delete_side": _delete_side,
        "end": _end,
        "host_keys": _host_keys,
        "list": _list,
        "list_images": _list_images,
        "list_sides": _list_sides,
        "make_image": _make_image,
        "notices": _notices,
        "offers": _offers,
        "room": _room,
        "start": _start,
        "stop": _stop,
        "tag": _tag,
        "taken": _taken,
        "whoami": _whoami,
    }
)
"""By name."""
