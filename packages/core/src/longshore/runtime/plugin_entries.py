"""Which plugins there are, told from metadata alone: nothing of theirs is imported here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["BUILTIN", "CORE", "OFFICIAL", "PLURALS", "ROLES", "PluginEntry", "installed_entries", "normal"]

GROUP = "longshore"
CORE = "longshore-core"

ROLES = ("executor", "observer", "provider", "store", "strategy")
PLURALS = {
    "executors": "executor",
    "observers": "observer",
    "providers": "provider",
    "stores": "store",
    "strategies": "strategy",
}


@frozen(kw_only=True)
class PluginEntry:
    """One announcement in the metadata of a distribution."""

    role: str
    name: str
    target: str
    """The module that holds the hooks, or ``module:attribute``."""
    distribution: str
    version: str = ""
    several: bool = False
    """It announces any number of this role's plugins, by other names than its own."""
    problem: str = ""
    """Why it can never be used."""

    @property
    def label(self) -> str:
        """Name the entry and who brought it."""
        return f"plugin {self.role}.{self.name} of {self.distribution}{' ' if self.version else ''}{self.version}"


def _builtin(role: str, target: str, *names: str) -> tuple[PluginEntry, ...]:
    return tuple(PluginEntry(role=role, name=name, target=target, distribution=CORE) for name in names)


BUILTIN = (
    *_builtin("executor", "longshore.builtin.local", "local"),
    *_builtin("observer", "longshore.builtin.observers", "desktop", "email", "events-file", "webhook"),
    *_builtin(
        "strategy",
        "longshore.builtin.strategies",
        "cheapest",
        "critical-path",
        "data-local",
        "first-fit",
        "random",
        "round-robin",
        "spread",
    ),
)
"""The core's own plugins. They are known without a look at the metadata of all that is installed, which takes 44 ms."""

OFFICIAL = {
    ("executor", "k8s"): "longshore-k8s",
    ("executor", "ssh"): "longshore-ssh",
    ("observer", "openlineage"): "longshore-openlineage",
    ("observer", "otel"): "longshore-otel",
    ("provider", "aws"): "longshore-aws",
    ("provider", "azure"): "longshore-azure",
    ("provider", "do"): "longshore-do",
    ("provider", "eks"): "longshore-aws",
    ("provider", "gcp"): "longshore-gcp",
    ("store", "az"): "longshore-fsspec",
    ("store", "gs"): "longshore-fsspec",
    ("store", "https"): "longshore-fsspec",
    ("store", "s3"): "longshore-fsspec",
    ("strategy", "knapsack"): "longshore-knapsack",
}
"""Where to get a plugin that is not installed."""


def installed_entries() -> Sequence[PluginEntry]:
    """List what the installed distributions announce, the core's own aside; sorted."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - 10 ms that runs with the core's own plugins save

    found = [_entry(point) for point in entry_points(group=GROUP)]
    others = {entry for entry in found if normal(entry.distribution) != CORE}
    return sorted(others, key=lambda entry: (entry.role, entry.name, entry.distribution, entry.target))


def _entry(point: EntryPoint) -> PluginEntry:
    role, _, name = point.name.partition(".")
    several = role in PLURALS
    problem = ""
    if not name or (role not in ROLES and not several):
        problem = f"entry {point.name!r} has no role; it must begin with one of {', '.join(ROLES)} and a dot"
    return PluginEntry(
        role=PLURALS.get(role, role),
        name=name,
        target=point.value.replace(" ", ""),
        distribution=point.dist.name if point.dist is not None else "an unknown distribution",
        version=point.dist.version if point.dist is not None else "",
        several=several,
        problem=problem,
    )


def normal(distribution: str) -> str:
    """Spell a distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
