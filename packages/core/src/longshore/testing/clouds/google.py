"""A stand-in for Google Cloud: instances, firewall rules, operations and quotas of one project, as its API describes
them. What there is to rent is in `longshore.testing.clouds.google_catalog`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from longshore.testing.clouds.google_catalog import REGIONS, TYPES, machine_type, skus
from longshore.testing.clouds.google_words import (
    addresses,
    born,
    is_asked_for,
    is_in,
    issuer,
    item,
    not_found,
    page,
    refused,
)
from longshore.testing.clouds.http_cloud import Answer, Check, Hosts, HttpCloud, Request
from longshore.testing.faults import Fault

__all__ = ["GoogleCloud"]

_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_MOST_LABELS = 64
_TRIES = 3
"""So often does the SDK show another login when one is not taken."""
_API = "https://www.googleapis.com/compute/v1"
_IMAGES = re.compile(
    r"projects/(?:ubuntu-os-cloud/global/images/family/ubuntu-2[24]04-lts(?:-amd64|-arm64)?"
    r"|debian-cloud/global/images/family/debian-12(?:-arm64)?)"
)
_REFUSALS: Mapping[Fault, tuple[int, str, str]] = {
    Fault.CAPACITY: (503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources available."),
    Fault.QUOTA: (403, "quotaExceeded", "Quota 'CPUS' exceeded.  Limit: 24.0 in region europe-west4."),
    Fault.CREDENTIALS: (401, "authError", "Invalid Credentials"),
    Fault.DENIED: (403, "forbidden", "Required 'compute.instances.create' permission"),
    Fault.THROTTLED: (403, "rateLimitExceeded", "Rate Limit Exceeded"),
    Fault.INVALID: (400, "invalid", "Invalid value for field 'resource'."),
    Fault.UNKNOWN: (400, "somethingNew", "Nobody has heard of this"),
}
_ZONE = r"/compute/v1/projects/{project}/zones/([a-z0-9-]+)"
_GLOBAL = r"/compute/v1/projects/{project}/global"


class GoogleCloud(HttpCloud):
    """One project, with one service account. With ``hosts`` each instance is a host that executes its boot data."""

    boot = timedelta(seconds=30)
    """How long an instance is being staged."""
    lag = timedelta(seconds=10)
    """How long it may be missing in lists."""
    waits = 2
    """So often must an operation be waited for."""
    limit = 24.0
    """Quota of instances, and of each kind of processors, in each region."""

    def __init__(self, project: str, account: str, *, check: Check | None = None) -> None:
        """``account`` is the address of mail of the service account that may do everything."""
        super().__init__(check=check)
        self.hosts: Hosts | None = None
        self._project = project
        self._account = account
        self._next = 7_000_000_000
        self.instances: dict[str, dict[str, Any]] = {}
        """By name and zone, as in ``vm.europe-west4-a``."""
        self.births: dict[str, Mapping[str, Any]] = {}
        """The body of the call that made each instance."""
        self.firewalls: dict[str, dict[str, Any]] = {}
        self.project_keys: list[str] = []
        """Lines of ``ssh-keys`` in the project's metadata."""
        self.did: set[str] = set()
        """Which methods of the API were called."""
        self._operations: dict[str, tuple[int, dict[str, Any]]] = {}
        self._asked: dict[str, dict[str, Any]] = {}
        routes: Sequence[tuple[str, str, str, Callable[..., Answer]]] = (
            ("projects.get", "GET", r"/compute/v1/projects/{project}", self._show_project),
            ("regions.get", "GET", r"/compute/v1/projects/{project}/regions/([a-z0-9-]+)", self._show_region),
            ("instances.aggregatedList", "GET", r"/compute/v1/projects/{project}/aggregated/instances", self._list),
            ("instances.list", "GET", f"{_ZONE}/instances", self._list_zone),
            ("instances.insert", "POST", f"{_ZONE}/instances", self._insert),
            ("instances.get", "GET", f"{_ZONE}/instances/([^/]+)", self._get),
            ("instances.delete", "DELETE", f"{_ZONE}/instances/([^/]+)", self._delete),
            ("instances.stop", "POST", f"{_ZONE}/instances/([^/]+)/stop", self._stop),
            ("instances.start", "POST", f"{_ZONE}/instances/([^/]+)/start", self._start),
            ("instances.getGuestAttributes", "GET", f"{_ZONE}/instances/([^/]+)/getGuestAttributes", self._attributes),
            ("machineTypes.list", "GET", f"{_ZONE}/machineTypes", self._types),
            ("zoneOperations.wait", "POST", f"{_ZONE}/operations/([^/]+)/wait", self._wait_in_zone),
            ("globalOperations.wait", "POST", f"{_GLOBAL}/operations/([^/]+)/wait", self._wait_for),
            ("firewalls.list", "GET", f"{_GLOBAL}/firewalls", self._list_firewalls),
            ("firewalls.insert", "POST", f"{_GLOBAL}/firewalls", self._insert_firewall),
            ("firewalls.patch", "PATCH", f"{_GLOBAL}/firewalls/([^/]+)", self._patch_firewall),
            ("firewalls.delete", "DELETE", f"{_GLOBAL}/firewalls/([^/]+)", self._delete_firewall),
            ("services.skus.list", "GET", r"/v1/services/([A-Z0-9-]+)/skus", self._skus),
        )
        self._routes = [
            (name, method, re.compile(path.replace("{project}", re.escape(project))), act)
            for name, method, path, act in routes
        ]

    # --- what all stand-ins say

    def action_of(self, request: Request) -> str:
        """Name the three that the laws of providers are about."""
        found = self._route(request)
        name = found[0] if found else f"{request.method} {request.path}"
        known = {"instances.insert": "create", "instances.aggregatedList": "list", "instances.delete": "end"}
        return known.get(name, name)

    def refusal(self, fault: Fault) -> Answer:
        """Say no in Google's words."""
        return refused(*_REFUSALS[fault])

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Do what is asked for."""
        if issuer(request.token) != self._account:
            return self.refusal(Fault.CREDENTIALS)
        self._end_what_is_over()
        found = self._route(request)
        if found is None:
            return refused(404, "notFound", "The resource was not found")
        name, act, words = found
        self.did.add(name)
        return self._insert(request, *words, fault=fault) if name == "instances.insert" else act(request, *words)

    def _route(self, request: Request) -> tuple[str, Callable[..., Answer], Sequence[str]] | None:
        for name, method, pattern, act in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return name, act, match.groups()
        return None

    # --- what a test does

    def fail(self, fault: Fault, *, on: str) -> None:
        """Let the next request of an action go wrong; a login that is not taken is not taken again at once, either."""
        for _ in range(_TRIES if fault is Fault.CREDENTIALS else 1):
            super().fail(fault, on=on)

    def paid(self) -> Sequence[str]:
        """List the instances that there are now."""
        with self._lock:
            self._end_what_is_over()
            return list(self.instances)

    def crowd(self, zone: str, body: Mapping[str, Any]) -> None:
        """Let an instance be there that somebody else has made."""
        with self._lock:
            row = self._birth(zone, body)
            row["creationTimestamp"] = (self.now() - self.boot).isoformat()

    def preempt(self, instance: str) -> None:
        """Take a spot instance back, and do with it what its scheduling says."""
        with self._lock:
            if self.instances[instance]["scheduling"]["provisioningModel"] != "SPOT":
                raise ValueError(f"{instance} is no spot instance")
            self._remove(instance)

    def powered_off(self, instance: str) -> None:
        """Take note that an instance's host has powered itself off."""
        with self._lock:
            if instance in self.instances:
                self.instances[instance]["status"] = "TERMINATED"

    def add_firewall(self, body: Mapping[str, Any]) -> None:
        """Let a rule be there that somebody else has made."""
        with self._lock:
            self._firewall(body)

    # --- the project

    def _show_project(self, _: Request) -> Answer:
        items = [{"key": "ssh-keys", "value": "\n".join(self.project_keys)}]
        metadata = {"kind": "compute#metadata", "items": items}
        return Answer(status=200, body={"name": self._project, "id": "42", "commonInstanceMetadata": metadata})

    def _show_region(self, _: Request, region: str) -> Answer:
        if region not in REGIONS:
            return refused(404, "notFound", f"The resource 'projects/{self._project}/regions/{region}' was not found")
        quotas = [
            {"metric": name, "limit": self.limit, "usage": self._used(name, region)}
            for name in ("CPUS", "N2_CPUS", "INSTANCES", "STATIC_ADDRESSES")
        ]
        zones = [f"{_API}/projects/{self._project}/zones/{zone}" for zone in REGIONS[region]]
        return Answer(status=200, body={"name": region, "status": "UP", "zones": zones, "quotas": quotas})

    def _used(self, metric: str, region: str) -> float:
        """Count; those that are there from before are of no account."""
        kinds = [row["machineType"].rpartition("/")[2] for row in self.instances.values() if is_in(row, region)]
        if metric == "INSTANCES":
            return float(len(kinds))
        series = {"CPUS": "e2-", "N2_CPUS": "n2-"}.get(metric, "-")
        return float(sum(TYPES[kind].cpus for kind in kinds if kind.startswith(series)))

    def _types(self, request: Request, zone: str) -> Answer:
        rows = [machine_type(name, zone) for name in TYPES]
        return Answer(status=200, body={"kind": "compute#machineTypeList", **page(request, "items", rows)})

    def _skus(self, request: Request, _: str) -> Answer:
        return Answer(status=200, body=page(request, "skus", skus()))

    # --- instances

    def _list(self, request: Request) -> Answer:
        rows = [
            row for row in self.instances.values() if self.now() >= born(row) + self.lag and is_asked_for(row, request)
        ]
        listed = page(request, "rows", [self._shown(row) for row in rows])
        zones = sorted(zone for zones in REGIONS.values() for zone in zones)
        empty = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for scope on this page."}}
        parts: dict[str, Any] = {f"zones/{zone}": empty for zone in zones}
        for row in listed.pop("rows"):
            place = f"zones/{row['zone'].rpartition('/')[2]}"
            parts[place] = {"instances": [*parts[place].get("instances", ()), row]}
        return Answer(status=200, body={"kind": "compute#instanceAggregatedList", "items": parts, **listed})

    def _list_zone(self, request: Request, zone: str) -> Answer:
        """Show those of one zone, which knows its own at once."""
        rows = [row for key, row in self.instances.items() if key.endswith(f".{zone}") and is_asked_for(row, request)]
        listed = page(request, "items", [self._shown(row) for row in rows])
        return Answer(status=200, body={"kind": "compute#instanceList", **listed})

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        up = self.now() >= born(row) + self.boot
        return {**row, "status": "RUNNING" if row["status"] == "STAGING" and up else row["status"]}

    def _get(self, _: Request, zone: str, name: str) -> Answer:
        row = self.instances.get(f"{name}.{zone}")
        return not_found(name) if row is None else Answer(status=200, body=self._shown(row))

    def _insert(self, request: Request, zone: str, *, fault: Fault | None = None) -> Answer:
        asked = request.query.get("requestId", "")
        if asked in self._asked:
            return Answer(status=200, body=self._asked[asked])
        body = request.body
        wrong = self._why_not(zone, body)
        if wrong is not None:
            return wrong
        if fault is Fault.PARTIAL:
            return self._begun("insert", zone, error=_REFUSALS[Fault.CAPACITY][1:])
        self._birth(zone, body)
        answer = self._begun("insert", zone)
        if asked:
            self._asked[asked] = answer.body
        return answer

    def _why_not(self, zone: str, body: Mapping[str, Any]) -> Answer | None:
        kind = body["machineType"].rpartition("/")[2]
        region = zone.rpartition("-")[0]
        if zone not in REGIONS.get(region, ()):
            return refused(404, "notFound", f"The resource 'projects/{self._project}/zones/{zone}' was not found")
        if f"{body['name']}.{zone}" in self.instances:
            return refused(409, "alreadyExists", f"The resource '{body['name']}' already exists")
        if kind not in TYPES or not body["machineType"].startswith(f"zones/{zone}/"):
            return refused(404, "notFound", f"The machine type '{kind}' was not found")
        metric = "N2_CPUS" if kind.startswith("n2-") else "CPUS"
        if self._used(metric, region) + TYPES[kind].cpus > self.limit:
            return self.refusal(Fault.QUOTA)
        image = body["disks"][0]["initializeParams"]["sourceImage"]
        labels, scheduling = body.get("labels", {}), body.get("scheduling", {})
        wrong = [
            (not _NAME.fullmatch(body["name"]), "name"),
            (not _IMAGES.fullmatch(image), f"disks[0].initializeParams.sourceImage': '{image}"),
            (len(labels) > _MOST_LABELS, "labels"),
            (not all(_LABEL_KEY.fullmatch(key) and _LABEL.fullmatch(value) for key, value in labels.items()), "labels"),
            ({"terminationTime", "maxRunDuration"} <= scheduling.keys(), "scheduling"),
            (scheduling.get("provisioningModel") == "SPOT" and scheduling.get("automaticRestart", True), "scheduling"),
            (datetime.fromisoformat(scheduling.get("terminationTime", "9999-01-01T00:00:00Z")) < self.now(), "time"),
        ]
        for is_so, what in wrong:
            if is_so:
                return refused(400, "invalid", f"Invalid value for field 'resource.{what}'.")
        return None

    def _birth(self, zone: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._next += 1
        number = self._next
        low = f"{number // 250 % 250}.{number % 250}"
        networks = [
            {
                **each,
                "networkIP": f"10.164.{low}",
                "accessConfigs": [{**access, "natIP": f"203.0.{low}"} for access in each.get("accessConfigs", ())],
            }
            for each in body["networkInterfaces"]
        ]
        disks = [{**each, "diskSizeGb": each["initializeParams"]["diskSizeGb"]} for each in body["disks"]]
        for disk in disks:
            del disk["initializeParams"]
        row: dict[str, Any] = {
            "labels": {},
            **body,
            "kind": "compute#instance",
            "id": str(number),
            "zone": f"{_API}/projects/{self._project}/zones/{zone}",
            "machineType": f"{_API}/projects/{self._project}/{body['machineType']}",
            "status": "STAGING",
            "creationTimestamp": self.now().isoformat(),
            "networkInterfaces": networks,
            "disks": disks,
        }
        key = f"{body['name']}.{zone}"
        self.instances[key] = row
        self.births[key] = body
        if self.hosts is not None:
            self.hosts.boot(key, addresses(row), item(body, "startup-script"))
        return row

    def _end_what_is_over(self) -> None:
        for key, row in list(self.instances.items()):
            end = row.get("scheduling", {}).get("terminationTime")
            if end and datetime.fromisoformat(end) <= self.now():
                self._remove(key)

    def _remove(self, key: str) -> None:
        del self.instances[key]
        if self.hosts is not None:
            self.hosts.cut(key)

    def _delete(self, _: Request, zone: str, name: str) -> Answer:
        if f"{name}.{zone}" not in self.instances:
            return not_found(name)
        self._remove(f"{name}.{zone}")
        return self._begun("delete", zone)

    def _stop(self, _: Request, zone: str, name: str) -> Answer:
        row = self.instances.get(f"{name}.{zone}")
        if row is None:
            return not_found(name)
        row["status"] = "TERMINATED"
        if self.hosts is not None:
            self.hosts.cut(f"{name}.{zone}", keep=True)
        return self._begun("stop", zone)

    def _start(self, _: Request, zone: str, name: str) -> Answer:
        row = self.instances.get(f"{name}.{zone}")
        if row is None:
            return not_found(name)
        row["status"] = "RUNNING"
        if self.hosts is not None:
            self.hosts.boot(f"{name}.{zone}", addresses(row))
        return self._begun("start", zone)

    def _attributes(self, _: Request, zone: str, name: str) -> Answer:
        row = self.instances.get(f"{name}.{zone}")
        if row is None or self._shown(row)["status"] != "RUNNING" or item(row, "enable-guest-attributes") != "TRUE":
            return refused(404, "notFound", "The guest attribute namespace was not found")
        kind = b"ssh-ed25519"
        blob = len(kind).to_bytes(4, "big") + kind + row["id"].encode().rjust(36, b"\0")
        shown = {"namespace": "hostkeys", "key": kind.decode(), "value": base64.b64encode(blob).decode()}
        return Answer(status=200, body={"queryPath": "hostkeys/", "queryValue": {"items": [shown]}})

    # --- operations

    def _begun(self, kind: str, zone: str = "", *, error: tuple[str, str] | None = None) -> Answer:
        self._next += 1
        operation: dict[str, Any] = {
            "kind": "compute#operation",
            "id": str(self._next),
            "name": f"operation-{self._next}",
            "operationType": kind,
            "status": "RUNNING",
            "insertTime": self.now().isoformat(),
        }
        if zone:
            operation["zone"] = f"{_API}/projects/{self._project}/zones/{zone}"
        done = {**operation, "status": "DONE", "progress": 100}
        if error is not None:
            done["error"] = {"errors": [{"code": error[0], "message": error[1]}]}
        self._operations[operation["name"]] = (self.waits, done)
        return Answer(status=200, body=operation)

    def _wait_in_zone(self, request: Request, _: str, name: str) -> Answer:
        return self._wait_for(request, name)

    def _wait_for(self, _: Request, name: str) -> Answer:
        if name not in self._operations:
            return not_found(name)
        left, done = self._operations[name]
        self._operations[name] = (left - 1, done)
        shown = {key: value for key, value in done.items() if key not in {"error", "progress"}}
        return Answer(status=200, body=done if left <= 1 else {**shown, "status": "RUNNING"})

    # --- firewall rules

    def _list_firewalls(self, request: Request) -> Answer:
        listed = page(request, "items", list(self.firewalls.values()))
        return Answer(status=200, body={"kind": "compute#firewallList", **listed})

    def _insert_firewall(self, request: Request) -> Answer:
        name = request.body["name"]
        if name in self.firewalls:
            return refused(409, "alreadyExists", f"The resource '{name}' already exists")
        if not _NAME.fullmatch(name):
            return refused(400, "invalid", "Invalid value for field 'resource.name'.")
        self._firewall(request.body)
        return self._begun("insert")

    def _firewall(self, body: Mapping[str, Any]) -> None:
        self._next += 1
        row = {"kind": "compute#firewall", "id": str(self._next), "creationTimestamp": self.now().isoformat(), **body}
        self.firewalls[body["name"]] = row

    def _patch_firewall(self, request: Request, name: str) -> Answer:
        if name not in self.firewalls:
            return not_found(name)
        self.firewalls[name].update(request.body)
        return self._begun("patch")

    def _delete_firewall(self, _: Request, name: str) -> Answer:
        return self._begun("delete") if self.firewalls.pop(name, None) else not_found(name)
