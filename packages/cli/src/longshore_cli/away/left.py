"""Here: a run that is over and was left in a bucket, since the machine of its controller has ended itself."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import click

from longshore.config.document import from_document
from longshore.config.renting import read_renting
from longshore.errors import LongshoreError
from longshore.runtime.leaving import Left, bring_outputs, bring_record, find_left
from longshore.runtime.pools import buckets_of
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores
from longshore_cli.away.finishing import finish
from longshore_cli.away.forwarding import read_aside
from longshore_cli.away.seats import Order, Seat, order_kept
from longshore_cli.invocation import Invocation
from longshore_cli.output import say
from longshore_cli.telling import telling

__all__ = ["buckets_known", "take_left"]

_NEED_ALL = frozenset({"fetch", "resume"})


def take_left(ctx: click.Context, seat: Seat, project: Project, invocation: Invocation) -> bool:
    """Let a command about a run whose machine does not answer go on here, if the run was left whole in a bucket.

    `fetch` and `resume` have all of it brought here first: then it is a run of this folder. Others read its record,
    beside the project. False when no bucket that is known here has it.

    Raises:
        StagingError: when something of what was left does not come.
        JournalError: when its record cannot be written here.
    """
    stores = Stores()
    left: Left | None = None
    with suppress(LongshoreError):  # that the machine does not answer is told then
        left = find_left(buckets_known(project, order_kept(project, seat.run)), seat.run, stores)
    if left is None:
        return False
    if ctx.info_name in _NEED_ALL:
        project.make_home()
        with telling(invocation) as tell:
            tell(f"bringing what was left in {left.url}")
            bring_record(left, project, stores, project.runs)
            bring_outputs(left, project, stores)
        finish(seat, project, invocation)
        return True
    aside = Project(Path(ctx.with_resource(tempfile.TemporaryDirectory(prefix="longshore-left-"))))
    project.make_home()
    bring_record(left, project, stores, aside.runs)
    read_aside(ctx, seat, project)
    ctx.params["folder"] = aside.folder
    if not invocation.quiet:
        say(f"run {seat.run} is over, and {seat.machine} has ended itself; `longshore fetch` brings all of it here.")
    return True


def buckets_known(project: Project, order: Order | None) -> list[str]:
    """List the buckets of the pools that a folder knows: its own and those of a run that was begun here.

    Raises:
        ConfigError: when pools are described wrongly.
    """
    pools = [*read_renting(project.folder).pools.values()]
    if order is not None:
        pools += from_document(order["workflow"]).pools
    return buckets_of(pools)
