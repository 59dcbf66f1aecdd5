"""``schedule add``, ``list``, ``rm`` and ``keep``."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from longshore.errors import UsageError
from longshore.model.names import check_name, near
from longshore_cli.invocation import Invocation
from longshore_cli.output import answer, answer_json, say
from longshore_cli.places import folder_of
from longshore_cli.scheduling.entry import KEPT, Entry, Timers
from longshore_cli.scheduling.timers import all_timers, alone, keeper_lock, kept_timers, usable_timers
from longshore_cli.scheduling.when import parse_when
from longshore_cli.text import clean, table

__all__ = ["Scheduled", "add", "keep", "list_all", "remove", "scheduled", "scheduled_in"]

_ALLOWED = ("run", "gc", "machines start", "machines stop", "machines down")


def add(invocation: Invocation, folder: Path | None, name: str, when: str, words: Sequence[str]) -> int:
    """Schedule a command.

    Raises:
        UsageError: when the name, the time or the command is no good, or the system has no timers.
    """
    try:
        check_name(name, "schedule name")
        moments = parse_when(when)
    except ValueError as error:
        raise UsageError(str(error)) from error
    place = folder_of(folder).absolute()
    _check_command(words, place)
    environment = {key: os.environ[key] for key in KEPT if os.environ.get(key)}
    entry = Entry(name=name, when=moments, words=tuple(words), folder=place, environment=environment)
    entry.check()
    timers = usable_timers()
    with alone():
        for other in all_timers():
            if other.name != timers.name and name in {each.name for each in other.entries()}:
                other.remove(name)
        timers.add(entry)
    made = _scheduled(entry, timers)
    if invocation.json:
        answer_json({"schedule": made.document()})
    else:
        answer(f"{name}: {moments.text}, by {made.by}; next {made.shown_next}")
        if timers.name == "systemd":
            say("While you are not logged in too, after `loginctl enable-linger`.")
    return 0


@frozen(kw_only=True)
class Scheduled:
    """A schedule, with what its timer makes of it."""

    entry: Entry
    by: str
    """Who starts it: systemd, cron, or longshore itself."""
    next: datetime | None
    """When it is started next; None when nobody can tell."""

    @property
    def shown_next(self) -> str:
        """That moment, in words."""
        return f"{self.next:%a %Y-%m-%d %H:%M}" if self.next is not None else "when it starts"

    def document(self) -> dict[str, Any]:
        """Tell it to programs."""
        return {
            "name": self.entry.name,
            "when": self.entry.when.text,
            "next": self.next,
            "by": self.by,
            "folder": str(self.entry.folder),
            "command": list(self.entry.words),
        }


def scheduled() -> list[Scheduled]:
    """List what is scheduled for this user on this computer."""
    return [_scheduled(entry, timers) for timers in all_timers() for entry in timers.entries()]


def scheduled_in(folder: Path) -> list[Scheduled]:
    """List what is scheduled in a project's folder, and what cleans up for all of them."""
    return [each for each in scheduled() if each.entry.folder == folder.absolute() or each.entry.words[:1] == ("gc",)]


def list_all(invocation: Invocation) -> None:
    """Show what is scheduled."""
    found = scheduled()
    if invocation.json:
        answer_json({"schedules": [each.document() for each in found]})
    elif found:
        rows = [
            [
                each.entry.name,
                each.entry.when.text,
                each.shown_next,
                each.by,
                clean(str(each.entry.folder)),
                clean(" ".join(each.entry.words)),
            ]
            for each in found
        ]
        answer(table(rows, ["NAME", "WHEN", "NEXT", "BY", "FOLDER", "COMMAND"]))
    else:
        say("Nothing is scheduled.")


def remove(invocation: Invocation, names: Sequence[str]) -> None:
    """End these schedules, all or none.

    Raises:
        UsageError: when there is none of a name.
    """
    with alone():
        found = {entry.name: timers for timers in all_timers() for entry in timers.entries()}
        for name in names:
            if name not in found:
                close = near(name, found)
                remedy = f"did you mean {' or '.join(close)}?" if close else "`longshore schedule list` shows them"
                raise UsageError(f"there is no schedule {name!r}; {remedy}")
        for name in dict.fromkeys(names):
            found[name].remove(name)
    if invocation.json:
        answer_json({"removed": list(dict.fromkeys(names))})
    elif not invocation.quiet:
        say(f"Removed {', '.join(dict.fromkeys(names))}.")


def keep(invocation: Invocation) -> None:
    """Start what is scheduled, until somebody ends it."""
    from longshore_cli.scheduling.keeping import keep as keep_timers

    def tell(line: str) -> None:
        if not invocation.quiet:
            say(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}  {line}")

    keep_timers(kept_timers(), keeper_lock(), tell)


def _check_command(words: Sequence[str], folder: Path) -> None:
    """See whether this could be typed: a mistake must not wait for the night.

    Raises:
        click.UsageError: when it could not.
        UsageError: when it is nothing to be done at a given time.
    """
    from longshore_cli.app import cli

    if not any(list(words[: len(each.split())]) == each.split() for each in _ALLOWED):
        raise UsageError(f"{' '.join(words)!r} cannot be scheduled; these can: {', '.join(_ALLOWED)}")
    command: click.Command | None = cli
    rest = list(words)
    context = click.Context(cli, info_name="longshore", obj=Invocation())
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        command = command.get_command(context, name)
        if command is None:
            raise UsageError(f"there is no command {' '.join(words)!r}")
        context = click.Context(command, info_name=name, parent=context, obj=Invocation())
    assert command is not None
    with contextlib.chdir(folder):
        try:
            command.make_context(words[0], rest, parent=context.parent, obj=Invocation())
        except click.exceptions.Exit as error:
            raise UsageError(f"{' '.join(words)!r} does nothing that a timer could do") from error


def _scheduled(entry: Entry, timers: Timers) -> Scheduled:
    return Scheduled(entry=entry, by=timers.name, next=entry.when.after(datetime.now().astimezone()))
