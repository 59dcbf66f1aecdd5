"""The pools of a run: their machines and executors, and whether all its tasks can run on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrs import evolve

from longshore.errors import ConfigError, Problem
from longshore.model.machine import Machine
from longshore.model.names import near
from longshore.model.resources import Resources
from longshore.model.task import UrlInput
from longshore.model.workflow import PoolSpec, WorkflowSpec
from longshore.plugin.protocols import Executor, ExecutorContext
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project
from longshore.runtime.registry import Registry
from longshore.scheduler.building import begin, missing_members
from longshore.scheduler.state import RunState

if TYPE_CHECKING:
    from longshore.plugin.areas import HomeArea
    from longshore.plugin.provider import Provider

__all__ = ["buckets_of", "check", "executor_of", "machines_of", "used_pools"]

_NO_PROVIDERS: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


def check(
    spec: WorkflowSpec,
    options: RunOptions,
    registry: Registry | None = None,
    rooms: Mapping[str, Sequence[Resources]] | None = None,
) -> RunState:
    """Build the state of a run of a resolved workflow, and refuse what can never run.

    ``rooms`` are the machines of each pool, where others are meant than the config names.

    Raises:
        ConfigError: for references to members that do not exist, and tasks that fit on no machine of their pool.
        PluginError: when a plugin that it names is missing or broken.
    """
    state = begin(spec)
    problems = [
        Problem(
            place="",
            key=f"tasks.{reader}",
            message=f"{reference} means the member {member!r} of {reference.task}, which does not exist",
            remedy=_members_remedy(near(member, state.groups[reference.task].members)),
        )
        for reader, reference, member in missing_members(state)
    ]
    registry = registry or Registry()
    registry.strategy_of(spec.strategy)
    for scheme in _schemes(spec):
        registry.store(scheme)
    if spec.observers:
        from longshore.runtime.observing import check_observers  # noqa: PLC0415  few runs have any

        check_observers(spec, registry)
    problems += _check_tables(state)
    for pool in used_pools(state):
        problems += _check_store(pool, registry)
        if pool.provider is not None:
            _check_rented(spec, pool, pool.provider, registry)
            continue
        own = [] if rooms is not None else machines_of(registry, pool, options)
        problems += _too_big(state, pool, rooms[pool.name] if rooms is not None else [each.resources for each in own])
    if problems:
        raise ConfigError(problems)
    return state


def _schemes(spec: WorkflowSpec) -> list[str]:
    """List the schemes of the URLs that tasks read, or write to."""
    urls = [each.url for task in spec.tasks for each in task.inputs if isinstance(each, UrlInput)]
    urls += [task.results_to for task in spec.tasks if task.results_to]
    return sorted({url.partition("://")[0].lower() for url in urls})


def _check_tables(state: RunState) -> list[Problem]:
    """Refuse tables that could not be made: for want of a library, or since a member's folder is called the same."""
    collecting = [group for group in state.groups.values() if group.spec.collect is not None]
    if not collecting:
        return []
    from longshore.runtime.collecting import unmakeable  # noqa: PLC0415  most runs collect nothing

    return [problem for group in collecting for problem in unmakeable(group.spec, group.members)]


def _check_store(pool: PoolSpec, registry: Registry) -> list[Problem]:
    """Refuse places that cannot keep what machines write."""
    if not pool.store:
        return []
    from longshore.plugin.areas import Empties  # noqa: PLC0415  few pools have one
    from longshore.runtime.stores import Stores  # noqa: PLC0415  as above

    if isinstance(Stores(registry).of(pool.store), Empties):
        return []
    message = f"{pool.store} cannot keep what machines write, since nothing can be removed from it again"
    remedy = 'name a folder of a bucket, as in "s3://my-bucket/stage"'
    return [Problem(place="", key=f"pools.{pool.name}.store", message=message, remedy=remedy)]


def _check_rented(spec: WorkflowSpec, pool: PoolSpec, provider: str, registry: Registry) -> None:
    """Refuse plugins and options that cannot be used. What there is to rent only the cloud knows; it is asked later."""
    from longshore.runtime.providers import Providers  # noqa: PLC0415  most runs rent nothing

    record = registry.executor(pool.executor)
    registry.pool_options(record, pool)
    providers = Providers(spec.providers, registry)
    providers.open(provider)
    reaching = providers.described(provider)[0].executors
    if reaching and pool.executor not in reaching:
        message = f"the executor {pool.executor!r} does not reach machines of {provider}"
        remedy = f'write executor = "{reaching[0]}"'
        raise ConfigError([Problem(place="", key=f"pools.{pool.name}.executor", message=message, remedy=remedy)])


def _members_remedy(close: Sequence[str]) -> str:
    return f"did you mean {', '.join(close)}?" if close else "name one of its members, or a glob such as *"


def _too_big(state: RunState, pool: PoolSpec, largest: Sequence[Resources]) -> list[Problem]:
    rooms = "; ".join(map(_words, largest)) or "which has none"
    fitting: dict[int, bool] = {}

    def fits(needs: Resources) -> bool:
        # By identity: most tasks share their needs.
        known = fitting.get(id(needs))
        if known is None:
            known = fitting[id(needs)] = any(needs.fits(room) for room in largest)
        return known

    return [
        Problem(
            place="",
            key=f"tasks.{group.spec.name}.needs",
            message=f"{_words(group.spec.needs)} fit on no machine of pool {pool.name} ({rooms})",
            remedy="ask for less, or choose another pool",
        )
        for group in state.groups.values()
        if not fits(group.spec.needs) and state.pool_of(group.spec) == pool.name
    ]


def _words(resources: Resources) -> str:
    amounts = [f"{resources.cpus:g} cpus"]
    if resources.memory_bytes:
        amounts.append(f"{resources.memory_bytes / 2**30:.1f} GiB")
    if resources.gpus:
        amounts.append(f"{resources.gpus} gpus")
    return ", ".join(amounts)


def used_pools(state: RunState) -> list[PoolSpec]:
    """List the pools that tasks go to, in the order of the workflow."""
    used = {state.pool_of(group.spec) for group in state.groups.values()}
    return [pool for pool in state.workflow.pools if pool.name in used]


def buckets_of(pools: Iterable[PoolSpec]) -> list[str]:
    """List the URLs of the buckets that these pools have, used or not, each once."""
    return list(dict.fromkeys(pool.store for pool in pools if pool.store))


def executor_of(
    registry: Registry,
    pool: PoolSpec,
    project: Project,
    run: str,
    providers: Mapping[str, Mapping[str, Any]] = _NO_PROVIDERS,
    *,
    area: HomeArea | None = None,
) -> Executor:
    """Make the executor of a pool for a run. ``providers`` are the tables of those who rent its machines, and ``area``
    is its bucket, when data are to be moved.

    Raises:
        ConfigError: when the pool's options do not fit it.
        PluginError: when it is missing or broken.
    """
    record = registry.executor(pool.executor)
    options = registry.pool_options(record, pool)
    context = ExecutorContext(
        run=run,
        run_folder=project.run_folder(run),
        project_folder=project.folder,
        store_folder=project.store,
        provider=_provider_of(registry, pool, providers),
        unattended=pool.unattended,
        area=area,
    )
    return registry.make_executor(record, options, context)


def _provider_of(registry: Registry, pool: PoolSpec, providers: Mapping[str, Mapping[str, Any]]) -> Provider | None:
    if pool.provider is None:
        return None
    from longshore.runtime.providers import Providers  # noqa: PLC0415  most runs rent nothing

    return Providers(providers, registry).open(pool.provider).provider


def machines_of(registry: Registry, pool: PoolSpec, options: RunOptions) -> list[Machine]:
    """List the machines that the config itself names for a pool; none for one whose machines are rented.

    Raises:
        ConfigError: when the pool's options do not fit its executor.
        PluginError: when that is missing or broken.
    """
    record = registry.executor(pool.executor)
    if record.machines is None or pool.rented is not None:
        return []
    settings = registry.pool_options(record, pool)
    machines = list(registry.machines(record, settings, pool.name))
    if options.jobs is not None and pool.executor == "local":
        machines = [_with_jobs(machine, options.jobs) for machine in machines]
    return machines


def _with_jobs(machine: Machine, jobs: int) -> Machine:
    """``-j N`` gives this computer N cpus, as it does in other tools, and as many slots."""
    has = machine.resources
    resources = Resources(cpus=float(jobs), memory_bytes=has.memory_bytes, gpus=has.gpus, disk_bytes=has.disk_bytes)
    return evolve(machine, resources=resources, slots=jobs)
