"""Here: the record of a run whose controller is elsewhere, as it stands now, for commands that read it whole."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from longshore.model.artifact import Artifact
from longshore.plugin import Shell
from longshore.remote.laying import Piece, lay_items
from longshore.runtime.history import RunReader
from longshore.runtime.lock import acquire
from longshore.runtime.project import Project
from longshore_cli.away.moving import asked, open_transfers
from longshore_cli.away.seats import Seat, there

__all__ = ["record_of"]


@contextmanager
def record_of(shell: Shell, seat: Seat, project: Project) -> Iterator[Path]:
    """Give, for a block, a folder of a project in which this run is the only one, with its journal and its logs.

    Raises:
        ExecutorError: when the machine has none.
        StagingError: when it does not come.
    """
    project.make_home()
    with open_transfers(shell, f"record-{seat.run}", project.store) as (transfers, place):
        told = json.loads(asked(shell, there(seat, "away", "record", seat.run, "--store", f"{place}/store")))
        sha256, size = str(told["sha256"]), int(told["size"])
        transfers.get([Artifact(path="record", sha256=sha256, size=size, mode=0o755, kind="folder")])
    with tempfile.TemporaryDirectory(prefix="longshore-record-") as aside:
        runs = Project(Path(aside)).runs
        runs.mkdir(parents=True)
        lay_items([Piece(seat.run, sha256, size, 0o755, "folder")], str(project.store), str(runs), {})
        folder = runs / seat.run
        with acquire(folder, above=RunReader(folder).fence()) if told["running"] else nullcontext():
            # Whoever reads it sees that somebody controls it.
            yield Path(aside)
