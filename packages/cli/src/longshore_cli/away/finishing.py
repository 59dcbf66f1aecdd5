"""Here: a run that is over and of which all is here: nothing of it is kept elsewhere, and nobody pays any more."""

from __future__ import annotations

from longshore import machines
from longshore.errors import UsageError
from longshore.model.rented import WhenIdle
from longshore.runtime.history import RunReader
from longshore.runtime.leaving import remove_kept
from longshore.runtime.pools import buckets_of
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores
from longshore_cli.away.seats import Seat, forget_seat
from longshore_cli.invocation import Invocation
from longshore_cli.output import say

__all__ = ["finish"]


def finish(seat: Seat, project: Project, invocation: Invocation) -> None:
    """Take a run whose record and outputs are here for one of this folder; give back what was rented for it."""
    if not invocation.quiet:
        say(f"run {seat.run} is over, and its record is here now.")
    pools = RunReader(project.run_folder(seat.run)).workflow().pools
    remove_kept(buckets_of(pools), seat.run, Stores())
    if not seat.rented or _given_back(seat, project, invocation):
        forget_seat(project, seat.run)


def _given_back(seat: Seat, project: Project, invocation: Invocation) -> bool:
    """Give a machine back as its pool says; say whether that could be done."""
    name = seat.rented
    if seat.when_idle == WhenIdle.KEEP:
        if not invocation.quiet:
            say(f"{name} stays until its end time, for the next run that has its pool.")
        return True
    stops = seat.when_idle == WhenIdle.STOP
    verb, give = ("stopped", machines.stop) if stops else ("ended", machines.down)
    try:
        deeds = give(name, folder=project.folder)
    except UsageError:  # it has ended itself, and that is proven
        return True
    problem = next((deed.error for deed in deeds if deed.error), None)
    if problem is not None:
        say(f"longshore: {name} has not been {verb}: {problem}; `longshore machines down {name}` ends it")
    elif not invocation.quiet:
        say(f"{name} has been {verb}.")
    return problem is None
