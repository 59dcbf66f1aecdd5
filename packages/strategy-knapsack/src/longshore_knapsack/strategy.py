"""The strategy: what is quick and surely best is done at once, and the solver is asked about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from longshore.model.views import Assignment, MachineView, TaskView
from longshore_knapsack.config import Options
from longshore_knapsack.kinds import Kind, kinds_of, worths
from longshore_knapsack.rooms import Room, fill, first_room, freest_room
from longshore_knapsack.solver import Counts, solve

__all__ = ["Knapsack"]


class Knapsack:
    """Starts what is worth most together: a task's worth is the share of the machines that it takes, up to twice as
    much when it is urgent. Never worth less than first-fit.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        machines = [machine for machine in machines if machine.slots > 0]
        rooms = [Room(machine) for machine in machines]
        fitting = {needs: first_room(needs, rooms) is not None for needs in {task.needs for task in waiting}}
        tasks = [task for task in waiting if fitting[task.needs]]
        spread = fill(tasks, rooms, freest_room)
        # All can start, or all are of one size: nothing is worth more than the most urgent first, evenly spread.
        if len(spread) == len(tasks) or sum(fitting.values()) == 1:
            return spread
        worth = worths(waiting, machines)

        def total(chosen: Sequence[Assignment]) -> int:
            return sum(worth[each.task] for each in chosen)

        in_order = sorted(tasks, key=lambda task: task.order)
        quick = [spread, *(fill(each, list(map(Room, machines)), first_room) for each in (tasks, in_order))]
        best = max(quick, key=total)
        packed = _packed(tasks, machines, kinds_of(tasks, worth), best, self._options)
        return max(best, packed, key=total)


def _packed(
    tasks: Sequence[TaskView],
    machines: Sequence[MachineView],
    kinds: Sequence[Kind],
    hint: Sequence[Assignment],
    options: Options,
) -> list[Assignment]:
    """Let the solver improve on assignments, and use what room it leaves."""
    rooms = [Room(machine) for machine in machines]
    counts = solve(kinds, rooms, _counted(hint, kinds, rooms), options)
    left = [list(reversed(kind.tasks)) for kind in kinds]
    chosen: list[Assignment] = []
    for (number, place), count in sorted(counts.items()):
        for _ in range(count):
            room, task = rooms[place], left[number][-1]
            if room.takes(task.needs):
                room.take(task.needs)
                chosen.append(Assignment(left[number].pop().id, room.id))
    started = {each.task for each in chosen}
    return chosen + fill([task for task in tasks if task.id not in started], rooms, first_room)


def _counted(chosen: Sequence[Assignment], kinds: Sequence[Kind], rooms: Sequence[Room]) -> Counts:
    number_of = {task.id: number for number, kind in enumerate(kinds) for task in kind.tasks}
    place_of = {room.id: place for place, room in enumerate(rooms)}
    return Counter((number_of[each.task], place_of[each.machine]) for each in chosen)
