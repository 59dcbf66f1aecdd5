"""What EKS has and moto lacks: who is let into a cluster, and nodes that have to go before their cluster."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

__all__ = ["Entries", "action_of"]

Answer = tuple[str, list[tuple[str, str]], bytes]

_ACTIONS = (
    ("GET", r"/clusters", "ListClusters"),
    ("POST", r"/clusters", "CreateCluster"),
    ("GET", r"/clusters/[^/]+", "DescribeCluster"),
    ("DELETE", r"/clusters/[^/]+", "DeleteCluster"),
    ("GET", r"/clusters/[^/]+/node-groups", "ListNodegroups"),
    ("POST", r"/clusters/[^/]+/node-groups", "CreateNodegroup"),
    ("GET", r"/clusters/[^/]+/node-groups/[^/]+", "DescribeNodegroup"),
    ("DELETE", r"/clusters/[^/]+/node-groups/[^/]+", "DeleteNodegroup"),
    ("POST", r"/clusters/[^/]+/node-groups/[^/]+/update-config", "UpdateNodegroupConfig"),
    ("POST", r"/clusters/[^/]+/access-entries", "CreateAccessEntry"),
    ("POST", r"/clusters/[^/]+/access-entries/.+/access-policies", "AssociateAccessPolicy"),
)
_JSON = [("Content-Type", "application/json")]


class Entries:
    """Who is let into which cluster."""

    def __init__(self) -> None:
        self.let_in: dict[str, str] = {}
        """Policy by who, of all clusters; empty before one is named."""

    def answer(self, action: str, path: str, body: bytes) -> Answer | None:
        """Answer what moto cannot; None for all else."""
        if action not in {"CreateAccessEntry", "AssociateAccessPolicy"}:
            return None
        asked: dict[str, Any] = json.loads(body)
        if action == "CreateAccessEntry":
            who = asked["principalArn"]
            if who in self.let_in:
                told = {"message": "The specified access entry resource is already in use on this cluster."}
                return (
                    "409 Conflict",
                    [*_JSON, ("x-amzn-ErrorType", "ResourceInUseException")],
                    json.dumps(told).encode(),
                )
            self.let_in[who] = ""
            return "200 OK", _JSON, json.dumps({"accessEntry": {"principalArn": who}}).encode()
        who = unquote(path).split("/access-entries/")[1].removesuffix("/access-policies")
        self.let_in[who] = asked["policyArn"].rpartition("/")[2]
        return "200 OK", _JSON, json.dumps({"principalArn": who}).encode()


def action_of(method: str, path: str) -> str:
    """Name what is asked of EKS; empty for what is asked of something else."""
    return next((name for verb, form, name in _ACTIONS if verb == method and re.fullmatch(form, path)), "")
