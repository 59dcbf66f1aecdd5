"""Playing a run of a workflow beforehand, by several strategies: how long it would take, and what it would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from attrs import evolve, field, frozen

from longshore.config.bulk import bulk
from longshore.errors import ConfigError, Problem, UsageError
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.model.workflow import StrategySpec, WorkflowSpec
from longshore.runtime.durations import Durations, recorded
from longshore.runtime.objects import resolve_all
from longshore.runtime.offering import find_offers
from longshore.runtime.options import RunOptions
from longshore.runtime.planning import find_up_to_date
from longshore.runtime.pools import check, machines_of, used_pools
from longshore.runtime.project import Project
from longshore.runtime.providers import Providers
from longshore.runtime.reach import store_of
from longshore.runtime.registry import Registry
from longshore.scheduler.building import begin
from longshore.scheduler.playing import play
from longshore.scheduler.virtual import BEGIN, Played, VirtualMachine, World

__all__ = ["Assumptions", "Simulated", "simulate"]


@frozen(kw_only=True)
class Assumptions:
    """What is taken for granted where the project does not know it, or otherwise than it does."""

    durations: Mapping[str, float] = field(factory=dict[str, float])
    """Seconds by task, or by task as written for all its members; they win over what was recorded."""
    seconds: float | None = None
    """Of tasks of which nothing is known; None for as long as the known ones take on average."""
    machines: Sequence[VirtualMachine] = ()
    """In the place of those of their pools."""
    boot: timedelta = timedelta(minutes=1)
    """From the launch of a rented machine to its first attempt."""
    bandwidth: float | None = None
    """Bytes a second at which data travels between machines that share no files, as far as earlier runs recorded what
    tasks write; None when that takes no time.
    """


@frozen(kw_only=True)
class Simulated:
    """How runs of one workflow went, by strategy."""

    runs: tuple[Played, ...]
    tasks: int
    """How many there are, those included that are up to date."""
    up_to_date: int
    """How many need not run."""
    unknown: tuple[str, ...]
    """Tasks as written of whose durations nothing is known."""
    assumed_seconds: float
    """What these are taken to last."""


def simulate(
    spec: WorkflowSpec,
    folder: Path,
    strategies: Sequence[StrategySpec] = (),
    assumptions: Assumptions | None = None,
    options: RunOptions | None = None,
) -> Simulated:
    """Play a run by each of these strategies, by default the workflow's own; nothing is executed or rented.

    Attempts take as long as they took in earlier runs of the workflow, and all succeed. Equal projects give equal
    results.

    Raises:
        ConfigError: when the workflow cannot run as it is written, or a strategy does not take its options.
        PluginError: when a plugin is missing or broken, or a strategy breaks its promises.
        UsageError: when nothing is known of how long tasks take.
        ProviderError: when a cloud does not say what it rents.
    """
    assumed, chosen = assumptions or Assumptions(), options or RunOptions()
    project, registry = Project(folder), Registry()
    with bulk():
        resolved = _with_machines(resolve_all(spec, folder), assumed.machines)
        machines = _machines(resolved, assumed.machines, chosen, registry)
        rooms = {pool.name: [each.resources for each in machines if each.pool == pool.name] for pool in resolved.pools}
        state = check(resolved, chosen, registry, rooms)
        done = find_up_to_date(state, project, chosen)
    known = recorded(project, spec.name)
    durations = Durations(given=assumed.durations, recorded=known.seconds, assumed=assumed.seconds)
    if durations.assumed is None:
        raise UsageError(
            "no earlier run of this workflow tells how long its tasks take; say it for all by --seconds, or for "
            "each by --durations"
        )
    world = World(
        machines=machines,
        seconds=durations.of,
        outputs=lambda task: known.outputs.get(task.id, ()),
        bandwidth=assumed.bandwidth,
        offers=_Offers(resolved, registry).of,
        boot=assumed.boot,
        members=known.members,
        up_to_date=done,
    )
    runs = [
        play(evolve(resolved, strategy=strategy), registry.strategy_of(strategy), world)
        for strategy in strategies or (spec.strategy,)
    ]
    return Simulated(
        runs=tuple(runs),
        tasks=len(state.tasks),
        up_to_date=len(done),
        unknown=tuple(durations.unknown),
        assumed_seconds=durations.assumed,
    )


def _with_machines(spec: WorkflowSpec, assumed: Sequence[VirtualMachine]) -> WorkflowSpec:
    """Let pools rent nothing whose machines are assumed.

    Raises:
        ConfigError: when one is assumed in a pool that nobody uses.
    """
    names = {pool.name for pool in used_pools(begin(spec))}
    for machine in assumed:
        if machine.pool not in names:
            raise ConfigError(
                [
                    Problem(
                        place="",
                        key=f"pools.{machine.pool}",
                        message=f"no task goes to a pool {machine.pool!r}, so a machine in it is of no use",
                        remedy=f"name one of: {', '.join(sorted(names))}",
                    )
                ]
            )
    given = {machine.pool for machine in assumed}
    pools = (evolve(pool, provider=None, rented=None) if pool.name in given else pool for pool in spec.pools)
    return evolve(spec, pools=tuple(pools))


def _machines(
    spec: WorkflowSpec, assumed: Sequence[VirtualMachine], options: RunOptions, registry: Registry
) -> list[VirtualMachine]:
    machines: list[VirtualMachine] = []
    for pool in used_pools(begin(spec)):
        if pool.rented is None:
            machines += [machine for machine in assumed if machine.pool == pool.name] or [
                VirtualMachine(
                    id=each.id, pool=pool.name, resources=each.resources, slots=each.slots, store=store_of(each)
                )
                for each in machines_of(registry, pool, options)
            ]
    return machines


class _Offers:
    """What can be rented: each cloud is asked once for the same, so that all strategies meet the same offers."""

    def __init__(self, spec: WorkflowSpec, registry: Registry) -> None:
        self._pools = {pool.name: pool for pool in spec.pools}
        self._providers = Providers(spec.providers, registry)
        self._known: dict[tuple[str, Resources], tuple[tuple[Offer, ...], ...]] = {}

    def of(self, name: str, largest: Resources) -> tuple[tuple[Offer, ...], ...]:
        """List by kind of a pool's machines what there is, in the order in which it is to be tried."""
        pool = self._pools[name]
        if (name, largest) not in self._known and pool.rented is not None and pool.provider is not None:
            provider = self._providers.open(pool.provider).provider
            self._known[name, largest] = find_offers(provider, pool.rented, largest, BEGIN)
        return self._known.get((name, largest), ())
