"""What a login must be allowed to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.config.renting import read_renting
from longshore.errors import UsageError
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry

__all__ = ["least_policy"]


def least_policy(name: str, folder: Path | str = ".") -> Mapping[str, Any]:
    """Give the least rights that a provider needs with the options that it has in a folder; no cloud is asked.

    ``name`` is that of a table of ``[providers]``, or of a plugin, with its default options when it has no table.

    Raises:
        ConfigError: when pools or providers are described wrongly; with every mistake.
        PluginError: when there is no such plugin, or it cannot be used.
        UsageError: when its cloud knows no policies.
    """
    renting = read_renting(Path(folder))
    record, options = Providers(renting.providers, Registry(), places=renting.places).described(name)
    if record.policy is None:
        raise UsageError(f"{record.name} does not say which rights it needs")
    policy: Mapping[str, Any] = record.policy(options)
    return policy
