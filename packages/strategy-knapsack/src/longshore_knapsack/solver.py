"""The multiple knapsack as a model of OR-Tools' CP-SAT: how many tasks of each kind go to each machine.

Counts and not single tasks are decided, so that 1,000 members of one task on 100 machines are 100 unknowns. One worker,
a seed and a limit in deterministic time make equal models give equal answers on every computer; see
https://github.com/google/or-tools/blob/stable/ortools/sat/sat_parameters.proto for the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from longshore_knapsack.config import Options
from longshore_knapsack.kinds import Kind
from longshore_knapsack.rooms import Room

__all__ = ["Counts", "solve"]

Counts = Mapping[tuple[int, int], int]
"""By the places of kind and room: how many tasks of that kind go there. What is missing is none."""

_CPU_UNITS = 1_000_000
_DUST = 1e-6
"""Of a unit: what sums of fractions may leave behind."""
_UNKNOWNS_PER_SECOND = 10_000
"""So many can be written down and simplified in the time. The last kinds beyond that are left to whoever fills the room
that remains.
"""
_SEARCH_SHARE = 0.2
"""Of the time; the rest is for what goes before the search, and for computers slower than the solver reckons with."""


def solve(kinds: Sequence[Kind], rooms: Sequence[Room], hint: Counts, options: Options) -> Counts:
    """Find counts of the greatest worth, as far as that goes in the time; the hint if nothing better is found."""
    from ortools.sat.python import cp_model  # noqa: PLC0415  it takes a second, which most runs never need

    weighted: Callable[[list[Any], list[int]], Any] = cp_model.LinearExpr.weighted_sum
    model = cp_model.CpModel()
    by_room: list[list[tuple[Kind, Any]]] = [[] for _ in rooms]
    unknowns: dict[tuple[int, int], Any] = {}
    most = int(options.seconds * _UNKNOWNS_PER_SECOND)
    for number, kind in enumerate(kinds):
        if len(unknowns) + len(rooms) > most and unknowns:
            break
        here: list[Any] = []
        for place, room in enumerate(rooms):
            if room.takes(kind.needs):
                unknown = model.new_int_var(0, min(len(kind.tasks), room.slots), "")
                model.add_hint(unknown, hint.get((number, place), 0))
                unknowns[number, place] = unknown
                by_room[place].append((kind, unknown))
                here.append(unknown)
        model.add(weighted(here, [1] * len(here)) <= len(kind.tasks))
    for room, mine in zip(rooms, by_room, strict=True):
        for limit, amounts in _limits(room, [kind for kind, _ in mine]):
            if any(amounts):
                model.add(weighted([unknown for _, unknown in mine], amounts) <= limit)
    model.maximize(weighted(list(unknowns.values()), [kinds[number].worth for number, _ in unknowns]))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = options.seed
    solver.parameters.max_deterministic_time = options.seconds * _SEARCH_SHARE
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return hint
    return {key: count for key, unknown in unknowns.items() if (count := int(solver.value(unknown)))}


def _limits(room: Room, kinds: Sequence[Kind]) -> list[tuple[int, list[int]]]:
    """Give each limit of a room with what a task of each kind takes of it, in whole numbers."""
    needs = [kind.needs for kind in kinds]
    return [
        # Rounded against the task, so that rounding never makes too much fit.
        (math.floor(room.cpus * _CPU_UNITS + _DUST), [math.ceil(each.cpus * _CPU_UNITS - _DUST) for each in needs]),
        (room.memory, [each.memory_bytes for each in needs]),
        (room.gpus, [each.gpus for each in needs]),
        (room.disk, [each.disk_bytes for each in needs]),
        (room.slots, [1 for _ in needs]),
    ]
