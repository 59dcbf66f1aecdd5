"""The workflow that a user wrote, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from attrs.validators import ge, gt, min_len, optional

from longshore.model.quantity import Money
from longshore.model.task import TaskSpec

if TYPE_CHECKING:
    # Few workflows have any of these, and every start of a run waits for what is imported.
    from longshore.model.environment import EnvironmentSpec
    from longshore.model.rented import RentedPool

__all__ = ["LOCAL_POOL", "PoolSpec", "StrategySpec", "WorkflowSpec"]

LOCAL_POOL = "local"

_HERE = timedelta(days=7)
"""Attempts on this computer are in nobody's way until it is asked what became of them."""
_THERE = timedelta(hours=1)
"""For so long are attempts on a host that is out of reach not run elsewhere, since they may still go on."""


def _frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping))


def _frozen_tables(mapping: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return MappingProxyType(dict(mapping))


@frozen(kw_only=True)
class PoolSpec:
    """A named set of machines: who rents them, who executes on them, how many tasks at once.

    ``options`` are the keys that belong to the executor's own config class; it checks them when the plugin is loaded.
    """

    name: str
    executor: str = "local"
    provider: str | None = None
    tasks: int | None = field(default=None, validator=optional(ge(1)))
    """At most so many attempts at once on this pool."""
    options: Mapping[str, Any] = field(factory=dict[str, Any], converter=_frozen)
    rented: RentedPool | None = None
    """How its machines are rented; None for a pool without provider."""
    orphan: timedelta | None = field(default=None, validator=optional(gt(timedelta(0))))
    """How long attempts on its hosts may go on when no controller attends to them; None for what is usual."""
    store: str = ""
    """URL of the folder in a bucket that keeps what its machines write, until the run has ended; empty for none."""

    @property
    def unattended(self) -> timedelta:
        """How long a machine of this pool goes on when no controller attends to it."""
        if self.rented is not None:
            return self.rented.unattended
        return self.orphan or (_HERE if self.executor == LOCAL_POOL else _THERE)


@frozen(kw_only=True)
class StrategySpec:
    """Which strategy assigns tasks to machines, with the options that its own config class checks."""

    name: str = field(default="critical-path", validator=min_len(1))
    options: Mapping[str, Any] = field(factory=dict[str, Any], converter=_frozen)


@frozen(kw_only=True)
class WorkflowSpec:
    """The graph of tasks that a user wrote. Paths in it are relative to the folder of the workflow file."""

    name: str = field(validator=min_len(1))
    tasks: tuple[TaskSpec, ...] = ()
    pools: tuple[PoolSpec, ...] = (PoolSpec(name=LOCAL_POOL),)
    environments: tuple[EnvironmentSpec, ...] = ()
    providers: Mapping[str, Mapping[str, Any]] = field(factory=dict[str, Mapping[str, Any]], converter=_frozen_tables)
    """Options of the providers that pools rent from, by name; the plugins check them."""
    observers: Mapping[str, Mapping[str, Any]] = field(factory=dict[str, Mapping[str, Any]], converter=_frozen_tables)
    """Options of those who are told what happens in a run, by name; the plugins check them."""
    params: Mapping[str, str] = field(factory=dict[str, str], converter=_frozen)
    """What it is run with; tasks have those that they use."""
    env_file: str | None = None
    """File of NAME=value lines for the tasks' environment; its content is never journalled."""
    strategy: StrategySpec = StrategySpec()
    max_tasks: int | None = field(default=None, validator=optional(ge(1)))
    """At most so many attempts at once in the whole run."""
    keep_going: bool = True
    """When a task fails, what does not depend on it goes on."""
    max_cost: Money | None = None
    """So much may all that the run rents cost."""
    project: str = ""
    """A tag on all that is rented; machines that are kept wait for the next run of the same. Empty for the name."""

    def task(self, name: str) -> TaskSpec | None:
        """Find a task as written by its name."""
        return next((task for task in self.tasks if task.name == name), None)
