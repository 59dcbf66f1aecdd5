"""What ``longshore plugins new provider`` writes: a provider for the fake cloud, to be turned into another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["PLUGIN", "PROVIDER_FILES", "TEST"]

PLUGIN = "src/$module/plugin.py"
TEST = "tests/test_contract.py"

_PLUGIN = '''"""What this distribution announces: the provider $name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen
from longshore.plugin import Provider, ProviderRecord, hookimpl

from $module.provider import TERMS, Cloud

BUILT_FOR = $api  # the version of Longshore's plugin interface


@frozen(kw_only=True)
class Options:
    """What a user may choose in [providers.$name]."""

    account: str = "me"


def make(options: Options) -> Provider:
    """Begins as a fake cloud in this process; put your SDK's client in its place, imported here and nowhere else."""
    from longshore.testing import FakeCloud
    from longshore.testing.fake_rig import FAKE_KINDS
    from longshore.testing.faults import RealTime

    cloud = FakeCloud(FAKE_KINDS, time=RealTime())
    return Cloud(cloud.login(options.account), cloud.time, TERMS)


@contextmanager
def rigs(options: Options) -> Iterator[Callable[[], object]]:
    """Say how `longshore plugins check` tries it: on a stand-in, where nothing is rented for real."""
    from longshore.testing import FakeRig

    yield lambda: FakeRig(Cloud)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    return [ProviderRecord(name="$name", config=Options, factory=make, rigs=rigs, api=BUILT_FOR)]
'''

_PROVIDER = '''"""The provider $name. What says `fake` is the cloud's own side; all else can stay."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from longshore import errors
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin import Scope, Terms
from longshore.testing.fake_cloud import Port  # fake: your SDK's client
from longshore.testing.fake_cloud_parts import CloudFault, CloudTimeout  # fake: what your SDK raises
from longshore.testing.faults import Time

TERMS = Terms(listing_lag=timedelta(seconds=60), settle=timedelta(seconds=120), deadline=timedelta(seconds=60))
ERRORS = {  # fake: the codes of your cloud
    "InsufficientCapacity": errors.OutOfCapacity,
    "LimitExceeded": errors.QuotaExceeded,
    "ExpiredToken": errors.CredentialsError,
    "NotAuthorized": errors.AccessDenied,
    "RequestLimitExceeded": errors.Throttled,
    "MalformedParameter": errors.InvalidRequest,
}


class Cloud:
    def __init__(self, sdk: Port, time: Time, terms: Terms) -> None:
        self._sdk, self._time, self.terms = sdk, time, terms  # no I/O here (law P8)

    def scope(self) -> Scope:
        return Scope(account=self._call("whoami", {}, self._deadline())["account"])

    def offers(self, needs: Needs) -> Sequence[Offer]:
        now = self._time.now()
        found = [_offer(row, now) for row in self._call("offers", {}, self._deadline())["offers"]]
        rated = sorted(found, key=lambda each: (each.price is None, each.price.per_hour.amount if each.price else 0))
        return [offer for offer in rated if offer.meets(needs)]

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        until = self._deadline()
        there = sorted(self._list({Tag.TOKEN: token, Tag.OWNER: spec.owner}, until), key=lambda each: each.id)
        if len(there) > count:  # a repeat came before the list knew of the first (law P1)
            self._end([each.id for each in there[count:]], until)
        if len(there) >= count:
            return there[:count]
        rows = self._call("create", self._request(spec, token, count - len(there)), until)["machines"]
        made = [_machine(row) for row in rows if row["state"] != "ended"]
        if len(there) + len(made) < count:  # all or none (law P1)
            self._end([each.id for each in made], until)
            raise errors.OutOfCapacity(f"there are only {len(made)} of {count} {spec.offer} now")
        return [*there, *made]

    def find(self, *, owner: str) -> Sequence[Machine]:
        return self._list({Tag.OWNER: owner}, self._deadline())

    def terminate(self, machine_ids: Collection[str]) -> None:
        self._end(machine_ids, self._deadline())

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        """All of it follows from spec and token (law P2); tags and end are in it (law P7)."""
        offer = spec.offer
        return {  # fake: the words of your cloud
            "key": token,
            "count": count,
            "type": offer.type,
            "region": offer.region,
            "zone": offer.zone,
            "spot": offer.spot,
            "image": spec.image,
            "keys": list(spec.keys),
            "boot": spec.boot_script,
            "tags": spec.tags(token),
            "ends_at": spec.ends_at.isoformat(),
        }

    def _end(self, machine_ids: Collection[str], until: datetime) -> None:
        """One that cannot be ended does not save the others (law P4)."""
        failed: errors.ProviderError | None = None
        for each in machine_ids:
            try:
                self._call("end", {"id": each}, until, fine={"NotFound"})
            except errors.ProviderError as error:
                failed = error
        if failed is not None:
            raise failed

    def _list(self, tags: Mapping[str, str], until: datetime) -> list[Machine]:
        wanted = {str(key): value for key, value in tags.items()}
        return [_machine(row) for row in self._pages({"tags": wanted}, until) if row["state"] != "ended"]

    def _pages(self, body: Mapping[str, Any], until: datetime) -> Iterator[dict[str, Any]]:
        page: int | None = 0
        while page is not None:  # all pages, or an error (law P3)
            answer = self._call("list", {**body, "page": page}, until)
            yield from answer["rows"]
            page = answer["next"]

    def _deadline(self) -> datetime:
        return self._time.now() + self.terms.deadline

    def _call(
        self, action: str, body: Mapping[str, Any], until: datetime, *, fine: Collection[str] = ()
    ) -> dict[str, Any]:
        """The one place where the SDK is called, within the deadline (law P5), and its errors translated (law P6)."""
        try:
            return self._sdk(action, body, max(timedelta(0), until - self._time.now()))
        except CloudTimeout as error:
            raise errors.CloudUnreachable(f"{action}: no answer within {self.terms.deadline}") from error
        except CloudFault as error:
            if error.code in fine:
                return {}
            raise ERRORS.get(error.code, errors.ProviderError)(f"{action}: {error}") from error


def _offer(row: Mapping[str, Any], now: datetime) -> Offer:
    price = None
    if row["rate"] is not None:
        per_hour = Money(amount=Decimal(row["rate"]), currency=row["currency"])
        price = Price(per_hour=per_hour, source="price list", at=now)
    resources = Resources(
        cpus=row["cpus"], memory_bytes=row["memory_bytes"], gpus=row["gpus"], disk_bytes=row["disk_bytes"]
    )
    where = {name: row[name] for name in ("type", "region", "zone", "arch", "gpu_model", "spot")}
    return Offer(resources=resources, price=price, **where)


def _machine(row: Mapping[str, Any]) -> Machine:
    return Machine(
        pool=row["tags"].get(Tag.POOL, ""),
        resources=Resources(cpus=row["cpus"], memory_bytes=row["memory_bytes"]),
        state=MachineState(row["state"]),
        born=datetime.fromisoformat(row["born"]),
        **{name: row[name] for name in ("id", "address", "tags", "type", "region", "zone", "spot")},
    )
'''

_TEST = '''"""The provider $name keeps the laws."""

import pytest
from longshore.testing import FakeRig, ProviderContract

from $module.provider import Cloud


class TestLaws(ProviderContract):
    @pytest.fixture
    def rig(self) -> FakeRig:
        # Your cloud's stand-in comes here; longshore.testing.ProviderRig says what it must do.
        return FakeRig(Cloud)
'''

PROVIDER_FILES: Mapping[str, str] = MappingProxyType(
    {PLUGIN: _PLUGIN, "src/$module/provider.py": _PROVIDER, TEST: _TEST}
)
"""By path in the package."""
