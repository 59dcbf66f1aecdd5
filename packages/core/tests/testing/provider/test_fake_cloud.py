"""The fake cloud: bills by the second, changes prices, takes spot machines back, and misbehaves only as it was told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from longshore.errors import CloudUnreachable, OutOfCapacity, ProviderError, QuotaExceeded, Throttled
from longshore.model.machine import MachineState
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Needs
from longshore.plugin import Prices, Provider, Quotas, SpotNotices, Stoppable, Sweeps, Terms
from longshore.plugin.provider import ABILITIES
from longshore.testing import FakeCloud, FakeProvider, FakeRig, FaultyProvider, ProviderContract
from longshore.testing.fake_cloud_parts import CloudFault, CloudHabits, Kind
from longshore.testing.faults import Fault, RealTime

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SMALL = Kind(
    type="small",
    region="north",
    zone="a",
    cpus=2,
    memory_bytes=1 << 30,
    rate="1",
    changes=((2 * HOUR, "3"),),
    capacity=2,
)
SPOT = Kind(type="small", region="north", zone="a", cpus=2, memory_bytes=1 << 30, rate="0.2", spot=True)
BODY: dict[str, Any] = {"count": 1, "type": "small", "region": "north", "zone": "a", "spot": False}


def cloud(**habits: Any) -> FakeCloud:
    return FakeCloud([SMALL, SPOT], habits=CloudHabits(latency=timedelta(0), **habits))


def born(made: FakeCloud, **more: Any) -> str:
    answer = made.call("acc", "create", {**BODY, **more}, MINUTE)
    name = answer["machines"][0]["id"]
    assert isinstance(name, str)
    return name


def test_a_machine_is_paid_from_its_birth_to_its_end_at_the_prices_of_the_time() -> None:
    made = cloud()
    name = born(made)
    made.time.wait(HOUR)
    assert (made.living()[0].paid_seconds, made.living()[0].paid) == (3600, Decimal(1))
    made.time.wait(HOUR)
    assert made.living()[0].paid == Decimal(2)
    made.time.wait(HOUR)
    made.call("acc", "end", {"id": name}, MINUTE)
    made.time.wait(HOUR)
    assert made.living() == []
    assert (made.machines[name].paid_seconds, made.machines[name].paid) == (3 * 3600, Decimal(5))


def test_a_machine_ends_itself_at_its_end_time_and_where_power_off_costs_it_is_paid_on() -> None:
    for costs, hours in ((False, 1), (True, 3)):
        made = cloud(power_off_still_costs=costs)
        name = born(made, ends_at=(made.time.now() + HOUR).isoformat())
        made.time.wait(3 * HOUR)
        assert bool(made.living()) is costs
        assert made.machines[name].paid_seconds == hours * 3600


def test_spot_machines_are_announced_and_then_taken_back_as_the_trace_says() -> None:
    made = cloud(reclaims=((HOUR, "small"),))
    spot, other = born(made, spot=True), born(made)
    made.time.wait(HOUR - MINUTE)
    assert [row["id"] for row in made.call("acc", "notices", {}, MINUTE)["notices"]] == [spot]
    made.time.wait(2 * MINUTE)
    assert [each.id for each in made.living()] == [other]
    assert made.machines[spot].paid_seconds == 3600


def test_lists_lag_behind_births_and_ends() -> None:
    made = cloud(listing_lag=MINUTE)
    name = born(made)
    assert made.call("acc", "list", {}, MINUTE)["rows"] == []
    made.time.wait(MINUTE)
    assert [row["state"] for row in made.call("acc", "list", {}, MINUTE)["rows"]] == ["running"]
    made.call("acc", "end", {"id": name}, MINUTE)
    assert [row["state"] for row in made.call("acc", "list", {}, MINUTE)["rows"]] == ["ended"]
    made.time.wait(MINUTE)
    assert made.call("acc", "list", {}, MINUTE)["rows"] == []


def test_capacity_is_shared_by_all_accounts_and_a_quota_is_each_ones_own() -> None:
    made = cloud(quota=2)
    born(made)
    made.call("other", "create", BODY, MINUTE)
    with pytest.raises(CloudFault, match="InsufficientCapacity"):
        born(made)
    born(made, spot=True)
    with pytest.raises(CloudFault, match="LimitExceeded"):
        born(made, spot=True)


def test_a_key_with_another_request_is_refused() -> None:
    made = cloud()
    assert born(made, key="k") == born(made, key="k")
    with pytest.raises(CloudFault, match="KeyMismatch"):
        born(made, key="k", image="other")


def test_chance_is_the_same_for_the_same_seed() -> None:
    def story(seed: int) -> list[str]:
        habits = CloudHabits(faults={Fault.THROTTLED: 0.5})
        made, told = FakeCloud([SMALL], habits=habits, seed=seed), []
        for _ in range(30):
            try:
                made.call("acc", "list", {}, MINUTE)
                told.append("fine")
            except CloudFault as error:
                told.append(error.code)
        return told

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_a_fake_cloud_can_live_in_real_time() -> None:
    made = FakeCloud([SMALL], habits=CloudHabits(latency=timedelta(0)), time=RealTime())
    born(made)
    assert len(made.living()) == 1


def test_the_fake_provider_has_its_abilities() -> None:
    rig = FakeRig(habits=CloudHabits(reclaims=((HOUR, "small"),), quota=5))
    provider = rig.provider()
    assert isinstance(provider, FakeProvider)
    for ability in (Prices, Quotas, SpotNotices, Stoppable, Sweeps):
        assert isinstance(provider, ability)
    (machine,) = provider.launch(rig.spec(), token="t")
    assert provider.room(rig.spec().offer) == 4
    assert [(quota.limit, quota.used) for quota in provider.quotas()] == [(5, 1)]
    cheapest = provider.offers(Needs(type="small"))[0]
    assert cheapest.spot
    assert provider.price(cheapest) is not None
    assert provider.notices([machine.id]) == []
    rig.wait(MINUTE)
    provider.stop([machine.id])
    assert [each.state for each in provider.find(owner=rig.owner)] == [MachineState.STOPPED]
    provider.start([machine.id])
    assert [each.state for each in provider.find(owner=rig.owner)] == [MachineState.RUNNING]


@pytest.fixture
def rig() -> FakeRig:
    return FakeRig(habits=CloudHabits(listing_lag=timedelta(0)))


def faulty(rig: FakeRig, lag: timedelta = timedelta(0)) -> FaultyProvider:
    return FaultyProvider(rig.provider(), rig.cloud.time, lag=lag)


def launch(provider: FaultyProvider, spec: MachineSpec) -> str:
    return provider.launch(spec, token="t")[0].id


def test_an_answer_is_lost_after_the_machine_was_made(rig: FakeRig) -> None:
    provider = faulty(rig)
    provider.fail(Fault.REPLY_LOST, on="launch")
    with pytest.raises(CloudUnreachable):
        launch(provider, rig.spec())
    assert [each.id for each in rig.paid()] == [launch(provider, rig.spec())]


def test_what_hangs_or_is_throttled_or_has_no_room_does_nothing(rig: FakeRig) -> None:
    provider = faulty(rig)
    for fault, error in (
        (Fault.HANG, CloudUnreachable),
        (Fault.THROTTLED, Throttled),
        (Fault.PARTIAL, OutOfCapacity),
    ):
        provider.fail(fault, on="launch")
        with pytest.raises(error):
            launch(provider, rig.spec())
    assert rig.paid() == []


def test_some_machines_are_ended_and_some_are_not(rig: FakeRig) -> None:
    provider = faulty(rig)
    machines = [each.id for each in provider.launch(rig.spec(), token="t", count=4)]
    provider.fail(Fault.PARTIAL, on="terminate")
    with pytest.raises(ProviderError, match="some machines"):
        provider.terminate(machines)
    assert [each.id for each in rig.paid()] == machines[2:]


def test_a_faulty_list_lags_behind_births_and_ends_and_its_terms_say_so(rig: FakeRig) -> None:
    provider = faulty(rig, MINUTE)
    assert provider.terms.listing_lag == rig.provider().terms.listing_lag + MINUTE
    name = launch(provider, rig.spec())
    assert provider.find(owner=rig.owner) == []
    rig.wait(MINUTE)
    assert [each.id for each in provider.find(owner=rig.owner)] == [name]
    provider.terminate([name])
    assert [each.id for each in provider.find(owner=rig.owner)] == [name]
    rig.wait(MINUTE)
    assert provider.find(owner=rig.owner) == []


def test_quota_errors_keep_their_class() -> None:
    rig = FakeRig(habits=CloudHabits(quota=1))
    with pytest.raises(QuotaExceeded):
        faulty(rig).launch(rig.spec(), token="t", count=2)
    assert isinstance(rig.provider().terms, Terms)


def test_a_faulty_provider_has_the_abilities_of_its_provider_and_no_others(rig: FakeRig) -> None:
    class Plain:
        """A provider with no ability."""

        def __init__(self, inner: Provider) -> None:
            self.terms, self.scope, self.find = inner.terms, inner.scope, inner.find
            self.offers, self.launch, self.terminate = inner.offers, inner.launch, inner.terminate

    plain = FaultyProvider(Plain(rig.provider()), rig.cloud.time)

    assert [each for each in ABILITIES if isinstance(plain, each)] == []
    assert [each for each in ABILITIES if not isinstance(faulty(rig), each)] == []


def test_calls_of_abilities_go_wrong_too(rig: FakeRig) -> None:
    provider = faulty(rig)
    assert isinstance(provider, Stoppable)
    name = launch(provider, rig.spec())

    provider.fail(Fault.HANG, on="stop")
    with pytest.raises(CloudUnreachable):
        provider.stop([name])
    assert rig.cloud.machines[name].stopped is None
    provider.fail(Fault.REPLY_LOST, on="stop")
    with pytest.raises(CloudUnreachable):
        provider.stop([name])
    assert rig.cloud.machines[name].stopped is not None


class TestFaultyProvider(ProviderContract):
    """Without faults it keeps all laws."""

    @pytest.fixture
    def rig(self) -> FakeRig:
        return FakeRig(lambda port, time, terms: FaultyProvider(FakeProvider(port, time, terms), time))
