"""Instances of the stand-in for Google Cloud: made, listed, stopped, taken back and deleted."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any

from longshore.testing.clouds.google_catalog import REGIONS, TYPES
from longshore.testing.clouds.google_operations import Operations
from longshore.testing.clouds.google_words import (
    API,
    NAME,
    REFUSALS,
    addresses,
    born,
    is_asked_for,
    is_in,
    item,
    not_found,
    page,
    refused,
)
from longshore.testing.clouds.http_cloud import Answer, HttpCloud, Request
from longshore.testing.faults import Fault

__all__ = ["Instances"]

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_MOST_LABELS = 64
_IMAGES = re.compile(
    r"projects/(?:ubuntu-os-cloud/global/images/family/ubuntu-2[24]04-lts(?:-amd64|-arm64)?"
    r"|debian-cloud/global/images/family/debian-12(?:-arm64)?)"
)
_NEVER = "9999-01-01T00:00:00Z"


class Instances:
    """Those of one project. Its clock, delays and hosts are the cloud's."""

    def __init__(self, project: str, cloud: HttpCloud, operations: Operations) -> None:
        self.limit = 24.0
        """Quota of instances, and of each kind of processors, in each region."""
        self.rows: dict[str, dict[str, Any]] = {}
        """By name and zone, as in ``vm.europe-west4-a``."""
        self.births: dict[str, Mapping[str, Any]] = {}
        """The body of the call that made each."""
        self._project = project
        self._cloud = cloud
        self._operations = operations
        self._numbers = count(7_000_000_001)
        self._asked: dict[str, dict[str, Any]] = {}

    def used(self, metric: str, region: str) -> float:
        """Say how much of a quota is used in a region."""
        kinds = [row["machineType"].rpartition("/")[2] for row in self.rows.values() if is_in(row, region)]
        if metric == "INSTANCES":
            return float(len(kinds))
        series = {"CPUS": "e2-", "N2_CPUS": "n2-"}.get(metric, "-")
        return float(sum(TYPES[kind].cpus for kind in kinds if kind.startswith(series)))

    # --- what is asked

    def list_all(self, request: Request) -> Answer:
        """List those of all zones; what was made just now may be missing."""
        late = self._cloud.now() - self._cloud.lag
        rows = [row for row in self.rows.values() if born(row) <= late and is_asked_for(row, request)]
        listed = page(request, "rows", [self._shown(row) for row in rows])
        zones = sorted(zone for zones in REGIONS.values() for zone in zones)
        empty = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "There are no results for scope on this page."}}
        parts: dict[str, Any] = {f"zones/{zone}": empty for zone in zones}
        for row in listed.pop("rows"):
            place = f"zones/{row['zone'].rpartition('/')[2]}"
            parts[place] = {"instances": [*parts[place].get("instances", ()), row]}
        return Answer(status=200, body={"kind": "compute#instanceAggregatedList", "items": parts, **listed})

    def list_zone(self, request: Request, zone: str) -> Answer:
        """List those of one zone, which knows its own at once."""
        rows = [row for key, row in self.rows.items() if key.endswith(f".{zone}") and is_asked_for(row, request)]
        listed = page(request, "items", [self._shown(row) for row in rows])
        return Answer(status=200, body={"kind": "compute#instanceList", **listed})

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        up = self._cloud.now() >= born(row) + self._cloud.boot
        return {**row, "status": "RUNNING" if row["status"] == "STAGING" and up else row["status"]}

    def get(self, _: Request, zone: str, name: str) -> Answer:
        """Show one."""
        row = self.rows.get(f"{name}.{zone}")
        return not_found(name) if row is None else Answer(status=200, body=self._shown(row))

    def insert(self, request: Request, zone: str, *, fault: Fault | None = None) -> Answer:
        """Make one; once for each id that a request has."""
        asked = request.query.get("requestId", "")
        if asked in self._asked:
            return Answer(status=200, body=self._asked[asked])
        body = request.body
        wrong = self._why_not(zone, body)
        if wrong is not None:
            return wrong
        if fault is Fault.PARTIAL:
            return self._operations.begun("insert", zone, error=REFUSALS[Fault.CAPACITY][1:])
        self.add(zone, body)
        answer = self._operations.begun("insert", zone)
        if asked:
            self._asked[asked] = answer.body
        return answer

    def _why_not(self, zone: str, body: Mapping[str, Any]) -> Answer | None:
        kind = body["machineType"].rpartition("/")[2]
        region = zone.rpartition("-")[0]
        if zone not in REGIONS.get(region, ()):
            return refused(404, "notFound", f"The resource 'projects/{self._project}/zones/{zone}' was not found")
        if f"{body['name']}.{zone}" in self.rows:
            return refused(409, "alreadyExists", f"The resource '{body['name']}' already exists")
        if kind not in TYPES or not body["machineType"].startswith(f"zones/{zone}/"):
            return refused(404, "notFound", f"The machine type '{kind}' was not found")
        metric = "N2_CPUS" if kind.startswith("n2-") else "CPUS"
        if self.used(metric, region) + TYPES[kind].cpus > self.limit:
            return refused(*REFUSALS[Fault.QUOTA])
        image = body["disks"][0]["initializeParams"]["sourceImage"]
        labels, scheduling = body.get("labels", {}), body.get("scheduling", {})
        wrong = [
            (not NAME.fullmatch(body["name"]), "name"),
            (not _IMAGES.fullmatch(image), f"disks[0].initializeParams.sourceImage': '{image}"),
            (len(labels) > _MOST_LABELS, "labels"),
            (not all(_LABEL_KEY.fullmatch(key) and _LABEL.fullmatch(value) for key, value in labels.items()), "labels"),
            ({"terminationTime", "maxRunDuration"} <= scheduling.keys(), "scheduling"),
            (scheduling.get("provisioningModel") == "SPOT" and scheduling.get("automaticRestart", True), "scheduling"),
            (datetime.fromisoformat(scheduling.get("terminationTime", _NEVER)) < self._cloud.now(), "time"),
        ]
        for is_so, what in wrong:
            if is_so:
                return refused(400, "invalid", f"Invalid value for field 'resource.{what}'.")
        return None

    def delete(self, _: Request, zone: str, name: str) -> Answer:
        """Delete one."""
        if f"{name}.{zone}" not in self.rows:
            return not_found(name)
        self.remove(f"{name}.{zone}")
        return self._operations.begun("delete", zone)

    def stop(self, _: Request, zone: str, name: str) -> Answer:
        """Stop one; its disk stays."""
        row = self.rows.get(f"{name}.{zone}")
        if row is None:
            return not_found(name)
        row["status"] = "TERMINATED"
        if self._cloud.hosts is not None:
            self._cloud.hosts.cut(f"{name}.{zone}", keep=True)
        return self._operations.begun("stop", zone)

    def start(self, _: Request, zone: str, name: str) -> Answer:
        """Start one again."""
        row = self.rows.get(f"{name}.{zone}")
        if row is None:
            return not_found(name)
        row["status"] = "RUNNING"
        if self._cloud.hosts is not None:
            self._cloud.hosts.boot(f"{name}.{zone}", addresses(row))
        return self._operations.begun("start", zone)

    def attributes(self, _: Request, zone: str, name: str) -> Answer:
        """Show the host key that the guest agent has told, where the instance lets it and runs."""
        row = self.rows.get(f"{name}.{zone}")
        if row is None or self._shown(row)["status"] != "RUNNING" or item(row, "enable-guest-attributes") != "TRUE":
            return refused(404, "notFound", "The guest attribute namespace was not found")
        kind = b"ssh-ed25519"
        blob = len(kind).to_bytes(4, "big") + kind + row["id"].encode().rjust(36, b"\0")
        shown = {"namespace": "hostkeys", "key": kind.decode(), "value": base64.b64encode(blob).decode()}
        return Answer(status=200, body={"queryPath": "hostkeys/", "queryValue": {"items": [shown]}})

    # --- what happens to them

    def add(self, zone: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Let one be there."""
        number = next(self._numbers)
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
            "zone": f"{API}/projects/{self._project}/zones/{zone}",
            "machineType": f"{API}/projects/{self._project}/{body['machineType']}",
            "status": "STAGING",
            "creationTimestamp": self._cloud.now().isoformat(),
            "networkInterfaces": networks,
            "disks": disks,
        }
        key = f"{body['name']}.{zone}"
        self.rows[key] = row
        self.births[key] = body
        if self._cloud.hosts is not None:
            self._cloud.hosts.boot(key, addresses(row), item(body, "startup-script"))
        return row

    def end_what_is_over(self) -> None:
        """End those whose time has come."""
        for key, row in list(self.rows.items()):
            end = row.get("scheduling", {}).get("terminationTime")
            if end and datetime.fromisoformat(end) <= self._cloud.now():
                self.remove(key)

    def remove(self, key: str) -> None:
        """Let one be no more, with its disk."""
        del self.rows[key]
        if self._cloud.hosts is not None:
            self._cloud.hosts.cut(key)
