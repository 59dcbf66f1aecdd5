"""What ``longshore clusters`` does, once its words are read."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from longshore.machines import kubernetes
from longshore.model.quantity import Money
from longshore_cli.fleet import agreement, show_rented
from longshore_cli.fleet_view import (
    deed_documents,
    machine_document,
    show_deeds,
    show_machines,
    show_unasked,
    unasked_document,
)
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, say
from longshore_cli.places import folder_of
from longshore_cli.telling import telling
from longshore_cli.text import clean, table

__all__ = ["rent", "scale", "show_clusters", "show_kubeconfig", "show_token"]

_API = "client.authentication.k8s.io/v1"


def show_clusters(invocation: Invocation, folder: Path | None, providers: Sequence[str]) -> int:
    """List clusters; exit code 1 when not everybody could be asked."""
    with telling(invocation) as tell:
        found, unasked = kubernetes.rented_clusters(folder_of(folder), providers=providers, tell=tell)
    now = datetime.now(UTC)
    if invocation.json:
        rows = [{**machine_document(each.machine, now), "nodes": each.nodes} for each in found]
        answer_json({"clusters": rows, "unasked": unasked_document(unasked)})
    else:
        if found:
            show_machines([each.machine for each in found], now)
            nodes = [[clean(each.machine.name), "?" if each.nodes is None else str(each.nodes)] for each in found]
            answer(table(nodes, ("CLUSTER", "NODES")))
        else:
            say("No clusters.")
        show_unasked(unasked)
    return 1 if any(each.expected for each in unasked) else 0


def rent(
    invocation: Invocation,
    folder: Path | None,
    pool: str,
    *,
    name: str,
    lifetime: timedelta | None,
    max_cost: Money | None,
    asking: bool,
) -> int:
    """Rent the cluster of a pool, after a question where nothing bounds what it costs."""
    with telling(invocation) as tell:
        rows = kubernetes.rent_cluster(
            pool,
            folder=folder_of(folder),
            label=name,
            lifetime=lifetime,
            max_cost=max_cost,
            agree=agreement(invocation, asking=asking),
            tell=tell,
        )
    show_rented(invocation, rows)
    return 0


def scale(
    invocation: Invocation, folder: Path | None, names: Sequence[str], nodes: int, providers: Sequence[str]
) -> int:
    """Scale clusters; exit code 1 when one could not be."""
    with telling(invocation) as tell:
        deeds = kubernetes.scale_clusters(names, nodes, folder=folder_of(folder), providers=providers, tell=tell)
    if invocation.json:
        answer_json({"done": deed_documents(deeds)})
    else:
        show_deeds(deeds)
    return 1 if any(deed.error for deed in deeds) else 0


def show_kubeconfig(invocation: Invocation, folder: Path | None, name: str) -> int:
    """Print a kubeconfig, which is JSON and so YAML, too."""
    place = folder_of(folder)
    with telling(invocation) as tell:
        access = kubernetes.access_to_cluster(name, folder=place, tell=tell)
    cluster: dict[str, Any] = {"server": access.server}
    if access.authority:
        cluster["certificate-authority-data"] = base64.b64encode(access.authority.encode()).decode()
    words = ["clusters", "token", name, "--folder", str(place.resolve())]
    entry = {"apiVersion": _API, "command": "longshore", "args": words, "interactiveMode": "Never"}
    answer_json(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"exec": entry}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
    )
    return 0


def show_token(invocation: Invocation, folder: Path | None, name: str) -> int:
    """Print a token in the form that clients of Kubernetes ask for."""
    with telling(invocation) as tell:
        access = kubernetes.access_to_cluster(name, folder=folder_of(folder), tell=tell)
    status = {"token": access.token}
    if access.until is not None:
        status["expirationTimestamp"] = f"{access.until:%Y-%m-%dT%H:%M:%SZ}"
    answer(json.dumps({"apiVersion": _API, "kind": "ExecCredential", "status": status}))
    return 0
