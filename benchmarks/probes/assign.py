"""Assign 1,000 waiting tasks to 100 machines by one strategy, some times, and print the median of the seconds.

Usage: assign.py STRATEGY TASKS MACHINES
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

from longshore.model.artifact import Input
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.views import MachineView, TaskView
from longshore.runtime.registry import Registry

TIMES = 9
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def waiting_tasks(count: int, machines: int, dice: random.Random) -> list[TaskView]:
    """Make tasks of some sizes, each reading two artifacts that one machine has."""
    sizes = [Resources(cpus=cpus, memory_bytes=int(cpus * 2**30)) for cpus in (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)]
    return [
        TaskView(
            id=f"t{order}",
            name="t",
            needs=dice.choice(sizes),
            priority=count - order // 100,
            order=order,
            inputs=tuple(Input(sha256=f"d{dice.randrange(machines)}", size=dice.randrange(10**9)) for _ in range(2)),
        )
        for order in range(count)
    ]


def free_machines(count: int, dice: random.Random) -> list[MachineView]:
    """Make idle machines of some sizes and prices."""
    views: list[MachineView] = []
    for number in range(count):
        cpus = dice.choice((8, 16, 32))
        room = Resources(cpus=float(cpus), memory_bytes=cpus * 2**31)
        price = Money(amount=Decimal(cpus) / 25, currency="USD")
        views.append(
            MachineView(
                id=f"m{number}",
                pool="p",
                capacity=room,
                free=room,
                slots=1000,
                largest=room,
                price_per_hour=price,
                has={f"d{number}"},
            )
        )
    return views


def main(name: str, tasks: int, machines: int) -> None:
    """Ask the strategy, and print what it took."""
    dice = random.Random(1)
    strategy = Registry().strategy(name)
    waiting, views = waiting_tasks(tasks, machines, dice), free_machines(machines, dice)
    seconds: list[float] = []
    for _ in range(TIMES):
        start = time.perf_counter()
        chosen = strategy.assign(waiting, views, NOW)
        seconds.append(time.perf_counter() - start)
        if not chosen:
            sys.exit("nothing was assigned")
    print(median(seconds))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
