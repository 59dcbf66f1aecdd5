"""What `plan` says of pools that rent their machines. No cloud is asked."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.model.quantity import format_size
from longshore.model.rented import MachineKind, RentedPool, WhenIdle
from longshore.model.workflow import PoolSpec, WorkflowSpec
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry
from longshore_cli.text import clean, counted, duration

__all__ = ["rented_lines"]

_AFTERWARDS = {
    WhenIdle.END: "",
    WhenIdle.STOP: ", stopped for the next run",
    WhenIdle.KEEP: ", kept for the next run",
}


def rented_lines(spec: WorkflowSpec) -> Iterator[str]:
    """Say for each pool that is used what it may rent, for how long and for how much, and what its provider is like.

    Raises:
        PluginError: when a provider is missing or broken.
        ConfigError: when its options do not fit it.
    """
    providers = Providers(spec.providers, Registry())
    used = {task.pool for task in spec.tasks} if len(spec.pools) > 1 else {pool.name for pool in spec.pools}
    for pool in spec.pools:
        if pool.name in used and pool.rented is not None and pool.provider is not None:
            yield _line(spec, pool, pool.provider, pool.rented)
            if providers.open(pool.provider).provider.terms.power_off_still_costs:
                yield (
                    f"  a machine of {clean(pool.provider)} that has powered itself off still costs until it is ended: "
                    "`longshore gc --install-timer` sees to that"
                )


def _line(spec: WorkflowSpec, pool: PoolSpec, provider: str, rented: RentedPool) -> str:
    limits = [str(limit) for limit in (rented.max_cost, spec.max_cost) if limit is not None]
    money = f"; {' and '.join(limits)} at most" if limits else "; without a max_cost"
    kinds = ", ".join(_kind(kind, rented) for kind in rented.kinds)
    return (
        f"pool {pool.name} rents from {clean(provider)}: {kinds}, each for {duration(rented.lifetime)} at most"
        f"{_AFTERWARDS[rented.when_idle]}{money}"
    )


def _kind(kind: MachineKind, rented: RentedPool) -> str:
    spot = "spot " if kind.spot else ""
    needs = kind.needs
    has = [
        *([needs.type] if needs.type else []),
        *([f"{needs.cpus:g} cpus"] if needs.cpus else []),
        *([format_size(needs.memory_bytes)] if needs.memory_bytes else []),
        *([counted(needs.gpus, "gpu")] if needs.gpus else []),
    ]
    what = f" with {', '.join(has)}" if has else ""
    if rented.spread_cpus is not None:
        return f"{spot}machines{what} that have {rented.spread_cpus:g} cpus together"
    number = f"{kind.least} to {kind.most:,}" if kind.least != kind.most else f"{kind.most:,}"
    return f"{number} {spot}{'machine' if kind.most == 1 else 'machines'}{what}"
