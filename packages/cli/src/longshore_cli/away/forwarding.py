"""Here: answering commands about runs whose controllers are elsewhere, by asking there."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from longshore_cli.invocation import Invocation
from longshore_cli.passing import Shown
from longshore_cli.places import folder_of

if TYPE_CHECKING:
    from longshore.plugin import Shell
    from longshore.runtime.project import Project
    from longshore_cli.away.seats import Seat

__all__ = ["asking", "forwarded", "meant_seat"]

_READERS = frozenset({"export", "report"})
"""Commands that read the record of a run whole, and write files here."""
_FOLDER_WORDS = ("-C", "--folder")


def forwarded(ctx: click.Context, invocation: Invocation) -> int | None:
    """Answer a command about a run whose controller is elsewhere; give the exit code, None when its run is here.

    Raises:
        UsageError: when the command cannot be answered from there.
        LongshoreError: when the machine cannot be asked.
    """
    folder = folder_of(ctx.params.get("folder"))
    if not (folder / ".longshore" / "away").is_dir():
        return None
    from longshore.errors import LongshoreError
    from longshore.runtime.project import Project

    project = Project(folder)
    seat, named = meant_seat(project, ctx.params)
    if seat is None:
        return None
    try:
        return _asked_there(ctx, seat, project, invocation, named=named)
    except LongshoreError:
        from longshore_cli.away.left import take_left

        # It may have ended itself, also while we were asking.
        if not take_left(ctx, seat, project, invocation):
            raise
    return None


def _asked_there(
    ctx: click.Context, seat: Seat, project: Project, invocation: Invocation, *, named: bool
) -> int | None:
    from longshore_cli.fetching import tell_fetched

    name = ctx.info_name or ""
    with asking(seat, project, invocation) as shell:
        if name in _READERS:
            _bring_record(ctx, shell, seat, project)
            return None
        if name == "resume":
            return _resume(shell, seat, ctx.params, invocation)
        if name != "fetch":
            return _execute(shell, seat, _words(invocation.arguments, ctx, seat, named))
        told = _fetch(shell, seat, project, ctx.params)
    if told["record"]:
        from longshore_cli.away.finishing import finish

        finish(seat, project, invocation)
    return tell_fetched(told, seat.run, Path(ctx.params["to"]).absolute(), invocation, now=ctx.params["now"])


def meant_seat(project: Project, params: Mapping[str, Any]) -> tuple[Seat | None, bool]:
    """Find the seat of the run that is meant, and whether it was named; None when the run that is meant is here."""
    from longshore_cli.away.seats import seats_of

    seats = seats_of(project)
    word = params.get("run") or next(iter(params.get("words") or ()), None)
    here = next(project.run_ids(), "")
    if word:
        found = [seat for seat in seats if seat.run.startswith(word)]
        if len(found) == 1:
            return found[0], True
        if params.get("run"):
            return None, True
    return (seats[0], False) if seats and seats[0].run > here else (None, False)


@contextmanager
def asking(seat: Seat, project: Project, invocation: Invocation) -> Iterator[Shell]:
    """Log in to the machine of a run's controller.

    Raises:
        LongshoreError: when it lets nobody in; says that no more is known of the run.
    """
    from longshore.errors import LongshoreError
    from longshore.machines import open_shell
    from longshore_cli.telling import telling

    with telling(invocation) as tell:
        context = open_shell(seat.machine, folder=project.folder, tell=tell)
        try:
            shell = context.__enter__()
        except LongshoreError as error:
            error.add_note(f"The controller of run {seat.run} is on {seat.machine}; nothing about it is known here.")
            raise
    try:
        yield shell
    finally:
        context.__exit__(None, None, None)


def _bring_record(ctx: click.Context, shell: Shell, seat: Seat, project: Project) -> None:
    """Let a command read the record as it stands there now, and write where it would write if the run were here."""
    from longshore_cli.away.records import record_of

    read_aside(ctx, seat, project)
    ctx.params["folder"] = ctx.with_resource(record_of(shell, seat, project))


def read_aside(ctx: click.Context, seat: Seat, project: Project) -> None:
    """Let a command that will read a record elsewhere write where it would write if the run were here."""
    if ctx.info_name == "report" and not ctx.params["text"] and ctx.params["to"] is None:
        ctx.params["to"] = project.results(f"report-{seat.run}")


def _words(arguments: Sequence[str], ctx: click.Context, seat: Seat, named: bool) -> list[str]:
    """Give the command line as it is to be there: in that folder, and about that run."""
    words = list(_without_folder(arguments))
    if named:
        return words
    options = {name for parameter in ctx.command.params for name in parameter.opts}
    at = words.index(ctx.info_name or "") + 1
    return [*words[:at], *(["--run", seat.run] if "--run" in options else [seat.run]), *words[at:]]


def _without_folder(arguments: Sequence[str]) -> Iterator[str]:
    skip = False
    for word in arguments:
        if skip:
            skip = False
        elif word in _FOLDER_WORDS:
            skip = True
        elif not word.startswith(("-C", "--folder=")):
            yield word


def _execute(shell: Shell, seat: Seat, words: Sequence[str]) -> int:
    """Execute one of our commands there until it ends, or we do."""
    from longshore_cli.away.seats import there

    shown = {1: Shown(sys.stdout.fileno()), 2: Shown(sys.stderr.fileno())}
    feed, held = os.pipe()  # that it stays open tells the other side that we are there
    try:
        command = there(seat, "away", "answer", "--", *words)
        return shell.execute(command, feed=feed, tell=lambda stream, data: shown[stream].write(data))
    finally:
        os.close(held)
        for each in shown.values():
            each.close()


def _fetch(shell: Shell, seat: Seat, project: Project, params: Mapping[str, Any]) -> dict[str, Any]:
    from longshore.model.artifact import Artifact
    from longshore.remote.laying import Piece, lay_items
    from longshore_cli.away.moving import asked, open_transfers
    from longshore_cli.away.seats import there

    tasks = [word for word in params["words"] if not seat.run.startswith(word)]
    to = Path(params["to"]).absolute()
    with open_transfers(shell, f"fetch-{seat.run}", project.store) as (transfers, place):
        more = ["--now"] if params["now"] else []
        told: dict[str, Any] = json.loads(
            asked(shell, there(seat, "away", "gather", seat.run, "--store", f"{place}/store", *more, "--", *tasks))
        )
        sha256, size = str(told["sha256"]), int(told["size"])
        transfers.get([Artifact(path="all", sha256=sha256, size=size, mode=0o755, kind="folder")])
        with tempfile.TemporaryDirectory(prefix=".fetched.", dir=project.home) as aside:
            lay_items([Piece("all", sha256, size, 0o755, "folder")], str(project.store), aside, {})
            _merge(Path(aside) / "all" / "results", to)
            if told["record"]:
                target = project.run_folder(seat.run)
                target.parent.mkdir(exist_ok=True)
                if not target.exists():
                    (Path(aside) / "all" / "record").rename(target)
    told["written"] = [str(to / path) for path in told["written"]]
    return told


def _merge(source: Path, target: Path) -> None:
    """Move what is in a folder into another one; files of the same names are replaced, and nothing else changes."""
    target.mkdir(parents=True, exist_ok=True)
    for each in sorted(source.iterdir()):
        place = target / each.name
        if each.is_dir() and not each.is_symlink() and place.is_dir():
            _merge(each, place)
        else:
            shutil.move(each, place)


def _resume(shell: Shell, seat: Seat, params: Mapping[str, Any], invocation: Invocation) -> int:
    from longshore_cli.away.moving import asked
    from longshore_cli.away.seats import there
    from longshore_cli.output import say

    more = [*(["--retry"] if params.get("retry") else []), *(["-j", str(params["jobs"])] if params.get("jobs") else [])]
    asked(shell, there(seat, "away", "resume", seat.run, *more))
    if not invocation.quiet:
        say(f"run {seat.run} goes on, on {seat.machine}.")
    return 0
