"""Making what plugins announce, and seeing that something comes of it that could do the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from longshore.errors import LongshoreError, PluginBroken
from longshore.model.machine import Machine
from longshore.plugin import ExecutorRecord, ObserverRecord, ProviderRecord, StoreRecord, StrategyRecord

__all__ = ["Record", "list_machines", "make", "said"]

Record = ExecutorRecord | ObserverRecord | ProviderRecord | StoreRecord | StrategyRecord

_METHODS: Mapping[type[Record], tuple[str, ...]] = {
    ExecutorRecord: ("open",),
    ObserverRecord: ("notice",),
    ProviderRecord: ("find", "launch", "offers", "scope", "terminate"),
    StoreRecord: ("fetch", "list", "put"),
    StrategyRecord: ("assign",),
}
"""What is made must have, by the record that announces it."""


def make(record: Record, label: str, *arguments: Any) -> Any:
    """Call a record's factory; ``label`` says whose it is.

    Raises:
        PluginBroken: when it fails, or makes something of no use.
        LongshoreError: what it raises on purpose.
    """
    factory: Callable[..., Any] = record.factory
    try:
        made = factory(*arguments)
    except LongshoreError:
        raise
    except Exception as error:
        raise PluginBroken(f"{label}: {record.name!r} cannot be made: {said(error)}") from error
    missing = [name for name in _METHODS[type(record)] if not callable(getattr(made, name, None))]
    if missing:
        raise PluginBroken(
            f"{label}: the factory of {record.name!r} has made an object of type {type(made).__name__}, which has no "
            f"{', '.join(missing)}"
        )
    return made


def list_machines(record: ExecutorRecord, label: str, config: Any, pool: str) -> Sequence[Machine]:
    """List the machines that the config itself names for a pool; none when only a provider brings machines.

    Raises:
        PluginBroken: when the plugin fails, or lists something else.
        LongshoreError: what it raises on purpose.
    """
    if record.machines is None:
        return ()
    try:
        machines: Any = record.machines(config, pool)
    except LongshoreError:
        raise
    except Exception as error:
        raise PluginBroken(f"{label}: its machines cannot be listed: {said(error)}") from error
    if not isinstance(machines, list | tuple) or not all(isinstance(each, Machine) for each in machines):
        raise PluginBroken(f"{label}: its machines must be a list of Machine, not {machines!r}")
    return machines


def said(error: Exception) -> str:
    """Give a foreign exception in words."""
    return f"{type(error).__name__}: {error}"
