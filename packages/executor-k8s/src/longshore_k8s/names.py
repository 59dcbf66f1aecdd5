"""Names and labels of what we make in a cluster: safe, short, and the same for the same thing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = [
    "ATTEMPT_NUMBER",
    "MACHINE",
    "OURS",
    "OWNER",
    "POOL",
    "RUN",
    "TASK",
    "label_value",
    "labels_of",
    "labels_of_attempt",
    "labels_of_run",
    "object_name",
]

RUN, POOL, MACHINE = "longshore/run", "longshore/pool", "longshore/machine"
TASK, ATTEMPT_NUMBER = "longshore/task", "longshore/attempt"
OWNER = "longshore/owner"
OURS: Mapping[str, str] = MappingProxyType({"app.kubernetes.io/managed-by": "longshore"})
"""What all of ours is labelled with, whatever run it is of."""
_MOST = 63
_HASH = 10


def object_name(*parts: str) -> str:
    """Name an object: different for different parts, fit for DNS, at most 63 characters."""
    return _fit("-".join(["ls", *parts]).lower(), "\0".join(parts), r"[^a-z0-9-]+")


def label_value(text: str) -> str:
    """Give a text as the value of a label: itself where it may be, else one that is different for different texts."""
    if len(text) <= _MOST and (not text or re.fullmatch(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", text, re.ASCII)):
        return text
    return _fit(text, text, r"[^A-Za-z0-9._-]+")


def labels_of(run: str, machine: str) -> Mapping[str, str]:
    """Give the labels by which a pod is found, and known to be ours."""
    return {**labels_of_run(run), MACHINE: label_value(machine)}


def labels_of_run(run: str) -> Mapping[str, str]:
    """Give the labels of all that a run has in a cluster."""
    return {**OURS, RUN: label_value(run)}


def labels_of_attempt(run: str, pool: str, task: str, number: int) -> Mapping[str, str]:
    """Give the labels by which the pod of an attempt is found, and known to be ours."""
    return {
        **labels_of_run(run),
        POOL: label_value(pool),
        TASK: label_value(task),
        ATTEMPT_NUMBER: str(number),
    }


def _fit(text: str, whole: str, odd: str) -> str:
    digest = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:_HASH]
    kept = re.sub(odd, "-", text, flags=re.ASCII).strip("-._")[: _MOST - _HASH - 1].rstrip("-._")
    return f"{kept}-{digest}" if kept else digest
