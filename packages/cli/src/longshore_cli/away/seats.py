"""Where the controllers of a project's runs sit, when they are not here: one small file for each run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import asdict, fields, frozen

from longshore.errors import JournalError
from longshore.runtime.project import Project

__all__ = ["VERSION", "Order", "Seat", "forget_seat", "keep_order", "keep_seat", "order_kept", "seats_of", "there"]

VERSION = 1
"""Of what is said between the two computers; each tells the other in words when it knows only another one."""

Order = dict[str, Any]
"""What was asked for: ``name``, that of the workflow, ``workflow``, its document, and ``options``."""


@frozen(kw_only=True)
class Seat:
    """The controller of one run, away from here."""

    run: str
    workflow: str
    machine: str
    """As `longshore machines ssh` takes it."""
    python: str = ""
    """The Python there that has Longshore."""
    folder: str = ""
    """The project's folder there, below the home."""
    rented: str = ""
    """The machine's name if it was rented for this run alone, so that it is given back when all has been fetched."""
    when_idle: str = "end"
    """How it is given back: a `longshore.model.rented.WhenIdle`."""

    @property
    def program(self) -> tuple[str, ...]:
        """The beginning of a command of ours there; nothing that lies in the folder where it is begun is imported."""
        return (self.python, "-I", "-m", "longshore_cli")


def there(seat: Seat, *words: str) -> list[str]:
    """Give a command of ours in the project's folder there."""
    return ["sh", "-c", 'cd "$0" && exec "$@"', seat.folder, *seat.program, *words]


def _place(project: Project) -> Path:
    return project.home / "away"


def seats_of(project: Project) -> list[Seat]:
    """List them, the newest run first; a file that makes no sense is passed over."""
    try:
        names = sorted((name for name in os.listdir(_place(project)) if name.endswith(".json")), reverse=True)
    except OSError:
        return []
    found = []
    for name in names:
        with suppress(OSError, ValueError, TypeError):
            body = json.loads((_place(project) / name).read_text(encoding="utf-8"))
            known = {field.name for field in fields(Seat)}  # a newer Longshore may have written more
            found.append(Seat(**{key: str(body[key]) for key in body if key in known}))
    return found


def keep_seat(project: Project, seat: Seat) -> None:
    """Write one down, for this user alone, before anything happens there.

    Raises:
        JournalError: when the project's folder cannot be written.
    """
    _write(project, f"{seat.run}.json", asdict(seat))


def keep_order(project: Project, run: str, order: Order) -> None:
    """Keep what a run was asked to be, for whoever has to begin its record anew; errors as of `keep_seat`."""
    _write(project, f"{run}.order", order)


def order_kept(project: Project, run: str) -> Order | None:
    """Read it; None when the run was begun by another computer."""
    try:
        order: Order = json.loads((_place(project) / f"{run}.order").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return order


def forget_seat(project: Project, run: str) -> None:
    """Forget one; harmless when it is not known."""
    for ending in ("json", "order"):
        with suppress(OSError):
            (_place(project) / f"{run}.{ending}").unlink()


def _write(project: Project, name: str, body: dict[str, Any]) -> None:
    place = _place(project)
    target = place / name
    fresh = place / f".{name}.new"
    try:
        project.make_home()
        place.mkdir(mode=0o700, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(body, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(target)
    except OSError as error:
        raise JournalError(f"{target} cannot be written: {error.strerror}") from error
