"""The installed plugins, as far as their metadata tells."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Installed", "installed"]


@frozen(kw_only=True)
class Installed:
    """One plugin that a config could name."""

    role: str
    name: str
    distribution: str
    version: str
    problem: str = ""
    """Why it cannot be used; empty when nothing is known against it."""


def installed(*, check: bool = False) -> list[Installed]:
    """List plugins by role and name; with ``check`` each is imported, and what is wrong with it is told."""
    from longshore.errors import PluginError
    from longshore.runtime.registry import Registry

    registry = Registry()
    found: list[Installed] = []
    for entry in registry.entries():
        problem = entry.problem
        if check and not problem:
            try:
                registry.load(entry)
            except PluginError as error:
                problem = str(error)
        found.append(
            Installed(
                role=entry.role,
                name=f"{entry.name} (several)" if entry.several else entry.name,
                distribution=entry.distribution,
                version=entry.version,
                problem=problem,
            )
        )
    return sorted(found, key=lambda plugin: (plugin.role, plugin.name, plugin.distribution))
