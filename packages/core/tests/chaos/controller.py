"""A controller that kills itself with SIGKILL: ``controller.py FOLDER EDGE [CLASS]``, where EDGE counts the steps to
die at; 0 for never. With a class those of its functions alone are counted.

It starts the workflow in FOLDER, or resumes its latest run. The steps are the entries and returns of the functions that
write the journal and of those that act on the world, seen by a profile hook, so that the product needs no switch for
its tests.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from longshore import load
from longshore.runtime.project import Project
from longshore.runtime.run import resume, start

EDGES = frozenset(
    {
        "Cache.remember",
        "Collecting._kept",
        "Collecting._made",
        "Collecting.make",
        "Crew._deliver",
        "Crew._ended",
        "Crew.perform",
        "Crew.start",
        "Linking._link",
        "RemoteSession.discard",
        "RemoteSession.get",
        "RemoteSession.put",
        "SupervisorSession.go",
        "SupervisorSession.release",
        "Journal.commit",
        "Journal.sync",
        "Journal.write",
        "LocalSession.go",
        "LocalSession.release",
        "Remote.start",
    }
)


def die_at(edge: int, only: str) -> None:
    """Kill this process at the n-th step that any thread takes."""
    seen = 0
    steps = {name for name in EDGES if name.startswith(only)}

    def step(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal seen
        if event in {"call", "return"} and frame.f_code.co_qualname in steps:
            seen += 1
            if seen == edge:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(step)
    sys.setprofile(step)


def main() -> int:
    folder = Path(sys.argv[1])
    edge = int(sys.argv[2])
    if edge:
        die_at(edge, sys.argv[3] if len(sys.argv) > 3 else "")
    project = Project(folder)
    if any(project.run_ids()):
        run = resume(folder)
    else:
        loaded = load(folder / "longshore.toml")
        run = start(loaded.spec, loaded.folder)
    return 0 if run.wait() == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
