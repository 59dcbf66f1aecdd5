"""Any provider, with things going wrong around it: what the core must survive."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from longshore.errors import CloudUnreachable, OutOfCapacity, ProviderError, Throttled
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.model.offer import Needs, Offer
from longshore.plugin.provider import ABILITIES, Provider, Scope, Terms
from longshore.testing.faults import Fault, Time

__all__ = ["FaultyProvider"]


class FaultyProvider:
    """Keeps the provider's protocol and passes calls on, except for those that go wrong, by chance or as arranged.

    ``rates`` says how often; ``lag`` hides machines from `find` for so long after their launch, and shows them for so
    long after their end. It has the abilities that the wrapped provider has, and their calls go wrong, too.
    """

    def __new__(cls, provider: Provider, *_: object, **__: object) -> Self:
        """Make it of a class that has the methods of the provider's abilities, so that it has these, too."""
        names = {name for ability in ABILITIES if isinstance(provider, ability) for name in _methods(ability)}
        made: Self = object.__new__(type(cls.__name__, (cls,), {name: _passing(name) for name in sorted(names)}))
        return made

    def __init__(
        self,
        provider: Provider,
        time: Time,
        *,
        rates: Mapping[Fault, float] | None = None,
        lag: timedelta = timedelta(0),
        seed: int = 0,
    ) -> None:
        self._provider = provider
        self._time = time
        self._rates = dict(rates or {})
        self._lag = lag
        self._random = random.Random(seed)
        self._arranged: list[tuple[Fault, str]] = []
        self._born: dict[str, datetime] = {}
        self._last: dict[str, tuple[datetime, Machine]] = {}

    def fail(self, fault: Fault, *, on: str, times: int = 1) -> None:
        """Let the next calls of a method, as ``launch`` or ``stop``, go wrong."""
        self._arranged.extend([(fault, on)] * times)

    @property
    def terms(self) -> Terms:
        """Those of the wrapped provider, with this one's lag added."""
        inner = self._provider.terms
        return Terms(
            listing_lag=inner.listing_lag + self._lag,
            settle=inner.settle + self._lag,
            deadline=inner.deadline,
            power_off_still_costs=inner.power_off_still_costs,
        )

    def scope(self) -> Scope:
        """That of the wrapped provider."""
        return self._provider.scope()

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """As the wrapped provider."""
        self._before("offers")
        return self._provider.offers(needs)

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """As the wrapped provider, once, twice or not at all."""
        fault = self._before("launch")
        if fault is Fault.PARTIAL:
            raise OutOfCapacity(f"there is no {spec.offer} now")
        made = self._provider.launch(spec, token=token, count=count)
        if fault is Fault.DUPLICATE:
            made = self._provider.launch(spec, token=token, count=count)
        for machine in made:
            self._born.setdefault(machine.id, self._time.now())
        self._after("launch", fault)
        return made

    def find(self, *, owner: str) -> Sequence[Machine]:
        """As the wrapped provider saw it, some time ago."""
        self._after("find", self._before("find"))
        now = self._time.now()
        found = {each.id: each for each in self._provider.find(owner=owner)}
        shown = [each for each in found.values() if self._born.get(each.id, now - self._lag) + self._lag <= now]
        late = [
            each
            for name, (seen, each) in self._last.items()
            if name not in found and now < seen + self._lag and each.tags.get(Tag.OWNER) == owner
        ]
        self._last.update({each.id: (now, each) for each in found.values()})
        return [*shown, *late]

    def terminate(self, machine_ids: Collection[str]) -> None:
        """As the wrapped provider; of several machines maybe only some, and then it says so."""
        wanted = list(machine_ids)
        fault = self._before("terminate")
        if fault is Fault.PARTIAL:
            self._provider.terminate(wanted[: len(wanted) // 2])
            raise ProviderError("some machines could not be ended")
        self._provider.terminate(wanted)
        if fault is Fault.DUPLICATE:
            self._provider.terminate(wanted)
        self._after("terminate", fault)

    def _pass(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of an ability, once, twice or not at all."""
        fault = self._before(method)
        answer = getattr(self._provider, method)(*args, **kwargs)
        if fault is Fault.DUPLICATE:
            answer = getattr(self._provider, method)(*args, **kwargs)
        self._after(method, fault)
        return answer

    def _before(self, method: str) -> Fault | None:
        fault = self._next(method)
        if fault is Fault.THROTTLED:
            raise Throttled(f"{method}: too many requests")
        if fault is Fault.HANG:
            self._after(method, Fault.REPLY_LOST)
        return fault

    def _after(self, method: str, fault: Fault | None) -> None:
        if fault is Fault.REPLY_LOST:
            self._time.wait(self.terms.deadline)
            raise CloudUnreachable(f"{method}: no answer")

    def _next(self, method: str) -> Fault | None:
        for index, (fault, on) in enumerate(self._arranged):
            if on == method:
                del self._arranged[index]
                return fault
        for fault, rate in self._rates.items():
            if self._random.random() < rate:
                return fault
        return None


def _methods(ability: type) -> list[str]:
    return [name for name in vars(ability) if not name.startswith("_")]


def _passing(name: str) -> Callable[..., Any]:
    def call(self: FaultyProvider, *args: Any, **kwargs: Any) -> Any:
        return self._pass(name, *args, **kwargs)

    call.__name__ = name
    return call
