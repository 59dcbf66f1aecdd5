"""The part of the stand-in for Azure that all its services share: resource groups, resources by their ids, lists of
them, networks, and operations that take their time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from attrs import evolve

from longshore.testing.clouds.azure_words import (
    ADDRESS,
    CARD,
    DISK,
    FIREWALL,
    KEY,
    NETWORK,
    VM,
    is_asked_for,
    not_found,
    page,
    refused,
)
from longshore.testing.clouds.http_cloud import Answer, Check, HttpCloud, Request

__all__ = ["GROUP", "NAME", "AzureResources", "Route"]

Route = tuple[str, str, str, Callable[..., Answer]]
"""A name for it, the method, a pattern of the path below the subscription in small letters, and what is done."""
GROUP, NAME = "/resourcegroups/([^/]+)", "([^/]+)"
"""Patterns."""
_USERS = (VM.lower(), CARD.lower())
"""Kinds of resources that need others."""
_IN_USE: Mapping[str, str] = MappingProxyType(
    {
        CARD.lower(): "NicInUse",
        ADDRESS.lower(): "PublicIPAddressCannotBeDeleted",
        DISK.lower(): "ResourceInUse",
        NETWORK.lower(): "InUseSubnetCannotBeDeleted",
        FIREWALL.lower(): "InUseNetworkSecurityGroupCannotBeDeleted",
    }
)
"""What Azure says of one that something else needs."""
_SPACES = {VM: "Compute", DISK: "Compute", KEY: "Compute"}


class AzureResources(HttpCloud):
    """What there is in one subscription."""

    polls = 2
    """So often must an operation be asked about."""
    takes = timedelta(0)
    """So long it takes at least."""

    def __init__(self, subscription: str, *, check: Check | None = None) -> None:
        """Begin with nothing."""
        super().__init__(check=check)
        self._subscription = subscription
        self._next = 0
        self.groups: dict[str, dict[str, Any]] = {}
        """By name, in small letters."""
        self.resources: dict[str, dict[str, Any]] = {}
        """By id, in small letters."""
        self._operations: dict[str, tuple[int, datetime, dict[str, Any]]] = {}
        here = f"/subscriptions/{re.escape(subscription)}".lower()
        self._routes = [(name, method, re.compile(here + path), act) for name, method, path, act in self.routes()]

    def routes(self) -> Sequence[Route]:
        """List what can be asked for."""
        compute, network = "/providers/microsoft.compute", "/providers/microsoft.network"
        rule = f"{GROUP}{network}/networksecuritygroups/{NAME}/securityrules/{NAME}"
        return [
            ("groups.list", "GET", "/resourcegroups", self._list_groups),
            ("groups.get", "GET", GROUP, self._get_group),
            ("groups.put", "PUT", GROUP, self._put_group),
            ("groups.delete", "DELETE", GROUP, self._delete_group),
            ("resources.list", "GET", "/resources", self._list_all),
            ("resources.listGroup", "GET", f"{GROUP}/resources", self._list_group),
            ("sshPublicKeys.list", "GET", f"{compute}/(sshpublickeys)", self._list_kind),
            ("operations.get", "GET", f"{compute}/locations/[a-z0-9]+/operations/{NAME}", self._operation),
            ("disks.delete", "DELETE", f"{GROUP}{compute}/(disks)/{NAME}", self._delete),
            ("networkInterfaces.list", "GET", f"{network}/(networkinterfaces)", self._list_kind),
            ("publicIPAddresses.list", "GET", f"{network}/(publicipaddresses)", self._list_kind),
            ("securityRules.put", "PUT", rule, self._rule),
            ("securityRules.get", "GET", rule, self._get_rule),
            *(
                (f"{kind}.{method.lower()}", method, f"{GROUP}{network}/({kind.lower()})/{NAME}", act)
                for kind in (FIREWALL, NETWORK, CARD, ADDRESS)
                for method, act in (("GET", self._get), ("PUT", self._put), ("DELETE", self._delete))
            ),
        ]

    def _route(self, request: Request) -> tuple[str, Callable[..., Answer], Sequence[str]] | None:
        for name, method, pattern, act in self._routes:
            match = pattern.fullmatch(request.path.lower())
            if match and method == request.method:
                return name, act, match.groups()
        return None

    def _unmet(self, request: Request) -> Answer | None:
        """Refuse what is asked for on a condition that does not hold: that a resource is not there, or as it was."""
        there = self.resources.get(request.path.lower())
        if there is not None and request.headers.get("if-none-match") == "*":
            return refused(412, "PreconditionFailed", "The resource exists, and must not.")
        wanted = request.headers.get("if-match")
        if wanted is not None and (there is None or wanted not in {"*", _etag(there)}):
            return refused(412, "PreconditionFailed", "The resource is not as it was.")
        return None

    def _with_etag(self, request: Request, answer: Answer) -> Answer:
        there = self.resources.get(request.path.lower())
        if there is None or request.method != "GET":
            return answer
        return evolve(answer, headers={**answer.headers, "ETag": _etag(there)})

    # --- what a test does

    def add_group(self, name: str, body: Mapping[str, Any]) -> None:
        """Let a resource group be there."""
        with self._lock:
            kind = "Microsoft.Resources/resourceGroups"
            where = f"/subscriptions/{self._subscription}/resourceGroups/{name}"
            self.groups[name.lower()] = {"tags": {}, **body, "id": where, "name": name, "type": kind}

    def add(self, group: str, kind: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Let any other resource be there."""
        with self._lock:
            where = self._id(group, kind, name)
            space = _SPACES.get(kind, "Network")
            row = {"tags": {}, **body, "id": where, "name": name, "type": f"Microsoft.{space}/{kind}"}
            row["properties"] = {"provisioningState": "Succeeded", **row.get("properties", {})}
            if kind == KEY:
                del row["properties"]["provisioningState"]
            self.resources[where.lower()] = row
            return row

    # --- resource groups, and lists of all

    def _list_groups(self, request: Request) -> Answer:
        return page(request, [row for row in self.groups.values() if is_asked_for(row, request)])

    def _get_group(self, _: Request, name: str) -> Answer:
        row = self.groups.get(name)
        return self._no_group(name) if row is None else Answer(status=200, body=row)

    def _no_group(self, name: str) -> Answer:
        return refused(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")

    def _put_group(self, request: Request, name: str) -> Answer:
        self.add_group(name, {**request.body, "properties": {"provisioningState": "Succeeded"}})
        return Answer(status=201, body=self.groups[name])

    def _delete_group(self, request: Request, name: str) -> Answer:
        if self.groups.pop(name, None) is None:
            return self._no_group(name)
        for each in [each for each in self.resources if f"/resourcegroups/{name}/" in each]:
            del self.resources[each]
        return self._begun(request, 202)

    def _list_all(self, request: Request) -> Answer:
        return page(request, [_brief(row) for row in self.resources.values() if is_asked_for(row, request)])

    def _list_group(self, request: Request, name: str) -> Answer:
        if name not in self.groups:
            return self._no_group(name)
        rows = [_brief(row) for each, row in self.resources.items() if f"/resourcegroups/{name}/" in each]
        return page(request, rows)

    def _list_kind(self, request: Request, kind: str) -> Answer:
        return page(request, [row for each, row in self.resources.items() if f"/{kind}/" in each])

    # --- networks

    def _id(self, group: str, kind: str, name: str) -> str:
        space = _SPACES.get(kind, "Network")
        where = f"/subscriptions/{self._subscription}/resourceGroups/{group}"
        return f"{where}/providers/Microsoft.{space}/{kind}/{name}"

    def _get(self, request: Request, *_: str) -> Answer:
        row = self.resources.get(request.path.lower())
        return not_found(request.path) if row is None else Answer(status=200, body=row)

    def _put(self, request: Request, group: str, kind: str, name: str) -> Answer:
        if group not in self.groups:
            return self._no_group(group)
        known = {each.lower(): each for each in (FIREWALL, NETWORK, CARD, ADDRESS)}
        row = self.add(group, known[kind], name, request.body)
        return self._begun(request, 201, row)

    def _rule(self, request: Request, group: str, firewall: str, rule: str) -> Answer:
        row = self.resources.get(self._id(group, FIREWALL, firewall).lower())
        if row is None:
            return refused(404, "ParentResourceNotFound", f"The parent of '{rule}' was not found.")
        others = [each for each in row["properties"].get("securityRules", ()) if each["name"] != rule]
        made = {**request.body, "name": rule}
        row["properties"]["securityRules"] = [*others, made]
        return self._begun(request, 200, made)

    def _get_rule(self, _: Request, group: str, firewall: str, rule: str) -> Answer:
        row = self.resources.get(self._id(group, FIREWALL, firewall).lower(), {"properties": {}})
        rules = row["properties"].get("securityRules", ())
        found = next((each for each in rules if each["name"] == rule), None)
        return not_found(rule) if found is None else Answer(status=200, body=found)

    def _delete(self, request: Request, _: str, kind: str, name: str) -> Answer:
        where = request.path.lower()
        if where not in self.resources:
            return Answer(status=204)
        users = [row for each, row in self.resources.items() if each.split("/")[-2] in _USERS]
        if any(where in str(row["properties"]).lower() for row in users):
            return refused(400, _IN_USE[kind], f"{name} is in use")
        del self.resources[where]
        return self._begun(request, 202)

    # --- operations

    def _begun(
        self, request: Request, status: int, body: Any = None, *, error: Mapping[str, str] | None = None
    ) -> Answer:
        self._next += 1
        name = f"operation-{self._next}"
        done = {"name": name, "status": "Failed", "error": error} if error else {"name": name, "status": "Succeeded"}
        self._operations[name] = (self.polls, self.now() + self.takes, done)
        where = f"https://{request.headers['host']}/subscriptions/{self._subscription}/providers/Microsoft.Compute"
        url = f"{where}/locations/anywhere/operations/{name}?api-version=2024-01-01"
        headers = {"Azure-AsyncOperation": url, "Retry-After": "0"}
        shown = {**body, "properties": {**body["properties"], "provisioningState": "Creating"}} if body else None
        return Answer(status=status, body=shown, headers=headers)

    def _operation(self, _: Request, name: str) -> Answer:
        if name not in self._operations:
            return not_found(name)
        left, until, done = self._operations[name]
        self._operations[name] = (left - 1, until, done)
        shown = done if left <= 1 and self.now() >= until else {"name": name, "status": "InProgress"}
        return Answer(status=200, body=shown, headers={"Retry-After": "0"})


def _brief(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "name", "type", "location", "tags") if key in row}


def _etag(row: Mapping[str, Any]) -> str:
    """Give what changes with a resource."""
    return f'"{hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:32]}"'
