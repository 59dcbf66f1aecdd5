"""Which machines a run rents, of what, for how much, and when it gives them up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st

from longshore.model.hours import parse_hours
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseDraining
from longshore.model.offer import Needs
from longshore.model.outcome import FailureClass
from longshore.model.rented import MachineKind, WhenIdle
from longshore.model.task import OutputLines, Parameter, Reference
from longshore.scheduler.building import make_members
from longshore.scheduler.pools import usable_offers, why_waiting
from longshore.scheduler.state import ENDED, TaskPhase

from .renting_world import EPOCH, MINUTE, SECOND, World, offer, pool, tasks, usd

SMALL, DEAR = offer(), offer("dear", rate="0.50")
SPOT = offer("spot", rate="0.03", spot=True)


def types(world: World) -> list[str]:
    return [each.offer.type for each in world.launched]


def phases(world: World) -> set[TaskPhase]:
    return {task.phase for task in world.state.tasks.values()}


def test_a_run_has_as_many_machines_as_its_tasks_can_use_and_no_more_than_it_may() -> None:
    assert len(World(pool(most=4), tasks(3)).settle().launched) == 3
    assert len(World(pool(most=4), tasks(9)).settle().launched) == 4
    assert len(World(pool(most=4), tasks(3, cpus=0.5)).settle().launched) == 1


def test_no_machine_is_rented_for_tasks_that_may_not_run_at_once() -> None:
    world = World(pool(most=9), tasks(9))
    world.state.pools["cloud"] = 2
    assert len(world.settle().launched) == 2


def test_the_least_number_is_up_only_while_the_pool_has_tasks() -> None:
    world = World(pool(least=3), tasks(1)).settle()
    assert len(world.serving()) == 3
    world.end_all()
    assert world.state.ended == "succeeded"
    assert world.serving() == []


def test_tasks_of_three_cpus_do_not_share_a_machine_of_four() -> None:
    assert len(World(pool(), tasks(4, cpus=3), offers=(offer(cpus=4),)).settle().launched) == 4


def test_cpus_that_are_spread_make_as_many_machines_of_a_type_as_it_takes() -> None:
    spread = pool(most=10_000, spread_cpus=40.0)
    world = World(spread, tasks(100, cpus=1), offers=(offer("a", cpus=16, rate="1"), offer("b", cpus=16, rate="2")))
    world.settle()
    assert types(world) == ["a", "a", "a"]


def test_work_known_to_be_short_is_not_spread_over_machines_that_come_up_for_nothing() -> None:
    specs = tuple(evolve(spec, name="same", repeat=40) for spec in tasks(1))
    world = World(pool(most=1), specs).settle()
    world.end_all()
    world.state.rented["cloud"].spec = pool(most=30)
    assert len(world.settle().launched) == 1


def test_of_thousands_of_offers_the_best_are_kept_in_mind_of_spot_machines_and_of_others() -> None:
    spot = [offer(f"s{n}", rate="0.01", spot=True) for n in range(99)]
    usual = [offer(f"u{n}", rate="0.02") for n in range(99)]
    wanted = pool(spot=True)
    kept = usable_offers(wanted, wanted.kinds[0], [*spot, *usual])
    assert kept == (*spot[:30], *usual[:30])


def test_kinds_are_filled_in_their_order() -> None:
    kinds = tuple(MachineKind(needs=Needs(type=name), most=2) for name in ("small", "dear"))
    world = World(evolve(pool(), kinds=kinds), tasks(3), offers=(SMALL, DEAR))
    for kind in kinds:  # the cloud gives to each kind what it asks for
        assert kind.needs.type
    world.settle()
    assert [each.kind for each in world.launched] == [0, 0, 1]


def test_what_is_refused_is_sought_elsewhere_and_here_again_after_a_while() -> None:
    world = World(pool(), tasks(1), offers=(SMALL, DEAR))
    world.refused = {"small": FailureClass.CAPACITY, "dear": FailureClass.QUOTA}
    world.settle()
    assert types(world) == ["small", "dear"]
    assert "asked again" in why_waiting(world.state, "cloud", world.now)
    assert world.wake is not None
    world.refused = {}
    world.wait(world.wake - world.now)
    assert types(world) == ["small", "dear", "small"]


@pytest.mark.parametrize("failure", [FailureClass.CREDENTIALS, FailureClass.CONFIGURATION])
def test_what_the_cloud_will_never_give_is_not_asked_for_again_and_the_tasks_fail_for_its_reason(
    failure: FailureClass,
) -> None:
    world = World(pool(), tasks(2), offers=(SMALL,))
    world.refused = {"small": failure}
    world.settle()
    assert types(world) == ["small"] * len(types(world))
    assert phases(world) == {TaskPhase.FAILED}
    assert {task.failure for task in world.state.tasks.values()} == {failure}
    assert world.state.ended == "failed"


def test_a_login_that_may_not_rent_is_not_tried_on_every_offer_and_a_bad_request_on_three() -> None:
    offers = tuple(offer(f"t{n}") for n in range(9))
    for failure, tried in ((FailureClass.CREDENTIALS, 1), (FailureClass.CONFIGURATION, 3)):
        world = World(pool(), tasks(1), offers=offers)
        world.refused = dict.fromkeys((each.type for each in offers), failure)
        world.settle()
        assert len(world.launched) == tried
        assert world.state.ended == "failed"


def test_where_the_limits_of_the_account_leave_no_room_nothing_is_tried_until_they_do_and_it_is_said() -> None:
    world = World(pool(), tasks(1), offers=(SMALL, DEAR))
    world.room = {"small": 0, "dear": 0}
    world.settle()
    assert world.launched == []
    assert "limits leave room for none of the machines that would do" in why_waiting(world.state, "cloud", world.now)
    world.room = {"small": 1, "dear": 0}
    world.wait(timedelta(minutes=16))
    assert types(world) == ["small"]


def test_after_repeated_preemption_the_pool_goes_on_without_spot_machines() -> None:
    world = World(pool(spot=True), tasks(1), offers=(SMALL, SPOT)).settle()
    for _ in range(2):
        world.lose(world.serving()[0])
        world.wait(2 * SECOND)
    assert types(world) == ["spot", "spot", "small"]
    assert phases(world) == {TaskPhase.QUEUED}


def test_one_lost_machine_is_replaced_by_one_and_the_others_are_left_alone() -> None:
    world = World(pool(), tasks(3)).settle()
    lost, *others = world.serving()
    world.lose(lost)
    world.settle()
    assert set(others) < set(world.serving())
    assert len(world.serving()) == 3


def test_machines_that_cannot_be_reached_are_not_rented_for_ever() -> None:
    world = World(pool(most=1), tasks(1), offers=tuple(offer(f"t{n}") for n in range(9)))
    world.boots = False
    for _ in range(4):
        world.settle()
        for lease in list(world.state.leases.values()):
            if lease.phase is LeasePhase.KNOWN:
                world.change(lease.id, LeasePhase.ABSENT, failure=FailureClass.NETWORK)
    world.settle()
    assert len(world.launched) == 3
    assert phases(world) == {TaskPhase.FAILED}


def test_near_the_limit_nothing_more_is_rented_and_the_run_says_why_tasks_wait() -> None:
    world = World(pool(), tasks(3), max_cost=usd("0.45")).settle()  # each can cost 0.20
    assert len(world.launched) == 2
    assert "raise max_cost" in why_waiting(world.state, "cloud", world.now)
    world.end_all()
    assert world.state.phases[TaskPhase.SUCCEEDED] + world.state.phases[TaskPhase.QUEUED] == 3


def test_when_all_machines_that_there_may_be_are_busy_tasks_wait_for_these_and_for_nothing_else() -> None:
    world = World(pool(most=1), tasks(3), max_cost=usd("0.25")).settle()
    assert why_waiting(world.state, "cloud", world.now) == ""


def test_a_machine_that_is_idle_is_drained_given_up_and_rented_again_when_it_is_needed() -> None:
    world = World(pool(idle=5 * MINUTE), tasks(2)).settle()
    [one, _] = world.serving()
    [mine] = [name for name, task in world.state.tasks.items() if task.machine == f"m-{one}"]
    world.end(mine)
    world.settle()
    assert world.wake == world.now + 5 * MINUTE
    world.wait(4 * MINUTE)
    assert one in world.serving()
    world.wait(MINUTE)
    assert one not in world.serving()
    assert [(each.lease, each.closing) for each in world.given_up] == [(one, False)]


def test_what_is_kept_stays_up_while_it_is_idle_and_after_the_run() -> None:
    world = World(pool(when_idle=WhenIdle.KEEP), tasks(2)).settle()
    world.end(next(iter(world.state.live)))
    world.wait(20 * MINUTE)
    assert len(world.serving()) == 2
    world.end_all()
    assert world.state.ended == "succeeded"
    assert [(lease.phase, lease.kept) for lease in world.state.leases.values()] == [(LeasePhase.READY, True)] * 2


@pytest.mark.parametrize("how", [WhenIdle.KEEP, WhenIdle.STOP])
def test_a_machine_that_will_be_taken_gets_no_more_tasks_and_is_ended_whatever_its_pool_keeps(how: WhenIdle) -> None:
    world = World(pool(when_idle=how, most=1), tasks(2)).settle()
    (lease,) = world.serving()
    (running,) = world.state.live
    world.take(LeaseDraining(at=world.now, lease=lease, reason="it goes", doomed=True))
    world.settle()
    assert list(world.state.live)[:1] == [running]
    world.end(running)
    world.settle()
    assert [(each.lease, each.how) for each in world.given_up] == [(lease, WhenIdle.END)]
    assert world.state.tasks[next(iter(world.state.live))].machine != world.state.leases[lease].machine


def test_what_is_stopped_is_started_again_before_more_is_rented() -> None:
    first, second = tasks(1, name="a"), tasks(1, name="b")
    again = evolve(second[0].retry, attempts=2, delay=30 * MINUTE, max_delay=30 * MINUTE)
    chain = (*first, evolve(second[0], retry=again))
    world = World(pool(when_idle=WhenIdle.STOP, most=1), chain).settle()
    world.end("a0")
    world.settle()
    world.end("b0", code=1)
    world.wait(6 * MINUTE)
    assert [lease.phase for lease in world.state.leases.values()] == [LeasePhase.STOPPED]
    assert world.state.tasks["b0"].attempts == 1
    world.wait(24 * MINUTE)
    assert len(world.launched) == 1
    assert world.state.tasks["b0"].attempts == 2


def test_what_is_stopped_is_started_again_though_the_money_left_bears_no_new_machine() -> None:
    first, second = tasks(1, name="a"), tasks(1, name="b")
    again = evolve(second[0].retry, attempts=2, delay=30 * MINUTE, max_delay=30 * MINUTE)
    chain = (*first, evolve(second[0], retry=again))
    world = World(pool(when_idle=WhenIdle.STOP, most=2), chain, max_cost=usd("0.45")).settle()
    world.end("a0")
    world.settle()
    world.end("b0", code=1)
    world.wait(6 * MINUTE)
    world.wait(24 * MINUTE)
    assert world.state.tasks["b0"].attempts == 2
    assert len(world.launched) == 2


def test_what_is_stopped_ends_when_it_has_no_time_left_to_be_started_again_for() -> None:
    first, second = tasks(1, name="a"), tasks(1, name="b")
    again = evolve(second[0].retry, attempts=2, delay=timedelta(hours=3), max_delay=timedelta(hours=3))
    chain = (*first, evolve(second[0], retry=again))
    world = World(pool(when_idle=WhenIdle.STOP, most=1), chain).settle()
    world.end("a0")
    world.settle()
    world.end("b0", code=1)
    world.wait(6 * MINUTE)
    assert [lease.phase for lease in world.state.leases.values()] == [LeasePhase.STOPPED]
    world.wait(timedelta(hours=1, minutes=48))
    assert [lease.phase for lease in world.state.leases.values()] == [LeasePhase.ABSENT]


def test_a_cancelled_run_ends_what_it_would_have_kept() -> None:
    world = World(pool(when_idle=WhenIdle.KEEP), tasks(1)).settle()
    world.state.cancelled = True
    world.end_all()
    assert [lease.phase for lease in world.state.leases.values()] == [LeasePhase.ABSENT]


def test_outside_its_hours_a_pool_rents_nothing_and_gives_up_what_is_free() -> None:
    hours = parse_hours("Mon-Fri 08-18 UTC")
    world = World(pool(hours=hours), tasks(2)).settle()
    assert len(world.serving()) == 2
    world.end(next(iter(world.state.live)))
    world.settle()
    world.wait(timedelta(hours=1, minutes=59, seconds=59))
    closing = EPOCH + timedelta(hours=6)
    late = World(pool(hours=hours), tasks(1))
    late.now = closing
    late.settle()
    assert late.launched == []
    assert "08:00-18:00" in why_waiting(late.state, "cloud", late.now)
    assert late.wake == closing + timedelta(hours=14)
    late.wait(timedelta(hours=14))
    assert len(late.launched) == 1


def test_members_that_are_made_later_count_as_what_a_pool_has_still_to_do() -> None:
    part = evolve(tasks(1, name="part")[0], for_each=(Parameter("k", OutputLines(Reference(task="t0", path="ks"))),))
    world = World(pool(), (*tasks(1), part))
    assert world.state.rented["cloud"].open == 2
    make_members(world.state, "part0", [["a", "b", "c"]])
    assert world.state.rented["cloud"].open == 4


def test_a_machine_near_its_end_gets_no_more_attempts_and_is_replaced() -> None:
    world = World(pool(most=1), tasks(2)).settle()
    [old] = world.serving()
    world.wait(timedelta(hours=1, minutes=54))
    [new] = world.serving()
    assert new != old
    assert world.state.tasks["t0"].machine == f"m-{old}"
    assert world.state.tasks["t1"].machine == f"m-{new}"


def test_tasks_that_fit_on_no_machine_are_refused_and_the_others_run() -> None:
    world = World(pool(), (*tasks(1, name="ok"), *tasks(1, cpus=99, name="big"))).settle()
    assert world.state.tasks["big0"].phase is TaskPhase.FAILED
    assert world.state.tasks["ok0"].phase is TaskPhase.QUEUED


@settings(max_examples=60, deadline=None)
@example(seed=2165, most=3, count=7, limit="0.5", how=WhenIdle.STOP)
@given(
    seed=st.integers(0, 10_000),
    most=st.integers(1, 4),
    count=st.integers(1, 7),
    limit=st.sampled_from([None, "0.10", "0.5", "2"]),
    how=st.sampled_from(WhenIdle),
)
def test_whatever_happens_the_rules_hold_and_every_run_ends_with_nothing_open(
    seed: int, most: int, count: int, limit: str | None, how: WhenIdle
) -> None:
    rented = pool(most=most, spot=True, when_idle=how, idle=MINUTE)
    world = World(rented, tasks(count), offers=(SMALL, SPOT), max_cost=usd(limit) if limit else None, seed=seed)
    for _ in range(300):
        world.settle()
        up = [each for each in world.state.leases.values() if each.open and each.phase is not LeasePhase.ABSENT]
        assert len(up) <= most + sum(each.phase is LeasePhase.STOPPED for each in up)
        if limit:
            assert world.spent() <= usd(limit).amount
        assert world.state.rented["cloud"].open == len(world.state.tasks) - sum(
            world.state.phases[phase] for phase in ENDED
        )
        if world.state.ended:
            break
        happens(world)
    assert world.state.ended in {"succeeded", "failed"}
    assert not any(lease.open for lease in world.state.leases.values())
    again = world.replayed()
    assert {name: task.phase for name, task in again.tasks.items()} == {
        name: task.phase for name, task in world.state.tasks.items()
    }
    assert {name: lease.phase for name, lease in again.leases.items()} == {
        name: lease.phase for name, lease in world.state.leases.items()
    }
    assert again.idle == world.state.idle


def happens(world: World) -> None:
    """Let one thing happen by chance; time passes in any case."""
    chance = world.random.random()
    live, serving = list(world.state.live), world.serving()
    world.refused = {"spot": FailureClass.CAPACITY} if world.random.random() < 0.2 else {}
    if live and chance < 0.6:
        world.end(world.random.choice(live))
    elif serving and chance < 0.75:
        world.lose(
            world.random.choice(serving), world.random.choice([FailureClass.PREEMPTED, FailureClass.MACHINE_LOST])
        )
    later = world.random.choice([SECOND, MINUTE, 10 * MINUTE])
    world.now = max(world.now + later, world.wake or world.now) if not live else world.now + later
