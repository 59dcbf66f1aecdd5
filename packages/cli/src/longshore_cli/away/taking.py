"""Here: going on with a run whose controller is gone with its machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from longshore import machines
from longshore.config.document import from_document
from longshore.errors import LongshoreError, UsageError
from longshore.machines import open_shell
from longshore.runtime.copies import fetch_copy, newest_copy, put_copy
from longshore.runtime.history import RunReader
from longshore.runtime.leaving import Left, bring_outputs, bring_record, find_left, remove_kept
from longshore.runtime.lock import acquire
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores
from longshore.runtime.takeover import Taken, begin_anew, take_over
from longshore_cli.away.left import buckets_known
from longshore_cli.away.seats import Order, Seat, forget_seat, order_kept, seats_of
from longshore_cli.away.starting import runs_there
from longshore_cli.output import say
from longshore_cli.text import clean, counted

__all__ = ["take"]

_Tell = Callable[[str], None]


@frozen(kw_only=True)
class _Copy:
    """The newest copy of a run's journal."""

    folder: str
    """The URL of the run's folder in a bucket."""
    fence: int


def take(project: Project, run: str | None, gone: Collection[str], tell: _Tell) -> str:
    """Make a run one of this folder that had its controller elsewhere, as far as it can be known; give its id.

    Raises:
        UsageError: when its controller may still be there, or too little is known of it; nothing is changed here.
        LongshoreError: when a machine, a cloud or a bucket cannot be asked.
    """
    seat, run = _meant(project, run)
    if (project.run_folder(run) / "run.db").exists():
        raise UsageError(f"run {run} is one of this folder already; `longshore resume {run}` continues it")
    order = order_kept(project, run)
    urls = buckets_known(project, order)
    stores = Stores()
    copy = _find_copy(urls, run, stores)
    if copy is None and order is None:
        raise UsageError(
            f"nothing here knows run {run}: no pool of {project.folder} has a bucket with a copy of its journal, and "
            "it was not begun here; take it over in the folder where `longshore run --on` was said"
        )
    if seat is not None:
        _see_that_it_is_gone(project, seat, gone, tell)
    left = find_left(urls, run, stores)
    if left is not None:
        _bring(left, project, urls, stores, tell)
        return run
    folder = project.run_folder(run)
    project.make_home()
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with acquire(folder), _aside(folder) as aside:
        taken = _take(project, run, aside, copy, order, stores, [*gone, *([seat.machine] if seat else [])], tell)
        project.note_unclosed(run)
        (aside / "run.db").rename(folder / "run.db")
    forget_seat(project, run)
    if taken is not None:
        _say_what_is_known(run, taken, copy)
    return run


def _bring(left: Left, project: Project, urls: Collection[str], stores: Stores, tell: _Tell) -> None:
    """Bring a run here that is over and was left whole in a bucket: there is nothing to take over but that."""
    project.make_home()
    tell(f"bringing what was left in {left.url}")
    bring_record(left, project, stores, project.runs)
    bring_outputs(left, project, stores)
    remove_kept(urls, left.run, stores)
    forget_seat(project, left.run)
    say(f"run {left.run} is over. Its record and what its tasks have written are here; `longshore fetch` copies it.")


def _meant(project: Project, run: str | None) -> tuple[Seat | None, str]:
    found = [seat for seat in seats_of(project) if seat.run.startswith(run or "")]
    if run is None and not found:
        raise UsageError(f"no run of {project.folder} has its controller elsewhere; name the run")
    if len(found) > 1:
        raise UsageError(f"it could be any of {', '.join(seat.run for seat in found[:5])}; name the run")
    return (found[0], found[0].run) if found else (None, str(run))


def _find_copy(urls: Collection[str], run: str, stores: Stores) -> _Copy | None:
    for url in urls:
        fence = newest_copy(f"{url}/{run}", stores)
        if fence is not None:
            return _Copy(folder=f"{url}/{run}", fence=fence)
    return None


def _see_that_it_is_gone(project: Project, seat: Seat, gone: Collection[str], tell: _Tell) -> None:
    """End the controller's machine if it was rented; of one that was not, the user has to say that it is gone."""
    try:
        with open_shell(seat.machine, folder=project.folder, tell=tell) as shell:
            found = [each for each in runs_there(shell, seat.program) if each["run"] == seat.run]
    except LongshoreError as error:
        if not seat.rented and seat.machine not in gone:
            raise UsageError(
                f"{seat.machine}, where the controller of run {seat.run} is, does not answer: {error}. If it is gone "
                f"for good, say so: `longshore takeover --gone {seat.machine}`"
            ) from error
        return
    if found:
        verb = "fetch" if found[0]["over"] else "status" if found[0]["kept"] else "resume"
        raise UsageError(
            f"run {seat.run} is on {seat.machine}, which answers: there is nothing to take over. "
            f"`longshore {verb} {seat.run}` asks there"
        )


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """Give a folder for a record that is not one of a run yet."""
    aside = folder / "taken"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _take(
    project: Project,
    run: str,
    aside: Path,
    copy: _Copy | None,
    order: Order | None,
    stores: Stores,
    gone: Sequence[str],
    tell: _Tell,
) -> Taken | None:
    """Make the record; None when the run is over, so that there is nothing to take over but that."""
    if copy is not None:
        tell("fetching the copy of the journal")
        fetch_copy(copy.folder, copy.fence, aside / "run.db", stores)
        info = RunReader(aside).info()
        if info.ended is not None and not info.resumable:
            say(f"run {run} is over: {info.state}. Its record is here; what only its machine had is not.")
            return None
    elif order is not None:
        begin_anew(project, aside, from_document(order["workflow"]), RunOptions.from_json(order["options"]))
    for machine in machines.end_run(run, label=f"controller-{run}", folder=project.folder, tell=tell):
        say(f"{machine} has been ended.")
    taken = take_over(project, run, aside, gone=gone, whole=copy is not None, tell=tell)
    if copy is not None:
        put_copy(aside / "run.db", copy.folder, taken.fence, stores)
    return taken


def _say_what_is_known(run: str, taken: Taken, copy: _Copy | None) -> None:
    source = f"a copy of its journal in {copy.folder}" if copy is not None else "what its machines have"
    say(f"run {run} is taken over, from {source}.")
    if taken.found:
        say(f"Machines had {counted(taken.found, 'attempt')} that it did not know.")
    if taken.unproven:
        some = ", ".join(taken.unproven[:5]) + (" and others" if len(taken.unproven) > 5 else "")
        say(
            f"Nothing shows whether {counted(len(taken.unproven), 'task')} ran: {clean(some)}. They are not started, "
            f"since they could run twice; `longshore resume {run} --retry` runs them."
        )
