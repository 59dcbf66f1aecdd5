"""Rented pools as JSON, for the journal. What is read back equals what was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from longshore.config.document import read_money, write_money
from longshore.config.task_document import read_span, write_span
from longshore.model.hours import Hours
from longshore.model.offer import Needs
from longshore.model.rented import MachineKind, RentedPool, WhenIdle

__all__ = ["read_rented", "write_rented"]

_NEEDS = ("cpus", "memory_bytes", "gpus", "gpu_model", "arch", "disk_bytes", "type")


def _kind(kind: MachineKind) -> list[Any]:
    return [{name: getattr(kind.needs, name) for name in _NEEDS}, kind.least, kind.most, kind.spot]


def _read_kind(row: Any) -> MachineKind:
    needs, least, most, spot = row
    return MachineKind(needs=Needs(**needs), least=least, most=most, spot=spot)


def _hours(hours: Hours | None) -> list[Any] | None:
    return None if hours is None else [sorted(hours.days), hours.begin, hours.end, hours.zone]


def _read_hours(row: Any) -> Hours | None:
    return None if row is None else Hours(days=frozenset(row[0]), begin=row[1], end=row[2], zone=row[3])


def _same(value: Any) -> Any:
    return value


_FIELDS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "spread_cpus": (_same, _same),
    "max_cost": (write_money, read_money),
    "max_price": (write_money, read_money),
    "price": (write_money, read_money),
    "lifetime": (write_span, read_span),
    "unattended": (write_span, read_span),
    "idle": (write_span, read_span),
    "boot": (write_span, read_span),
    "when_idle": (str, WhenIdle),
    "hours": (_hours, _read_hours),
    "image": (_same, _same),
}


def write_rented(pool: RentedPool) -> dict[str, Any]:
    """Write how a pool's machines are rented."""
    body = {name: write(getattr(pool, name)) for name, (write, _) in _FIELDS.items()}
    return {"kinds": [_kind(each) for each in pool.kinds], **body}


def read_rented(body: Mapping[str, Any]) -> RentedPool:
    """Read what `write_rented` wrote; keys that this version does not know are passed over."""
    words = {name: read(body[name]) for name, (_, read) in _FIELDS.items() if name in body}
    return RentedPool(kinds=tuple(_read_kind(row) for row in body["kinds"]), **words)
