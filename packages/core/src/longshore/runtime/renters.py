"""The renters of a run, one for each provider that its pools name, and what they need of the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from longshore.model.workflow import PoolSpec
from longshore.plugin.protocols import Executor
from longshore.runtime.options import RunOptions
from longshore.runtime.providers import Providers
from longshore.runtime.registry import Registry
from longshore.runtime.rented_run import Host, RentedRun
from longshore.runtime.renting import Renter
from longshore.scheduler.renting_actions import FindOffers, GiveUp, Rent, StartAgain
from longshore.scheduler.state import RunState

__all__ = ["Renters"]


class Renters:
    """Nothing is asked of a cloud, and no thread begins, before there is something to rent or to attend to."""

    def __init__(
        self,
        *,
        run: str,
        state: RunState,
        executors: Mapping[str, Executor],
        registry: Registry,
        options: RunOptions,
        fence: int,
        host: Host,
    ) -> None:
        """Open the providers; this asks no cloud.

        Raises:
            ConfigError: when their options do not fit them.
            PluginError: when one is missing or broken.
        """
        self._state = state
        self._run = run
        self._executors = executors
        self._options = options
        self._fence = fence
        self._host = host
        self._pools: dict[str, dict[str, PoolSpec]] = defaultdict(dict)
        for pool in state.workflow.pools:
            if pool.name in executors and pool.rented is not None and pool.provider is not None:
                self._pools[pool.provider][pool.name] = pool
        self._providers = Providers(state.workflow.providers, registry)
        for name in self._pools:
            self._providers.open(name)
        self._known = dict(state.leases)
        self._working: dict[str, Renter] = {}

    def start(self) -> None:
        """Attend to the machines that the run has already."""
        for provider, pools in self._pools.items():
            if any(lease.pool in pools and lease.open for lease in self._known.values()):
                self._renter(provider)

    def perform(self, action: FindOffers | GiveUp | Rent | StartAgain) -> None:
        """Hand an action to whom it is for."""
        pool = action.pool if isinstance(action, FindOffers | Rent) else self._state.leases[action.lease].pool
        provider = next(name for name, pools in self._pools.items() if pool in pools)
        renter = self._renter(provider)
        match action:
            case FindOffers():
                renter.find_offers(action)
            case Rent():
                renter.rent(action)
            case StartAgain():
                renter.start_again(action)
            case GiveUp():
                renter.give_up(action)

    def close(self, *, over: bool) -> None:
        """Attend to machines no longer. When the run is not ``over`` they live on for their unattended time."""
        for renter in self._working.values():
            renter.close(over=over)

    def _renter(self, provider: str) -> Renter:
        renter = self._working.get(provider)
        if renter is None:
            renter = self._working[provider] = self._made(provider)
            renter.start()
        return renter

    def _made(self, provider: str) -> Renter:
        pools = self._pools[provider]
        workflow = self._state.workflow
        run = RentedRun(
            id=self._run,
            project=workflow.project or workflow.name,
            fence=self._fence,
            prefix=f"{provider}:" if len(self._pools) > 1 else "",
            fresh=self._options.fresh,
            max_cost=workflow.max_cost,
            pools=pools,
            executors={name: self._executors[name] for name in pools},
            known={name: lease for name, lease in self._known.items() if lease.pool in pools},
        )
        return Renter(run, self._providers.open(provider), self._host)
