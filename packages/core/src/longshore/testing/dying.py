"""A controller that kills itself with SIGKILL: ``python -m longshore.testing.dying FOLDER WHEN STEP...``.

It starts the workflow in FOLDER, or resumes its latest run. A STEP is the qualified name of a function, maybe with what
one of its arguments must be: ``Client.call?operation=Launch``. WHEN says where it dies: ``before STEP N`` or ``after
STEP N``, when that is entered or left for the N-th time; ``any N``, at the N-th of all steps; ``never``. Steps are seen
by a profile hook, so that the product needs no switch for its tests.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from longshore import load
from longshore.runtime.project import Project
from longshore.runtime.run import resume, start

__all__ = ["die_at", "main"]

_SIDES = {"call": "before", "return": "after"}


def die_at(words: Sequence[str], steps: Collection[str]) -> None:
    """Kill this process at a step, in whatever thread it is taken; ``words`` are those of WHEN."""
    *where, number = words
    left = int(number)
    functions = {step.partition("?")[0] for step in steps}

    def step_of(frame: FrameType) -> str:
        name = frame.f_code.co_qualname
        if name not in functions:
            return ""
        named = (f"{name}?{key}={value}" for key, value in frame.f_locals.items() if isinstance(value, str))
        return next((each for each in (name, *named) if each in steps), "")

    def see(frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal left
        if event not in _SIDES or not (step := step_of(frame)):
            return
        if where in (["any"], [_SIDES[event], step]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(see)
    sys.setprofile(see)


def main(words: Sequence[str]) -> int:
    """Live until the end of the run, or of this process; give its exit code."""
    folder, when, *steps = words
    if when != "never":
        die_at(when.split(), frozenset(steps))
    if any(Project(Path(folder)).run_ids()):
        run = resume(Path(folder))
    else:
        loaded = load(Path(folder) / "longshore.toml")
        run = start(loaded.spec, loaded.folder)
    return 0 if run.wait() == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
