"""A stand-in for DigitalOcean: droplets, sizes and the account, as its API describes them. What is beside droplets
is in `longshore.testing.clouds.digitalocean_sides`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.testing.clouds.digitalocean_sides import Firewalls, Keys
from longshore.testing.clouds.digitalocean_words import (
    REFUSALS,
    REGIONS,
    SIZES,
    addresses,
    no,
    not_found,
    page_of,
    region,
    size,
)
from longshore.testing.clouds.http_cloud import Answer, Check, HttpCloud, Place, Request
from longshore.testing.faults import Fault

__all__ = ["DigitalOcean"]

_NAME = re.compile(r"[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]")
_TAG = re.compile(r"[a-zA-Z0-9:_-]{1,255}")
_LONGEST_DATA = 65536
_MOST_AT_ONCE = 10
_IMAGES = frozenset({"ubuntu-24-04-x64", "ubuntu-22-04-x64", "debian-12-x64"})


class DigitalOcean(HttpCloud):
    """One account, with one token. With ``hosts`` each droplet is a host that executes its user data."""

    place = Place(
        provider="do",
        options='endpoint_url = "{url}"\nadmit = ["203.0.113.7/32"]',
        pool='type = "s-2vcpu-4gb"',
        user="root",
        spot=False,
    )

    def __init__(self, token: str, *, limit: int = 25, check: Check | None = None) -> None:
        """``limit`` is how many droplets the account may have."""
        super().__init__(check=check)
        self._token = token
        self._limit = limit
        self._next = 3_164_444
        self.droplets: dict[int, dict[str, Any]] = {}
        self.births: dict[int, Mapping[str, Any]] = {}
        """The body of the call that made each droplet."""
        self.keys = Keys()
        self.firewalls = Firewalls(self.now)
        self._routes: Sequence[tuple[str, str, Callable[..., Answer]]] = (
            ("GET", r"/v2/account", self._account),
            ("GET", r"/v2/sizes", self._sizes),
            ("GET", r"/v2/droplets", self._list),
            ("POST", r"/v2/droplets", self._create),
            ("DELETE", r"/v2/droplets/(\d+)", self._destroy),
            ("POST", r"/v2/droplets/(\d+)/actions", self._act),
            ("GET", r"/v2/tags/([^/]+)", self._tag),
            ("GET", r"/v2/account/keys", self.keys.list),
            ("POST", r"/v2/account/keys", self.keys.add),
            ("DELETE", r"/v2/account/keys/(\d+)", self.keys.delete),
            ("GET", r"/v2/firewalls", self.firewalls.list),
            ("POST", r"/v2/firewalls", self.firewalls.make),
            ("PUT", r"/v2/firewalls/([0-9a-f-]+)", self.firewalls.change),
            ("DELETE", r"/v2/firewalls/([0-9a-f-]+)", self.firewalls.delete),
        )

    # --- what all stand-ins say

    def action_of(self, request: Request) -> str:
        """Name the three that the laws of providers are about."""
        known = {("POST", "/v2/droplets"): "create", ("GET", "/v2/droplets"): "list"}
        if request.method == "DELETE" and request.path.startswith("/v2/droplets/"):
            return "end"
        return known.get((request.method, request.path), f"{request.method} {request.path}")

    def refusal(self, fault: Fault) -> Answer:
        """Say no in DigitalOcean's words."""
        return no(*REFUSALS[fault])

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Do what is asked for."""
        if request.token != self._token:
            return self.refusal(Fault.CREDENTIALS)
        for method, pattern, act in self._routes:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                if act == self._create:
                    return self._create(request, fault)
                return act(request, *match.groups())
        return no(404, "not_found", "The resource you were accessing could not be found.")

    def machines(self) -> Collection[str]:
        """List all droplets."""
        with self._lock:
            return list(map(str, self.droplets))

    def sides(self) -> Sequence[str]:
        """Name firewalls and keys."""
        with self._lock:
            return [row["name"] for row in (*self.firewalls.rows.values(), *self.keys.rows.values())]

    def powered_off(self, machine: str) -> None:
        """Show it as off; it costs as before."""
        with self._lock:
            if int(machine) in self.droplets:
                self.droplets[int(machine)]["status"] = "off"

    # --- what a test does

    def crowd(self, body: Mapping[str, Any]) -> None:
        """Let a droplet be there that somebody else has made; it counts for nobody's limit."""
        with self._lock:
            row = self._birth(body["name"], body)
            row["created_at"] = (self.now() - self.boot).isoformat()
            self._limit += 1

    def add_key(self, name: str, public_key: str) -> None:
        """Let a key be there that somebody has added by hand."""
        with self._lock:
            self.keys.add(Request(method="POST", path="", body={"name": name, "public_key": public_key}))

    def add_firewall(self, body: Mapping[str, Any]) -> None:
        """Let a firewall be there that somebody else has made."""
        with self._lock:
            self.firewalls.add(body)

    # --- the account

    def _account(self, _: Request) -> Answer:
        account = {
            "droplet_limit": self._limit,
            "floating_ip_limit": 3,
            "email": "me@example.org",
            "name": "Me",
            "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef",
            "email_verified": True,
            "status": "active",
            "status_message": " ",
            "team": {"uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "My Team"},
        }
        return Answer(status=200, body={"account": account})

    def _sizes(self, request: Request) -> Answer:
        return page_of(request, "sizes", [size(each) for each in SIZES])

    # --- droplets

    def _list(self, request: Request) -> Answer:
        tag = request.query.get("tag_name")
        old = [
            row for row in self.droplets.values() if self.now() >= datetime.fromisoformat(row["created_at"]) + self.lag
        ]
        return page_of(request, "droplets", [self._shown(row) for row in old if tag is None or tag in row["tags"]])

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        up = self.now() >= datetime.fromisoformat(row["created_at"]) + self.boot
        return {**row, "status": "active" if row["status"] == "new" and up else row["status"]}

    def _create(self, request: Request, fault: Fault | None) -> Answer:
        body = request.body
        names = body.get("names") or [body["name"]]
        refused = self._why_not(body, names)
        if refused is not None:
            return refused
        if fault is Fault.PARTIAL:
            names = names[: max(1, len(names) // 2)]
        if fault is Fault.DUPLICATE:
            for name in names:
                self._birth(name, body)
        made = [self._birth(name, body) for name in names]
        return Answer(status=202, body={"droplets": made, "links": {"actions": []}})

    def _why_not(self, body: Mapping[str, Any], names: Sequence[str]) -> Answer | None:
        if len(self.droplets) + len(names) > self._limit:
            return self.refusal(Fault.QUOTA)
        wrong = [
            (body["size"] not in {each[0] for each in SIZES}, "You specified an invalid size for Droplet creation."),
            (body.get("region") not in REGIONS, "You specified an invalid region for Droplet creation."),
            (body["image"] not in _IMAGES, "You specified an invalid image for Droplet creation."),
            (not set(body.get("ssh_keys", ())) <= self.keys.known(), "invalid key identifiers for Droplet creation."),
            (len(names) > _MOST_AT_ONCE, "you may create 10 Droplets at once"),
            (not all(map(_NAME.fullmatch, names)), "Only valid hostname characters are allowed."),
            (not all(map(_TAG.fullmatch, body.get("tags") or ())), "a tag has characters that tags cannot have"),
            (len(body.get("user_data", "")) > _LONGEST_DATA, "user data is too long"),
        ]
        for is_so, message in wrong:
            if is_so:
                return no(422, "unprocessable_entity", message)
        return None

    def _birth(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._next += 1
        kind = next(each for each in SIZES if each[0] == body["size"])
        number = self._next
        row: dict[str, Any] = {
            "id": number,
            "name": name,
            "memory": kind[2],
            "vcpus": kind[1],
            "disk": kind[3],
            "locked": False,
            "status": "new",
            "created_at": self.now().isoformat(),
            "features": [],
            "backup_ids": [],
            "next_backup_window": None,
            "snapshot_ids": [],
            "image": {"id": 63663980, "slug": body["image"], "name": "22.04 x64", "distribution": "Ubuntu"},
            "volume_ids": [],
            "size": size(kind),
            "size_slug": kind[0],
            "networks": {
                "v4": [
                    {"ip_address": f"10.132.{number // 250 % 250}.{number % 250}", "type": "private"},
                    {"ip_address": f"203.0.{number // 250 % 250}.{number % 250}", "type": "public"},
                ],
                "v6": [],
            },
            "region": region(body["region"]),
            "tags": list(body.get("tags") or ()),
        }
        self.droplets[number] = row
        self.births[number] = body
        if self.hosts is not None:
            self.hosts.boot(str(number), addresses(row), body.get("user_data"))
        return row

    def _destroy(self, _: Request, number: str) -> Answer:
        if self.droplets.pop(int(number), None) is None:
            return not_found()
        if self.hosts is not None:
            self.hosts.cut(number)
        return Answer(status=204)

    def _act(self, request: Request, number: str) -> Answer:
        row = self.droplets.get(int(number))
        if row is None:
            return not_found()
        kind = request.body["type"]
        if kind not in {"power_off", "power_on"}:
            return no(422, "unprocessable_entity", "the stand-in knows no such action")
        row["status"] = "off" if kind == "power_off" else "active"
        if self.hosts is not None and kind == "power_off":
            self.hosts.cut(number, keep=True)
        elif self.hosts is not None:
            self.hosts.boot(number, addresses(row))
        self._next += 1
        action = {
            "id": self._next,
            "status": "in-progress",
            "type": kind,
            "started_at": self.now().isoformat(),
            "completed_at": None,
            "resource_id": row["id"],
            "resource_type": "droplet",
            "region": row["region"],
            "region_slug": row["region"]["slug"],
        }
        return Answer(status=201, body={"action": action})

    def _tag(self, _: Request, name: str) -> Answer:
        """Show a tag; it counts at once what lists show later."""
        count = sum(1 for row in self.droplets.values() if name in row["tags"])
        if not count:
            return not_found()
        others = {kind: {"count": 0} for kind in ("images", "volumes", "volume_snapshots", "databases")}
        resources = {"count": count, "droplets": {"count": count}, **others}
        return Answer(status=200, body={"tag": {"name": name, "resources": resources}})
