"""How many machines of a kind the tasks of a pool could use now."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from longshore.model.resources import Resources
from longshore.model.views import TaskView
from longshore.scheduler.state import RunState

__all__ = ["fits_into", "machines_wanted", "misfits", "waiting_tasks"]

_WINDOW = 1000
"""So many waiting tasks are looked at; what follows them is taken to be like them."""
_WORTH_SECONDS = 120.0
"""A machine takes about so long to come up: it is not rented for less work than that, unless there is none yet."""
_PRIORITY_STEP = 1e9
_TOLERANCE = 1e-6


def waiting_tasks(state: RunState, pool: str, now: datetime) -> list[TaskView]:
    """List the tasks that could start in a pool if there were room, the first thousand of them."""
    due: list[TaskView] = []
    for at, _, name in state.delayed:
        if at > now:
            break
        if state.tasks[name].pool == pool:
            due.append(state.tasks[name].view)
    return due + state.ready[pool].front(_WINDOW)


def machines_wanted(state: RunState, pool: str, room: Resources, now: datetime) -> float:
    """Say how many machines with this room the running and waiting tasks of a pool could use, in parts of a machine.

    There are no more than tasks that may run at once. Work that is known to be short is not spread so thin that
    machines come up for nothing: each is to have work for as long as it takes to come up, or as the longest path of
    tasks takes that waits in the pool, whichever is longer.
    """
    limits = [limit for limit in (state.pools.get(pool), state.workflow.max_tasks) if limit is not None]
    return min([_usable(state, pool, room, now), *limits])


def _usable(state: RunState, pool: str, room: Resources, now: datetime) -> float:
    front = waiting_tasks(state, pool, now)
    live = Counter(state.tasks[name].view.name for name in state.live if state.tasks[name].pool == pool)
    waiting = Counter(view.name for view in front)
    if not front:
        return _shares(state, live, room)
    more = max(1.0, len(state.ready[pool]) / len(front))
    running, queued = _shares(state, live, room), more * _shares(state, waiting, room)
    if not all(name in state.pace for name in (*waiting, *live)):
        return running + queued
    paces = state.pace
    seconds = _shares(state, live, room, paces) + more * _shares(state, waiting, room, paces)
    path = max(view.priority % _PRIORITY_STEP for view in front) * state.common_pace
    return max(running, min(running + queued, max(1.0, seconds / max(_WORTH_SECONDS, path))))


def misfits(state: RunState, waiting: Sequence[TaskView], rooms: Sequence[Resources]) -> tuple[str, ...]:
    """Name those of the waiting tasks that fit into none of these rooms."""
    bad = {
        name
        for name in {view.name for view in waiting}
        if not any(fits_into(state.groups[name].spec.needs, room) for room in rooms)
    }
    return tuple(view.id for view in waiting if view.name in bad) if bad else ()


def fits_into(needs: Resources, room: Resources) -> int:
    """Say how many tasks with these needs a machine takes at once; of what is not said of it there is enough."""
    pairs = (
        (needs.cpus, room.cpus),
        (needs.memory_bytes, room.memory_bytes),
        (needs.gpus, room.gpus),
        (needs.disk_bytes, room.disk_bytes or math.inf),
    )
    limits = [int(has / need + _TOLERANCE) for need, has in pairs if need and has != math.inf]
    return min(limits, default=_WINDOW)


def _shares(
    state: RunState, counts: Mapping[str, int], room: Resources, weights: Mapping[str, float] | None = None
) -> float:
    """Add up which part of a machine tasks take, each as often as it is counted, times its weight."""
    total = 0.0
    for name, count in counts.items():
        fitting = fits_into(state.groups[name].spec.needs, room)
        if fitting:
            total += count / fitting * (1.0 if weights is None else weights[name])
    return total
