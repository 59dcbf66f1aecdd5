"""Machines by hand: list, rent, stop, start and end them, on every cloud by the same words; and forget none.

Every function reads the pools and providers of ``folder`` (the ``longshore.toml`` there, if there is one, and the
user's own configuration), asks the clouds, and keeps the user's ledger. ``tell`` is called with words about what is
waited for. Nothing is printed.

All of them raise:
    ConfigError: when pools or providers are described wrongly; with every mistake.
    LedgerError: when the record of leases cannot be read or written.
"""

from __future__ import annotations

import builtins
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longshore.machines.building import build_on
    from longshore.machines.by_hand import (
        down,
        end_run,
        gc,
        images,
        list,  # noqa: A004 - as there
        make_image_of,
        offers,
        remove_images,
        start,
        stop,
        up,
    )
    from longshore.machines.hosts import CheckedHost, check_hosts
    from longshore.machines.shells import open_shell, shells_of
    from longshore.machines.values import (
        Collected,
        Deed,
        MachineInfo,
        OfferInfo,
        Overview,
        Quote,
        Remaining,
        ResourceInfo,
        Unasked,
        Whose,
    )

__all__ = [
    "CheckedHost",
    "Collected",
    "Deed",
    "MachineInfo",
    "OfferInfo",
    "Overview",
    "Quote",
    "Remaining",
    "ResourceInfo",
    "Unasked",
    "Whose",
    "build_on",
    "check_hosts",
    "down",
    "end_run",
    "gc",
    "images",
    "list",
    "make_image_of",
    "offers",
    "open_shell",
    "remove_images",
    "shells_of",
    "start",
    "stop",
    "up",
]

# Loaded when first used: who logs in to a host that a pool names needs neither clouds nor the ledger. What is not here
# is of `by_hand`. No module may be called like one of these names, since it would take its place.
_HOMES = {
    **dict.fromkeys((name for name in __all__ if name[0].isupper()), "values"),
    "CheckedHost": "hosts",
    "build_on": "building",
    "check_hosts": "hosts",
    "open_shell": "shells",
    "shells_of": "shells",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'longshore.machines' has no attribute {name!r}")
    return getattr(import_module(f"longshore.machines.{_HOMES.get(name, 'by_hand')}"), name)


def __dir__() -> builtins.list[str]:
    return sorted(__all__)
