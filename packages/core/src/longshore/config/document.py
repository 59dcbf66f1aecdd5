"""A workflow as JSON text, for the journal: nothing is lost, defaults are left out, no secret's content is in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from attrs import evolve

from longshore.config.task_document import read_span, read_task, write_span, write_task
from longshore.errors import JournalError
from longshore.model.jsontext import json_writer
from longshore.model.quantity import Money
from longshore.model.workflow import PoolSpec, StrategySpec, WorkflowSpec

if TYPE_CHECKING:
    from longshore.model.environment import EnvironmentSpec

__all__ = ["VERSION", "from_document", "read_money", "to_document", "write_money"]

VERSION = 1
"""Goes up when an older Longshore would misread a newer document; keys that may be passed over do not raise it."""

_encode = json_writer()

_MOMENTS: Mapping[str, Callable[[str], object]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
}


def to_document(spec: WorkflowSpec) -> str:
    """Write a workflow as JSON."""
    body: dict[str, Any] = {"version": VERSION, "name": spec.name}
    body["tasks"] = [write_task(task) for task in spec.tasks]
    body["pools"] = [_pool(pool) for pool in spec.pools]
    body["environments"] = _environments(spec.environments) if spec.environments else []
    body["providers"] = {name: _plain(options) for name, options in spec.providers.items()}
    if spec.observers:
        body["observers"] = {name: _plain(options) for name, options in spec.observers.items()}
    body |= {
        "params": dict(spec.params),
        "env_file": spec.env_file,
        "strategy": [spec.strategy.name, _plain(spec.strategy.options)],
        "max_tasks": spec.max_tasks,
        "keep_going": spec.keep_going,
        "max_cost": write_money(spec.max_cost),
        "project": spec.project,
    }
    return _encode(body)


def from_document(text: str) -> WorkflowSpec:
    """Read back what `to_document` wrote.

    Raises:
        JournalError: when it was written by a newer version, or is damaged.
    """
    try:
        body = json.loads(text)
        version = body["version"]
        if not isinstance(version, int) or version < 1:
            raise ValueError(f"version {version!r}")
        if version > VERSION:
            raise JournalError(
                f"the workflow in the journal has the form {version}, and this Longshore reads forms up to {VERSION}; "
                "use a newer Longshore"
            )
        return WorkflowSpec(
            name=body["name"],
            tasks=tuple([read_task(task) for task in body["tasks"]]),
            pools=tuple(_read_pool(pool) for pool in body["pools"]),
            environments=_read_environments(body["environments"]) if body["environments"] else (),
            providers={name: _read_plain(options) for name, options in body["providers"].items()},
            observers={name: _read_plain(options) for name, options in body.get("observers", {}).items()},
            params=body.get("params", {}),
            env_file=body["env_file"],
            strategy=_read_strategy(body["strategy"]),
            max_tasks=body["max_tasks"],
            keep_going=body["keep_going"],
            max_cost=read_money(body.get("max_cost")),
            project=body.get("project", ""),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise JournalError(
            f"the workflow in the journal is damaged ({type(error).__name__}: {error}); start a new run"
        ) from error


def _pool(pool: PoolSpec) -> list[Any]:
    row = [pool.name, pool.executor, pool.provider, pool.tasks, _plain(pool.options)]
    if pool.rented is not None:
        from longshore.config.rented_document import write_rented  # noqa: PLC0415  few workflows rent

        row = [*row, write_rented(pool.rented)]
    elif pool.orphan is not None or pool.store:
        row = [*row, None]
    if pool.store:
        return [*row, None if pool.orphan is None else write_span(pool.orphan), pool.store]
    return row if pool.orphan is None else [*row, write_span(pool.orphan)]


def _read_pool(row: Sequence[Any]) -> PoolSpec:
    name, executor, provider, tasks, options, rented, orphan, store = [*row, None, None, None][:8]
    pool = PoolSpec(
        name=name,
        executor=executor,
        provider=provider,
        tasks=tasks,
        options=_read_plain(options),
        orphan=None if orphan is None else read_span(orphan),
        store=store or "",
    )
    if rented is None:
        return pool
    from longshore.config.rented_document import read_rented  # noqa: PLC0415  as above

    return evolve(pool, rented=read_rented(rented))


def _environments(specs: Iterable[EnvironmentSpec]) -> list[dict[str, Any]]:
    from longshore.config.environment_document import write_environment  # noqa: PLC0415  few workflows have any

    return [write_environment(each) for each in specs]


def _read_environments(rows: Iterable[dict[str, Any]]) -> tuple[EnvironmentSpec, ...]:
    from longshore.config.environment_document import read_environment  # noqa: PLC0415  as above

    return tuple([read_environment(row) for row in rows])


def write_money(money: Money | None) -> list[str] | None:
    """Write an amount exactly."""
    return None if money is None else [str(money.amount), money.currency]


def read_money(row: Any) -> Money | None:
    """Read an amount."""
    return None if row is None else Money(amount=Decimal(row[0]), currency=row[1])


def _read_strategy(row: str | list[Any]) -> StrategySpec:
    if isinstance(row, str):  # as it was written before strategies had options
        return StrategySpec(name=row)
    name, options = row
    return StrategySpec(name=name, options=_read_plain(options))


def _plain(value: Any) -> Any:
    """Write what TOML can say and JSON cannot, dates and times, as ``{"$date": ...}``; keys with ``$`` get another."""
    match value:
        case Mapping():
            return {f"${key}" if key.startswith("$") else key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case datetime():
            return {"$datetime": value.isoformat()}
        case date():
            return {"$date": value.isoformat()}
        case time():
            return {"$time": value.isoformat()}
        case _:
            return value


def _read_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_read_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if key in _MOMENTS and isinstance(item, str):
            return _MOMENTS[key](item)
    return {key[1:] if key.startswith("$$") else key: _read_plain(item) for key, item in value.items()}
