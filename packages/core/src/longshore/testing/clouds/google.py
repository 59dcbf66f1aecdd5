"""A stand-in for Google Cloud: one project, as its API describes it. What there is to rent is in
`longshore.testing.clouds.google_catalog`, what becomes of it in the modules beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from longshore.testing.clouds.google_catalog import REGIONS, TYPES, machine_type, skus
from longshore.testing.clouds.google_firewalls import Firewalls
from longshore.testing.clouds.google_instances import Instances
from longshore.testing.clouds.google_operations import Operations
from longshore.testing.clouds.google_words import API, REFUSALS, issuer, page, refused
from longshore.testing.clouds.http_cloud import Answer, Check, HttpCloud, Place, Request
from longshore.testing.faults import Fault

__all__ = ["GoogleCloud"]

_TRIES = 3
"""So often does the SDK show another login when one is not taken."""
_ZONE = r"/compute/v1/projects/{project}/zones/([a-z0-9-]+)"
_GLOBAL = r"/compute/v1/projects/{project}/global"


class GoogleCloud(HttpCloud):
    """One project, with one service account. With ``hosts`` each instance is a host that executes its boot data."""

    place = Place(
        provider="gcp",
        options="""
endpoint_url = "{url}"
billing_url = "{url}"
regions = ["europe-west4"]
admit = ["203.0.113.7/32"]
""",
        pool='type = "e2-small"',
        user="longshore",
        spot=True,
    )

    def __init__(self, project: str, account: str, *, check: Check | None = None) -> None:
        """``account`` is the address of mail of the service account that may do everything."""
        super().__init__(check=check)
        self._project = project
        self._account = account
        self.project_keys: list[str] = []
        """Lines of ``ssh-keys`` in the project's metadata."""
        self.did: set[str] = set()
        """Which methods of the API were called."""
        self.operations = Operations(project, self.now)
        self.instances = Instances(project, self, self.operations)
        self.firewalls = Firewalls(self.operations, self.now)
        self._routes = [
            (name, method, re.compile(path.replace("{project}", re.escape(project))), act)
            for name, method, path, act in self._known()
        ]

    def _known(self) -> Sequence[tuple[str, str, str, Callable[..., Answer]]]:
        vms, rules, operations = self.instances, self.firewalls, self.operations
        return (
            ("projects.get", "GET", r"/compute/v1/projects/{project}", self._show_project),
            ("regions.get", "GET", r"/compute/v1/projects/{project}/regions/([a-z0-9-]+)", self._show_region),
            ("instances.aggregatedList", "GET", r"/compute/v1/projects/{project}/aggregated/instances", vms.list_all),
            ("instances.list", "GET", f"{_ZONE}/instances", vms.list_zone),
            ("instances.insert", "POST", f"{_ZONE}/instances", vms.insert),
            ("instances.get", "GET", f"{_ZONE}/instances/([^/]+)", vms.get),
            ("instances.delete", "DELETE", f"{_ZONE}/instances/([^/]+)", vms.delete),
            ("instances.stop", "POST", f"{_ZONE}/instances/([^/]+)/stop", vms.stop),
            ("instances.start", "POST", f"{_ZONE}/instances/([^/]+)/start", vms.start),
            ("instances.getGuestAttributes", "GET", f"{_ZONE}/instances/([^/]+)/getGuestAttributes", vms.attributes),
            ("machineTypes.list", "GET", f"{_ZONE}/machineTypes", self._types),
            ("zoneOperations.wait", "POST", f"{_ZONE}/operations/([^/]+)/wait", operations.wait_in_zone),
            ("globalOperations.wait", "POST", f"{_GLOBAL}/operations/([^/]+)/wait", operations.wait),
            ("firewalls.list", "GET", f"{_GLOBAL}/firewalls", rules.list),
            ("firewalls.insert", "POST", f"{_GLOBAL}/firewalls", rules.insert),
            ("firewalls.patch", "PATCH", f"{_GLOBAL}/firewalls/([^/]+)", rules.patch),
            ("firewalls.delete", "DELETE", f"{_GLOBAL}/firewalls/([^/]+)", rules.delete),
            ("services.skus.list", "GET", r"/v1/services/([A-Z0-9-]+)/skus", self._skus),
        )

    # --- what all stand-ins say

    def action_of(self, request: Request) -> str:
        """Name the three that the laws of providers are about."""
        found = self._route(request)
        name = found[0] if found else f"{request.method} {request.path}"
        known = {"instances.insert": "create", "instances.aggregatedList": "list", "instances.delete": "end"}
        return known.get(name, name)

    def refusal(self, fault: Fault) -> Answer:
        """Say no in Google's words."""
        return refused(*REFUSALS[fault])

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Do what is asked for."""
        if issuer(request.token) != self._account:
            return self.refusal(Fault.CREDENTIALS)
        self.instances.end_what_is_over()
        found = self._route(request)
        if found is None:
            return refused(404, "notFound", "The resource was not found")
        name, act, words = found
        self.did.add(name)
        return act(request, *words, fault=fault) if name == "instances.insert" else act(request, *words)

    def _route(self, request: Request) -> tuple[str, Callable[..., Answer], Sequence[str]] | None:
        for name, method, pattern, act in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return name, act, match.groups()
        return None

    def machines(self) -> Collection[str]:
        """List the instances that there are now."""
        with self._lock:
            self.instances.end_what_is_over()
            return list(self.instances.rows)

    def sides(self) -> Sequence[str]:
        """Name firewall rules."""
        with self._lock:
            return list(self.firewalls.rows)

    def powered_off(self, machine: str) -> None:
        """Show it as stopped; its disk is there."""
        with self._lock:
            if machine in self.instances.rows:
                self.instances.rows[machine]["status"] = "TERMINATED"

    def reclaim(self, machine: str) -> None:
        """Take a spot instance back, and do with it what its scheduling says.

        Raises:
            ValueError: when it is none.
        """
        with self._lock:
            scheduling = self.instances.rows[machine]["scheduling"]
            if scheduling["provisioningModel"] != "SPOT":
                raise ValueError(f"{machine} is no spot instance")
            if scheduling.get("instanceTerminationAction") == "DELETE":
                self.instances.remove(machine)
            else:
                self.powered_off(machine)

    # --- what a test does

    def fail(self, fault: Fault, *, on: str) -> None:
        """Let the next request of an action go wrong; a login that is not taken is not taken again at once, either."""
        for _ in range(_TRIES if fault is Fault.CREDENTIALS else 1):
            super().fail(fault, on=on)

    def crowd(self, zone: str, body: Mapping[str, Any]) -> None:
        """Let an instance be there that somebody else has made."""
        with self._lock:
            row = self.instances.add(zone, body)
            row["creationTimestamp"] = (self.now() - self.boot).isoformat()

    def add_firewall(self, body: Mapping[str, Any]) -> None:
        """Let a rule be there that somebody else has made."""
        with self._lock:
            self.firewalls.add(body)

    # --- the project

    def _show_project(self, _: Request) -> Answer:
        items = [{"key": "ssh-keys", "value": "\n".join(self.project_keys)}]
        metadata = {"kind": "compute#metadata", "items": items}
        return Answer(status=200, body={"name": self._project, "id": "42", "commonInstanceMetadata": metadata})

    def _show_region(self, _: Request, region: str) -> Answer:
        if region not in REGIONS:
            return refused(404, "notFound", f"The resource 'projects/{self._project}/regions/{region}' was not found")
        quotas = [
            {"metric": name, "limit": self.instances.limit, "usage": self.instances.used(name, region)}
            for name in ("CPUS", "N2_CPUS", "INSTANCES", "STATIC_ADDRESSES")
        ]
        zones = [f"{API}/projects/{self._project}/zones/{zone}" for zone in REGIONS[region]]
        return Answer(status=200, body={"name": region, "status": "UP", "zones": zones, "quotas": quotas})

    def _types(self, request: Request, zone: str) -> Answer:
        rows = [machine_type(name, zone) for name in TYPES]
        return Answer(status=200, body={"kind": "compute#machineTypeList", **page(request, "items", rows)})

    def _skus(self, request: Request, _: str) -> Answer:
        return Answer(status=200, body=page(request, "skus", skus()))
