"""What a run needs next. Pure: equal state, strategy and time give equal actions, and nothing is touched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from attrs import evolve

from longshore.errors import PluginBroken
from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin.protocols import AssignmentStrategy
from longshore.scheduler.actions import (
    Action,
    CancelAttempt,
    Deliver,
    EndRun,
    Identify,
    MakeMembers,
    StartAttempt,
    WakeAt,
)
from longshore.scheduler.collecting import collections
from longshore.scheduler.state import DONE, MachineState, ReadyLine, ReadyQueue, RunState, TaskPhase

__all__ = ["decide"]

_WINDOW = 1000
"""At most so many waiting tasks does a strategy see at once."""
_CHOICE = 8
"""It sees so many for each free cpu, which is choice enough, since a decision is taken at each turn."""
_MANY = 8
"""From so many machines on it is worth to look first which are full."""
_IDENTIFY = 500
_DELIVER = 100
_AHEAD_SECONDS = 0.05
"""Tasks shorter than this wait on the machine itself, enough of them to fill this much time: a round trip would idle
it.
"""
_AHEAD_MOST = 128
"""At most so many times the machine's own capacity waits on it."""


def decide(state: RunState, strategy: AssignmentStrategy, now: datetime) -> Sequence[Action]:
    """Say what the run needs next; touch nothing.

    Raises:
        PluginBroken: when the strategy assigns what is not waiting or does not fit.
    """
    if state.ended is not None:
        return ()
    if state.parted:
        from longshore.scheduler.parting import losses  # noqa: PLC0415  few runs lose a machine

        lost = losses(state, now)
        if lost:
            # All else depends on what is lost with them.
            return lost
    # What runs on a machine to which there is no link yet is cancelled in the turn after the link has been made.
    actions: list[Action] = [
        CancelAttempt(name, task.attempts, task.machine)
        for name in state.cancelling
        if state.machines[(task := state.tasks[name]).machine].linked
    ]
    actions += collections(state)
    goes_on = not (state.stopping or state.failing or state.cancelled)
    actions += _data(state, members=goes_on)
    actions += [WakeAt(parted.until) for parted in state.parted.values()]
    if goes_on:
        # As many as strategies look at, and no more: the first of 100,000 tasks need not wait until the last has its
        # identity.
        if state.unidentified and sum(map(len, state.ready.values())) < _WINDOW:
            actions.append(Identify(tuple(islice(state.unidentified, _IDENTIFY))))
        starts = _starts(state, strategy, now)
        actions += starts
        if state.rented:
            from longshore.scheduler.renting import rent  # noqa: PLC0415  few runs rent, and all wait for imports

            actions += rent(state, now, starts)
    ended = _end(state)
    if ended not in {None, "interrupted"} and state.under_construction:
        from longshore.scheduler.environments import cancel_builds  # noqa: PLC0415  as above

        actions += cancel_builds(state)
    elif ended is not None:
        left = [] if ended == "interrupted" else list(collections(state, ending=True))
        actions += _rescued(state, ended) or left or _closing(state, ended, now)
    elif state.delayed and state.delayed[0][0] > now:
        actions.append(WakeAt(state.delayed[0][0]))
    return actions


def _data(state: RunState, *, members: bool) -> Iterable[Action]:
    """Say what has to travel, what can be delivered, and with ``members`` of which tasks these can be made."""
    if state.where.stores or state.where.staging:
        from longshore.scheduler.demand import demands  # noqa: PLC0415  as above

        return demands(state, _DELIVER, members=members)
    delivers: list[Action] = [Deliver(name) for name in islice(state.undelivered, _DELIVER)]
    return delivers + [MakeMembers(name) for name in state.unmade] if members else delivers


def _rescued(state: RunState, ended: str) -> Sequence[Action]:
    """What the tasks that failed would have read is not to be lost with the run."""
    if ended != "failed" or not state.where.elsewhere:
        return ()

    from longshore.scheduler.demand import rescues  # noqa: PLC0415  as above

    return rescues(state, _DELIVER)


def _closing(state: RunState, ended: str, now: datetime) -> Sequence[Action]:
    if state.leases:
        from longshore.scheduler.renting import close_leases  # noqa: PLC0415  as above

        closing = close_leases(state, ended, now)
        if closing is not None:
            return closing
    return [EndRun(ended)]


def _end(state: RunState) -> str | None:
    """Say how the run has ended, or None while there is something to do."""
    if state.live or state.undelivered or state.where.settling or any(collections(state)):
        return None
    if state.cancelled:
        return "cancelled"
    if state.failing:
        return "failed"
    open_work = state.unidentified or state.unmade or state.delayed or any(state.ready.values())
    if open_work:
        return "interrupted" if state.stopping else None
    if sum(state.phases[phase] for phase in DONE) == len(state.tasks):
        return "failed" if state.spoiled else "succeeded"
    bad = state.phases[TaskPhase.FAILED] or state.phases[TaskPhase.LOST] or state.spoiled
    if state.phases[TaskPhase.CANCELLED] and not bad:
        return "cancelled"
    return "failed"


def _starts(state: RunState, strategy: AssignmentStrategy, now: datetime) -> list[Action]:
    """Give waiting tasks to machines, and ask machines for the environments that others wait for."""
    room = None if state.workflow.max_tasks is None else state.workflow.max_tasks - len(state.live)
    due = _due(state, now)
    starts: list[Action] = []
    for pool, queue in state.ready.items():
        late = [view for view in due if state.tasks[view.id].pool == pool]
        if (not queue and not late) or (room is not None and room <= 0):
            continue
        limit = state.pools.get(pool)
        left = _least(room, None if limit is None else limit - state.live_in_pool[pool])
        if left is not None and left <= 0:
            continue
        usable = [each for each in state.machines.values() if each.pool == pool and _is_usable(state, each)]
        if state.workflow.environments:
            from longshore.scheduler.environments import builds  # noqa: PLC0415  as above

            starts += builds(state, late, usable, now)
        chosen = _assigned(state, strategy, now, queue, late, usable, left)
        starts += [
            StartAttempt(assignment.task, state.tasks[assignment.task].attempts + 1, assignment.machine)
            for assignment in chosen
        ]
        if room is not None:
            room -= len(chosen)
    return starts


def _assigned(
    state: RunState,
    strategy: AssignmentStrategy,
    now: datetime,
    queue: ReadyQueue,
    late: list[TaskView],
    usable: list[MachineState],
    left: int | None,
) -> Sequence[Assignment]:
    """Let the strategy assign the tasks of one pool, those of each environment by themselves, to machines that have it.

    Once some are assigned, the next environment waits for the next turn, which knows what room is left.
    """
    if not state.workflow.environments:
        return _chosen(state, strategy, now, queue.line(""), late, usable, left)
    for environment in dict.fromkeys((*(view.environment for view in late), *queue.environments())):
        able = [each for each in usable if not environment or _has(state, each, environment)]
        again = [view for view in late if view.environment == environment]
        chosen = _chosen(state, strategy, now, queue.line(environment), again, able, left)
        if chosen:
            return chosen
    return ()


def _chosen(
    state: RunState,
    strategy: AssignmentStrategy,
    now: datetime,
    line: ReadyLine,
    late: list[TaskView],
    usable: list[MachineState],
    left: int | None,
) -> Sequence[Assignment]:
    """Let the strategy choose among tasks that any of these machines can take."""
    ahead = _ahead(state, late + line.front(_CHOICE)) if left is None else 0
    if len(usable) > _MANY and not ahead:
        usable = _not_full(usable, late + line.front(_WINDOW))
    machines = [view for machine in usable if (view := _view(state, machine, ahead)).slots > 0]
    if not machines:
        return ()
    room_now = sum(min(view.free.cpus, view.slots) for view in machines)
    waiting = late + line.front(min(_WINDOW, int(_CHOICE * (room_now + _CHOICE))))
    if ahead and _ahead(state, waiting) < ahead:
        # Further back there are longer tasks: those must not wait behind others on a machine.
        machines = [view for machine in usable if (view := _view(state, machine, 0)).slots > 0]
    assignments = strategy.assign(waiting, machines, now)
    _check(assignments, waiting, machines, state.workflow.strategy.name)
    return assignments if left is None else assignments[:left]


def _not_full(machines: list[MachineState], waiting: Sequence[TaskView]) -> list[MachineState]:
    """Leave out what no waiting task fits on, since a view of each of 100 machines costs more than all else."""
    if not all(view.needs.cpus for view in waiting):
        return machines
    return [each for each in machines if each.cpus_used < each.capacity.cpus]


def _has(state: RunState, machine: MachineState, environment: str) -> bool:
    build = state.builds.get((machine.id, environment))
    return build is not None and build.built


def _is_usable(state: RunState, machine: MachineState) -> bool:
    lease = state.lease_of.get(machine.id)
    return machine.linked and not machine.gone and (lease is None or state.leases[lease].takes_attempts)


def _due(state: RunState, now: datetime) -> list[TaskView]:
    due: list[TaskView] = []
    for at, _, name in state.delayed:
        if at > now:
            break
        due.append(state.tasks[name].view)
    return due


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _ahead(state: RunState, waiting: Sequence[TaskView]) -> int:
    """Say how many times a machine's capacity may wait on it: none unless all that waits is known to be short."""
    known, usual = state.pace.get, state.common_pace
    longest = max([known(name, usual) for name in {view.name for view in waiting}], default=0.0)
    if longest > _AHEAD_SECONDS:
        return 0
    return min(_AHEAD_MOST, int(_AHEAD_SECONDS / longest)) if longest > 0 else _AHEAD_MOST


def _view(state: RunState, machine: MachineState, ahead: int) -> MachineView:
    capacity = machine.capacity
    fold = 1 + ahead if machine.alone else 1
    slots = machine.slots if machine.slots is not None else _WINDOW
    view = MachineView(
        id=machine.id,
        pool=machine.pool,
        capacity=capacity,
        free=Resources(
            cpus=max(0.0, capacity.cpus * fold - machine.cpus_used),
            memory_bytes=max(0, capacity.memory_bytes * fold - machine.memory_used),
            gpus=max(0, capacity.gpus * fold - machine.gpus_used),
            disk_bytes=max(0, capacity.disk_bytes - machine.disk_used),
        ),
        slots=max(0, slots * fold - machine.attempts),
        largest=capacity,
        price_per_hour=machine.price_per_hour,
    )
    return evolve(view, has=state.where.contents(machine.store)) if state.where.stores else view


def _check(
    assignments: Sequence[Assignment], waiting: Sequence[TaskView], machines: Sequence[MachineView], strategy: str
) -> None:
    """Refuse what a strategy must never do, before anything comes of it."""
    views = {view.id: view for view in waiting} if assignments else {}
    taken: dict[str, list[float]] = {}
    rooms = {machine.id: machine for machine in machines}
    for assignment in assignments:
        view = views.pop(assignment.task, None)
        machine = rooms.get(assignment.machine)
        if view is None or machine is None:
            raise PluginBroken(
                f"the strategy {strategy!r} put {assignment.task} on {assignment.machine}: "
                + ("no such task is waiting" if view is None else "there is no such machine in its pool")
            )
        used = taken.setdefault(assignment.machine, [0.0, 0, 0, 0, 0])
        needs = view.needs
        if not needs.fits(machine.largest):
            raise PluginBroken(f"the strategy {strategy!r} put {assignment.task} on {machine.id}, which it exceeds")
        used[0] += needs.cpus
        used[1] += needs.memory_bytes
        used[2] += needs.gpus
        used[3] += needs.disk_bytes
        used[4] += 1
    for name, (cpus, memory, gpus, disk, count) in taken.items():
        free = rooms[name].free
        total = Resources(cpus=cpus, memory_bytes=int(memory), gpus=int(gpus), disk_bytes=int(disk))
        if count > rooms[name].slots or not total.fits(free):
            raise PluginBroken(f"the strategy {strategy!r} put more on {name} than fits: {total} of {free}")
