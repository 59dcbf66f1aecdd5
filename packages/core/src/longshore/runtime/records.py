"""Copies of a run's record, for another computer."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from longshore.errors import JournalError

__all__ = ["copy_record"]

_JOURNAL = "run.db"
_LOGS = ("logs", "logs.zip")


def copy_record(run_folder: Path, to: Path) -> None:
    """Copy the journal as it stands at one moment, and the logs that there are, into a new folder; whoever writes them
    may go on.

    Raises:
        JournalError: when the journal cannot be read, or the copy cannot be written.
    """
    try:
        to.mkdir(mode=0o700)
        source = sqlite3.connect(f"{(run_folder / _JOURNAL).absolute().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(to / _JOURNAL)) as target:
            source.backup(target)
        for name in _LOGS:
            if (run_folder / name).is_dir():
                shutil.copytree(run_folder / name, to / name)
            elif (run_folder / name).exists():
                shutil.copyfile(run_folder / name, to / name)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(f"the record in {run_folder} cannot be copied: {error}") from error
