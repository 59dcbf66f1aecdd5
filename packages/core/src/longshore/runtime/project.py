"""Where a project keeps its runs, its cache and its results, and how a run is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from attrs import frozen

from longshore.errors import UsageError

__all__ = ["Project", "new_run_id"]


def new_run_id(now: datetime | None = None) -> str:
    """Name a run after the moment in which it begins: names sort as their runs began, also within one second."""
    moment = now or datetime.now(UTC)
    return f"{moment:%Y%m%d-%H%M%S}-{moment.microsecond * 65536 // 1_000_000:04x}"


@frozen
class Project:
    """A folder with a workflow file; ``.longshore/`` and ``results/`` lie in it."""

    folder: Path

    @property
    def home(self) -> Path:
        """Everything that Longshore keeps here, but the results."""
        return self.folder / ".longshore"

    @property
    def runs(self) -> Path:
        """One folder for each run."""
        return self.home / "runs"

    @property
    def store(self) -> Path:
        """Artifacts by digest, and the index across runs."""
        return self.home / "cache"

    def run_folder(self, run: str) -> Path:
        """Where a run has its journal, its logs and its machines' files."""
        return self.runs / run

    def results(self, run: str) -> Path:
        """Where the outputs of a run come home to."""
        return self.folder / "results" / run

    def make_home(self) -> None:
        """Make the folder for what Longshore keeps here, which git passes over.

        Raises:
            OSError: when the project's folder cannot be written.
        """
        self.home.mkdir(exist_ok=True)
        ignore = self.home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    def create_run(self, run: str) -> Path:
        """Make the folder of a new run, for this user alone.

        Raises:
            OSError: when the project's folder cannot be written.
        """
        self.make_home()
        folder = self.run_folder(run)
        folder.mkdir(parents=True, mode=0o700)
        self.note_unclosed(run)
        return folder

    def note_unclosed(self, run: str) -> None:
        """Note that there will be something to tidy up after a run.

        Raises:
            OSError: when the project's folder cannot be written.
        """
        self._unclosed.mkdir(exist_ok=True)
        (self._unclosed / run).touch()

    def note_closed(self, run: str) -> None:
        """Note that nothing is to be tidied up after a run any more."""
        with suppress(OSError):
            (self._unclosed / run).unlink()

    def unclosed(self, *, but: str = "") -> list[str]:
        """List the runs that may have left something to be tidied up, oldest first; those that go on are among them."""
        try:
            return sorted(name for name in os.listdir(self._unclosed) if name != but)
        except OSError:
            return []

    @property
    def _unclosed(self) -> Path:
        return self.home / "unclosed"

    def run_ids(self) -> Iterator[str]:
        """List the runs of this project, newest first."""
        try:
            names = sorted((entry.name for entry in os.scandir(self.runs) if entry.is_dir()), reverse=True)
        except FileNotFoundError:
            return
        yield from (name for name in names if (self.runs / name / "run.db").exists())

    def find_run(self, run: str | None) -> str:
        """Turn what a user typed into a run's id: its whole name, the beginning of one, or nothing for the latest.

        Raises:
            UsageError: when there is no such run, or more than one.
        """
        ids = list(self.run_ids())
        if not ids:
            raise UsageError(f"there are no runs in {self.runs}; `longshore run` makes one")
        if run is None:
            return ids[0]
        found = [run] if run in ids else [name for name in ids if name.startswith(run)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{run!r} could be any of {', '.join(found[:5])}; give more of its name")
        raise UsageError(f"there is no run {run!r} in {self.runs}; `longshore runs` lists them")
