"""An account on a fake cloud that several computers share, each with a ledger of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve

from longshore.config.renting import Renting
from longshore.machines.fleet import Fleet
from longshore.model.machine import Machine
from longshore.model.offer import Needs
from longshore.model.quantity import Money, parse_money
from longshore.model.rented import MachineKind, RentedPool
from longshore.model.workflow import PoolSpec
from longshore.plugin.provider import Provider
from longshore.runtime.ledger import Ledger
from longshore.runtime.providers import OpenProvider
from longshore.testing import FakeRig
from longshore.testing.fake_cloud_parts import CloudHabits

ACCOUNT = "account-1"
OWNER = "me"
LIFETIME = timedelta(hours=2)


def pool(name: str = "cloud", *, provider: str = "fake", **words: Any) -> PoolSpec:
    """Describe a pool of small machines."""
    kinds = (MachineKind(needs=Needs(type=words.pop("type", "small")), most=8, spot=words.pop("spot", False)),)
    return PoolSpec(
        name=name, executor="ssh", provider=provider, rented=RentedPool(kinds=kinds, lifetime=LIFETIME, **words)
    )


def usd(amount: str) -> Money:
    return parse_money(f"{amount} USD")


class Bare:
    """A provider with none of the abilities of the one inside it."""

    def __init__(self, inner: Provider) -> None:
        self.terms = inner.terms
        self.scope = inner.scope
        self.offers = inner.offers
        self.launch = inner.launch
        self.find = inner.find
        self.terminate = inner.terminate


class Narrow(Bare):
    """A provider whose config names one region only."""

    def __init__(self, inner: Provider, region: str) -> None:
        super().__init__(inner)
        self._inner = inner
        self._region = region
        self.scope = lambda: evolve(inner.scope(), regions=frozenset({region}))
        self.find = self._find
        self.terminate = self._terminate

    def _find(self, *, owner: str) -> list[Machine]:
        return [each for each in self._inner.find(owner=owner) if each.region == self._region]

    def _terminate(self, machine_ids: Collection[str]) -> None:
        here = {each.id for each in self._find(owner=OWNER)}
        self._inner.terminate(here & set(machine_ids))


class World:
    """The cloud, and the computers by the names of their ledgers."""

    def __init__(self, folder: Path, *, habits: CloudHabits | None = None, crowd: int = 0) -> None:
        self.folder = folder
        self.rig = FakeRig(habits=habits)
        self.rig.crowd(crowd)
        self.crowd = {each.id for each in self.rig.paid()}
        self.other_sides = {each.id for each in self.rig.sides()}
        self.pools = {"cloud": pool()}
        self.wrap: Callable[[Provider], Provider] = lambda provider: provider
        self.told: list[str] = []

    def fleet(self, computer: str = "laptop", *, more: dict[str, OpenProvider | Exception] | None = None) -> Fleet:
        """Open everything anew on one computer, as another process would; ``more`` are other providers."""
        others = more or {}

        def open_provider(name: str) -> OpenProvider:
            if name == "fake":
                return OpenProvider(name=name, provider=self.wrap(self.rig.provider()), configured_owner=OWNER)
            found = others[name]
            if isinstance(found, Exception):
                raise found
            return found

        return Fleet(
            renting=Renting(
                folder=self.folder,
                project="pv",
                pools=self.pools,
                providers={"fake": {}, **{name: {} for name in others}},
            ),
            ledger=Ledger.open(self.folder / computer / "ledger.db"),
            open_provider=open_provider,
            now=self.now,
            wait=self.rig.wait,
            tell=self.told.append,
        )

    def now(self) -> datetime:
        return self.rig.now()

    def wait(self, duration: timedelta) -> None:
        self.rig.wait(duration)

    def alive(self) -> set[str]:
        """Say what is paid for, but for the crowd."""
        return {each.id for each in self.rig.paid()} - self.crowd

    def sides(self) -> set[str]:
        """Say which side resources there are, but for the crowd's."""
        return {each.id for each in self.rig.sides()} - self.other_sides
