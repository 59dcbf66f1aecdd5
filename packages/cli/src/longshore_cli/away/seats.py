"""Where the controllers of a project's runs sit, when they are not here: one small file for each run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from attrs import asdict, frozen

from longshore.errors import JournalError
from longshore.runtime.project import Project

__all__ = ["Seat", "forget_seat", "keep_seat", "seats_of"]


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
    """The machine's name if it was rented for this run alone, so that it ends when all has been fetched."""

    @property
    def program(self) -> tuple[str, ...]:
        """The beginning of a command of ours there; nothing that lies in the folder where it is begun is imported."""
        return (self.python, "-I", "-m", "longshore_cli")


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
            found.append(Seat(**{key: str(body[key]) for key in body}))
    return found


def keep_seat(project: Project, seat: Seat) -> None:
    """Write one down, for this user alone, before anything happens there.

    Raises:
        JournalError: when the project's folder cannot be written.
    """
    place = _place(project)
    target = place / f"{seat.run}.json"
    fresh = place / f".{seat.run}.new"
    try:
        project.make_home()
        place.mkdir(mode=0o700, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(asdict(seat), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(target)
    except OSError as error:
        raise JournalError(f"{target} cannot be written: {error.strerror}") from error


def forget_seat(project: Project, run: str) -> None:
    """Forget one; harmless when it is not known."""
    with suppress(OSError):
        (_place(project) / f"{run}.json").unlink()
