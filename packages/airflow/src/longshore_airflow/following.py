"""Following a run that somebody else controls, by what its journal gains; without asking again and again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from longshore.errors import LongshoreError
from longshore.runtime.changes import Changes
from longshore.runtime.history import RunReader
from longshore.runtime.project import Project
from longshore_cli.away.keeping import wait_for_keeper, watch_keeper
from longshore_cli.away.orders import is_kept, is_over
from longshore_cli.view.words import Rank, lines_of

__all__ = ["Following"]


class Following:
    """Tells what happens in a run until it is over, or nobody keeps it."""

    def __init__(self, folder: str, run: str, tell: Callable[[str], None], after: int = 0) -> None:
        """Prepare; events up to the number ``after`` have been told."""
        self._project = Project(Path(folder))
        self._run = run
        self._tell = tell
        self._after = after
        self._heard, self._hearing = os.pipe()

    @property
    def told(self) -> int:
        """The number of the last event that was told."""
        return self._after

    def wait(self) -> str:
        """Wait and tell; give the state that the run has come to, or ``unattended``, or ``left`` after `leave`."""
        reader = RunReader(self._project.run_folder(self._run))
        with ExitStack() as opened:
            changes = opened.enter_context(Changes([reader.folder, self._project.home / "seat"]))
            keeper = watch_keeper(self._project, self._run)
            if keeper is not None:
                opened.callback(os.close, keeper)
            watched = [self._heard] if keeper is None else [self._heard, keeper]
            while True:
                # Asked before the journal is read, so that nothing is missed that was written before the end.
                over, kept = is_over(self._project, self._run), is_kept(self._project, self._run)
                self._advance(reader)
                if over:
                    wait_for_keeper(self._project, self._run)
                    return reader.info().state
                if not kept:
                    return "unattended"
                if self._heard in changes.wait(watched):
                    return "left"

    def leave(self) -> None:
        """Have `wait` return, from any thread."""
        os.write(self._hearing, b"x")

    def close(self) -> None:
        """Let go of what was opened."""
        os.close(self._heard)
        os.close(self._hearing)

    def _advance(self, reader: RunReader) -> None:
        try:
            for number, event in reader.events(self._after):
                self._after = number
                for line in lines_of(event, lambda _: False):
                    if line.rank <= Rank.USUAL:
                        self._tell(line.text)
        except LongshoreError:
            return  # it is being made
