"""What a login must be allowed to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.config.bucket_uses import bucket_uses
from longshore.config.renting import read_renting
from longshore.errors import UsageError
from longshore.plugin.rights import BucketUse
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry

__all__ = ["least_policy"]


def least_policy(name: str, folder: Path | str = ".") -> Mapping[str, Any]:
    """Give the least rights that a provider needs with the options that it has in a folder, and those for the buckets
    of its cloud that the workflow there names; no cloud is asked.

    ``name`` is that of a table of ``[providers]``, or of a plugin: then that of the only table that names it, or its
    default options when there is none.

    Raises:
        ConfigError: when pools or providers are described wrongly; with every mistake.
        PluginError: when there is no such plugin, or it cannot be used.
        UsageError: when its cloud knows no policies, or several tables could be meant.
    """
    renting = read_renting(Path(folder))
    registry = Registry()
    record, options = Providers(renting.providers, registry, places=renting.places).described(
        _table_of(name, renting.providers)
    )
    if record.policy is None:
        raise UsageError(f"{record.name} does not say which rights it needs")
    policy: Mapping[str, Any] = record.policy(options)
    uses: dict[str, list[BucketUse]] = {}
    for use in bucket_uses(Path(folder)):
        uses.setdefault(use.url.partition("://")[0].lower(), []).append(use)
    for scheme, some in uses.items():
        store = registry.store(scheme)
        if store.policy is not None and store.cloud == record.name:
            policy = store.policy(policy, some)
    return policy


def _table_of(name: str, tables: Mapping[str, Mapping[str, Any]]) -> str:
    if name in tables:
        return name
    found = [table for table, options in tables.items() if str(options.get("plugin")).rpartition(":")[2] == name]
    if len(found) > 1:
        raise UsageError(f"several tables of [providers] name the plugin {name}: {', '.join(found)}; name one of them")
    return found[0] if found else name
