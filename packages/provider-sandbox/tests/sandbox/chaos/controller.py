"""A controller that kills itself with SIGKILL: ``controller.py FOLDER STEP``.

It starts the workflow in FOLDER, or resumes its latest run. STEP says where it dies: ``before NAME N`` or ``after NAME
N``, when the function of that name is entered or left for the N-th time; ``any N``, at the N-th step of all; ``never``.
Steps are seen by a profile hook, so that the product needs no switch for its tests.
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

WRITES = (
    "Journal.commit",
    "Journal.sync",
    "Journal.write",
    "Ledger.absent",
    "Ledger.advance",
    "Ledger.beat",
    "Ledger.confirm",
    "Ledger.intend",
    "Ledger.missed",
    "Ledger.request",
    "SideResources.forget",
    "SideResources.use",
)
"""What writes the journal or the ledger."""
EFFECTS = (
    "Crew.perform",
    "FakeProvider.find",
    "FakeProvider.launch",
    "FakeProvider.sweep",
    "FakeProvider.terminate",
    "FakeRemoteExecutor.open",
    "FakeRemoteSession.get",
    "FakeRemoteSession.put",
    "SupervisorSession.adopt",
    "SupervisorSession.go",
    "SupervisorSession.release",
)
"""What acts on the world outside."""
STEPS = frozenset({*WRITES, *EFFECTS})
_EVENTS = {"call": "before", "return": "after"}


def die_at(words: list[str]) -> None:
    """Kill this process at a step, in whatever thread it is taken."""
    *where, number = words
    left = int(number)

    def step(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal left
        if event not in _EVENTS or frame.f_code.co_qualname not in STEPS:
            return
        if where in (["any"], [_EVENTS[event], frame.f_code.co_qualname]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(step)
    sys.setprofile(step)


def main() -> int:
    folder = Path(sys.argv[1])
    words = sys.argv[2].split()
    if words != ["never"]:
        die_at(words)
    if any(Project(folder).run_ids()):
        run = resume(folder)
    else:
        loaded = load(folder / "longshore.toml")
        run = start(loaded.spec, loaded.folder)
    return 0 if run.wait() == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
