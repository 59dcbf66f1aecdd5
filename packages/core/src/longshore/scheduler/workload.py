"""How many machines of a kind the tasks of a pool could use now."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from longshore.model.resources import Resources
from longshore.scheduler.state import RunState

__all__ = ["fits_into", "machines_wanted", "misfits"]

_WINDOW = 1000
"""So many waiting tasks are looked at; what follows them is taken to be like them."""
_WORTH_SECONDS = 120.0
"""A machine takes about so long to come up: it is not rented for less work than that, unless there is none yet."""
_PRIORITY_STEP = 1e9
_TOLERANCE = 1e-6


def machines_wanted(state: RunState, pool: str, room: Resources) -> float:
    """Say how many machines with this room the running and waiting tasks of a pool could use, in parts of a machine.

    Work that is known to be short is not spread so thin that machines come up for nothing: each is to have work for as
    long as it takes to come up, or as the longest path of tasks takes that waits in the pool, whichever is longer.
    """
    live = Counter(state.tasks[name].view.name for name in state.live if state.tasks[name].pool == pool)
    queue = state.ready[pool]
    front = queue.front(_WINDOW)
    waiting = Counter(view.name for view in front)
    more = len(queue) / len(front) if front else 1.0
    running = sum(count * _share(state, name, room) for name, count in live.items())
    queued = more * sum(count * _share(state, name, room) for name, count in waiting.items())
    if queued and all(name in state.pace for name in waiting):
        seconds = more * sum(count * _share(state, name, room) * state.pace[name] for name, count in waiting.items())
        path = max(view.priority % _PRIORITY_STEP for view in front) * state.common_pace
        queued = min(queued, max(1.0 if not running else 0.0, seconds / max(_WORTH_SECONDS, path)))
    return running + queued


def misfits(state: RunState, pool: str, rooms: Sequence[Resources]) -> tuple[str, ...]:
    """Name the waiting tasks of a pool that fit into none of these rooms."""
    bad = {
        name
        for name in {view.name for view in state.ready[pool]}
        if not any(fits_into(state.groups[name].spec.needs, room) for room in rooms)
    }
    return tuple(view.id for view in state.ready[pool] if view.name in bad) if bad else ()


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


def _share(state: RunState, name: str, room: Resources) -> float:
    fitting = fits_into(state.groups[name].spec.needs, room)
    return 1 / fitting if fitting else 0.0
