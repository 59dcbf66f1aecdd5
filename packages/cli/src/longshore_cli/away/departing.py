"""There: the runs of this machine; and its end, when it was rented for them and all are over and safe elsewhere."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from longshore import machines
from longshore.errors import LongshoreError
from longshore.model.rented import WhenIdle
from longshore.plugin.boot import OVER_FILE
from longshore.runtime.history import RunReader
from longshore.runtime.leaving import leave_run
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores
from longshore_cli.away.lasting import last_no_more
from longshore_cli.away.listing import list_runs
from longshore_cli.away.orders import note_left
from longshore_cli.living import living_leases
from longshore_cli.output import say
from longshore_cli.scheduling.timers import alone

__all__ = ["depart"]

_PATIENCE = timedelta(minutes=10)
"""Clouds prove within this time that a machine is gone."""


def depart(root: Path) -> None:
    """Leave this machine's starts alone when no run goes on here any more; and end it if it was rented for them, and
    all are left where a bucket keeps them. What prevents that is told.
    """
    if not all(each["over"] for each in list_runs(root)):
        return
    last_no_more()
    if not _ends(root):
        return
    for each in list_runs(root):
        if not each["left"]:
            _leave(Project(Path(each["folder"])), each["run"])
    if not _is_alone(root):
        return
    with alone():  # nobody begins a run, or goes on with one, meanwhile
        if all(each["left"] and not each["kept"] for each in list_runs(root)):
            try:
                Path(OVER_FILE).touch()
            except OSError as error:
                say(f"longshore: this machine cannot be told to end itself: {OVER_FILE}: {error.strerror}")


def _ends(root: Path) -> bool:
    rented = [each["rented"] for each in list_runs(root) if each["rented"]]
    return any(each["when_idle"] == WhenIdle.END for each in rented)


def _leave(project: Project, run: str) -> None:
    reader = RunReader(project.run_folder(run))
    if reader.info().resumable:
        return  # somebody has interrupted it, and may go on
    try:
        left = leave_run(project, run, Stores())
    except LongshoreError as error:
        say(f"longshore: run {run} cannot be left in a bucket, so this machine stays until it is fetched: {error}")
        return
    if left is None:
        say(f"run {run}: no pool of it has a `store`, so this machine stays until all of it is fetched")
        return
    note_left(project, run, left.url, left.fence)


def _is_alone(root: Path) -> bool:
    """Say whether nothing that was rented from here needs us; what is not proven to be gone is waited for."""
    for each in list_runs(root):
        run, folder = each["run"], each["folder"]
        try:
            if _living(run):
                machines.gc(folder, patience=_PATIENCE)
            if _living(run):
                say(f"longshore: machines of run {run} are not proven to have ended, so this machine stays")
                return False
        except LongshoreError as error:
            say(f"longshore: it is not known whether machines of run {run} have ended: {error}; this machine stays")
            return False
    return True


def _living(run: str) -> bool:
    """Say whether a machine of a run is left that nobody wanted to keep."""
    return any(not lease.kept for lease in living_leases(run))
