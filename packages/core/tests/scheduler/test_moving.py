"""What holds wherever data is: random graphs on machines with stores of their own, which break."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.model.command import Shell
from longshore.model.events import CancelAsked, Event, RetryAsked
from longshore.model.outcome import FailureClass
from longshore.model.retry import RetryPolicy
from longshore.model.task import Parameter, Reference, TaskSpec, Values
from longshore.model.workflow import PoolSpec
from longshore.runtime.codec import decode, encode
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore.scheduler.state import DONE, ENDED, RunState, TaskPhase

from .flows import workflow
from .world import Host, World


@st.composite
def graphs(draw: st.DrawFn) -> list[TaskSpec]:
    specs: list[TaskSpec] = []
    for index in range(draw(st.integers(1, 6))):
        read = sorted(draw(st.sets(st.integers(0, index - 1), max_size=3))) if index else []
        references = []
        for other in read:
            member = draw(st.sampled_from(["*", "a", "b"])) if specs[other].for_each else ""
            references.append(Reference(task=f"t{other}", member=member, path="out"))
        members = (Parameter("k", Values(("a", "b"))),) if draw(st.integers(0, 3)) == 0 else ()
        specs.append(
            TaskSpec(
                name=f"t{index}",
                command=Shell("true"),
                references=tuple(references),
                for_each=members,
                keep=draw(st.booleans()),
                retry=RetryPolicy(attempts=draw(st.sampled_from([1, 20]))),
            )
        )
    return specs


BUCKET = "s3://bucket/run"
names = st.frozensets(st.sampled_from([f"t{index}" for index in range(7)]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    stores = draw(st.lists(st.sampled_from(["", "s1", "s2", "s3"]), min_size=1, max_size=4))
    vanish = draw(st.booleans())
    hosts = [Host(name=f"h{n}", store=store, vanishes=vanish and store != "") for n, store in enumerate(stores)]
    specs = draw(graphs())
    seed = draw(st.integers(0, 2**16))
    strangers = draw(st.sampled_from([0.0, 0.5, 1.0]))
    pool = PoolSpec(name="local", store=draw(st.sampled_from(["", BUCKET])))
    return World(workflow(*specs, pools=(pool,)), hosts, seed, draw(names), draw(names), draw(names), strangers)


def facts(state: RunState) -> dict[str, object]:
    where = state.where
    return {
        "phases": {name: (task.phase, task.unmet, task.outputs, task.attempts) for name, task in state.tasks.items()},
        "stores": where.stores,
        "elsewhere": {sha: (each.artifact, list(each.tasks), each.listed) for sha, each in where.elsewhere.items()},
        "queues": (list(where.settling), list(where.staging), where.lost, where.garbage, dict(where.failures)),
        "live": list(state.live),
        "ready": {pool: [view.id for view in queue] for pool, queue in state.ready.items()},
    }


def check(world: World) -> None:
    """What the state believes is so, and is what the journal says."""
    state = world.state
    for store, has in state.where.stores.items():
        assert has <= world.stores[store] | world.home, "the state believes in what is not there"
    for name, task in state.tasks.items():
        if task.phase in DONE and name not in state.where.lost:
            bucket = world.stores.get(BUCKET)
            if bucket is not None or all(host.vanishes for host in world.hosts if host.store):
                missing = {each.sha256 for each in task.outputs} - world.home - (bucket or set())
                assert not missing or world.moths, "a task succeeds while its only outputs can vanish"
            for each in task.outputs:
                there = each.sha256 in world.home or any(each.sha256 in store for store in world.stores.values())
                assert there, "the only copy is gone and the state does not know"
    replayed = begin(world.spec)
    for event in world.history:
        apply(replayed, through_the_journal(event))
    assert facts(replayed) == facts(state), "state == fold(apply, journal)"


def through_the_journal(event: Event) -> Event:
    copy = decode(*encode(event))
    assert copy == event
    return copy


def wanted(world: World) -> set[str]:
    """The tasks whose outputs belong in the results."""
    groups = world.state.groups
    return {name for name, task in world.state.tasks.items() if task.task.spec.keep or not groups[task.view.name].read}


def play(world: World, *, failing: float = 0.0, turns: int = 500) -> None:
    for _ in range(turns):
        if world.state.ended is not None:
            return
        world.turn()
        world.step(failing=failing)
    raise AssertionError(f"the run does not end: {facts(world.state)}")


@settings(max_examples=120, deadline=None)
@given(world=worlds())
def test_when_nothing_breaks_each_task_runs_once_and_results_come_home(world: World) -> None:
    play(world)

    assert world.state.ended == "succeeded"
    assert set(Counter(world.runs).values()) == {1}
    assert world.delivered == wanted(world)
    assert world.state.where.elsewhere == {}
    check(world)


def test_what_another_task_has_written_too_is_not_discarded_when_its_first_writer_is_read() -> None:
    reads = (Reference(task="t0", member="*", path="out"),)
    members = (Parameter("k", Values(("a", "b"))),)
    specs = [
        TaskSpec(name="t0", command=Shell("true"), for_each=members, keep=True),
        *(TaskSpec(name=f"t{number}", command=Shell("true"), references=reads, keep=True) for number in (1, 2, 3)),
    ]
    hosts = [Host(name="h0", store=""), Host(name="h1", store="s1")]
    for seed in range(100):
        world = World(workflow(*specs), hosts, seed, twins=frozenset({"t0", "t3"}))
        play(world)
        assert set(Counter(world.runs).values()) == {1}


@settings(max_examples=120, deadline=None)
@given(world=worlds(), data=st.data())
def test_whatever_breaks_the_run_ends_well_and_only_what_was_lost_runs_again(world: World, data: st.DataObject) -> None:
    fires = data.draw(st.integers(0, 3))
    crashes = data.draw(st.integers(0, 3))
    for _ in range(600):
        if world.state.ended is not None:
            break
        world.turn()
        world.step(failing=0.1)
        chance = world.random.random()
        if chance < 0.05 and fires:
            fires -= 1
            host = world.random.choice(world.hosts)
            if host.name in world.up:
                world.lose(host)
                if not world.up or world.random.random() < 0.5:
                    world.add(world.random.choice(world.hosts) if world.up else host)
        elif chance > 0.95 and crashes:
            crashes -= 1
            world.control()
        check(world)
    if world.state.ended is None:
        play(world)

    assert world.state.ended in {"succeeded", "failed"}
    assert all(task.phase in ENDED for task in world.state.tasks.values())
    check(world)
    if world.state.ended == "failed":
        world.take(RetryAsked(at=world.now, tasks=tuple(world.state.tasks)))
        world.control()
        play(world)
    assert world.state.ended == "succeeded"
    assert world.delivered == wanted(world)
    check(world)


@settings(max_examples=60, deadline=None)
@given(specs=graphs(), seed=st.integers(0, 2**16), fires=st.integers(1, 3), strangers=st.sampled_from([0.0, 0.5, 1.0]))
def test_what_is_in_a_bucket_is_not_made_again_when_its_machine_has_gone(
    specs: list[TaskSpec], seed: int, fires: int, strangers: float
) -> None:
    hosts = [Host(name=name, store=name, vanishes=vanishes) for name, vanishes in (("h1", False), ("h2", True))]
    world = World(workflow(*specs, pools=(PoolSpec(name="local", store=BUCKET),)), hosts, seed, strangers=strangers)
    while world.state.ended is None:
        world.turn()
        done = {name for name, task in world.state.tasks.items() if task.phase in DONE}
        world.step()
        if fires and world.random.random() < 0.2:
            fires -= 1
            host = world.random.choice(hosts)
            world.lose(host)
            world.add(host)
        assert done <= {name for name, task in world.state.tasks.items() if task.phase in DONE}
        check(world)

    assert world.delivered == wanted(world) or world.state.ended == "failed"


@settings(max_examples=120, deadline=None)
@given(world=worlds(), breaks=st.integers(1, 5))
def test_what_is_out_of_reach_is_waited_for_and_nothing_ever_runs_twice_at_once(world: World, breaks: int) -> None:
    given = [host for host in world.hosts if host.store and not host.vanishes]
    for _ in range(400):
        if world.state.ended is not None:
            break
        world.turn()
        world.step()
        chance = world.random.random()
        up = [host for host in given if host.name in world.up]
        down = [host for host in given if host.name not in world.up]
        if chance < 0.15 and breaks and up:
            breaks -= 1
            world.part(world.random.choice(up))
        elif chance < 0.3 and down:
            world.meet(world.random.choice(down))
        elif chance > 0.95:
            world.control()
        check(world)
    for host in given:
        if world.state.ended is None and host.name not in world.up:
            world.meet(host)
    play(world)

    assert world.state.ended in {"succeeded", "failed"}
    check(world)


@settings(max_examples=60, deadline=None)
@given(world=worlds(), bad=st.integers(0, 5))
def test_what_a_failed_task_would_have_read_is_at_home_when_the_run_has_ended(world: World, bad: int) -> None:
    failing = [name for name, task in world.state.tasks.items() if task.view.name == f"t{bad}"]
    for _ in range(500):
        world.turn()
        for name in failing:
            if name in world.running:
                world.end(name, FailureClass.PLUGIN_BUG)
        world.step()
        if world.state.ended is not None:
            break

    assert world.state.ended == ("failed" if failing else "succeeded")
    for name, task in world.state.tasks.items():
        if task.phase not in DONE:
            for producer in world.producers(name):
                if world.state.tasks[producer].phase in DONE:
                    outputs = {each.sha256 for each in world.state.tasks[producer].outputs}
                    assert outputs <= world.home, f"{producer} would have to run again for {name}"


@settings(max_examples=60, deadline=None)
@given(world=worlds(), moment=st.integers(0, 30))
def test_a_run_that_is_cancelled_ends_whatever_is_on_its_way(world: World, moment: int) -> None:
    for _ in range(moment):
        world.turn()
        world.step()
    if world.state.ended is None:
        world.take(CancelAsked(at=world.now))
    play(world)

    assert world.state.ended in {"cancelled", "succeeded"}
    assert all(task.phase is not TaskPhase.STAGING for task in world.state.tasks.values())
    check(world)


@settings(max_examples=80, deadline=None)
@given(world=worlds(), moths=st.integers(0, 4))
def test_what_has_vanished_from_a_store_is_sent_or_made_again(world: World, moths: int) -> None:
    world.moths = True
    for _ in range(500):
        world.turn()
        world.step()
        if moths and world.random.random() < 0.2:
            moths -= 1
            world.eat()
        if world.state.ended is not None:
            break

    assert world.state.ended is not None
    if world.state.ended == "failed":
        world.take(RetryAsked(at=world.now, tasks=tuple(world.state.tasks)))
        world.control()
        play(world)
    assert world.state.ended == "succeeded"
    assert world.delivered == wanted(world)


def goes_on(world: World, turns: int) -> bool:
    """Play for so many turns; say whether the run has not ended by then."""
    for _ in range(turns):
        if world.state.ended is None:
            world.turn()
            world.step()
    return world.state.ended is None


@settings(max_examples=120, deadline=None)
@given(world=worlds(), turns=st.integers(0, 40), copied=st.floats(0, 1))
def test_a_run_whose_home_is_gone_ends_well_from_any_copy_of_its_journal(
    world: World, turns: int, copied: float
) -> None:
    if not goes_on(world, turns):
        return
    world.moths = True  # a copy knows nothing of what was discarded later

    world.take_over(round(copied * len(world.history)))

    play(world)
    assert world.state.ended == "succeeded"
    assert world.delivered == wanted(world)


@settings(max_examples=120, deadline=None)
@given(specs=graphs(), seed=st.integers(0, 2**16), turns=st.integers(0, 40), copied=st.floats(0, 1))
def test_what_is_in_a_bucket_runs_once_though_the_controller_is_gone(
    specs: list[TaskSpec], seed: int, turns: int, copied: float
) -> None:
    hosts = [Host(name=name, store=name) for name in ("h1", "h2")]
    world = World(workflow(*specs, pools=(PoolSpec(name="local", store=BUCKET),)), hosts, seed)
    if not goes_on(world, turns):
        return
    world.moths = True

    world.take_over(round(copied * len(world.history)))

    play(world)
    assert world.state.ended == "succeeded"
    assert set(Counter(world.runs).values()) == {1}
    assert world.delivered == wanted(world)
