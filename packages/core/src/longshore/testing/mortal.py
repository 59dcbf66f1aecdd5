"""A controller in a process of its own, which tests can kill when it has come far enough.

``python -m longshore.testing.mortal FOLDER`` runs the workflow of a folder, and says each event's kind as a line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore import load, start
from longshore.model.events import Event

__all__ = ["begin", "hear"]


def begin(project: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Begin a run of the workflow in a folder, with these variables alone or with ours."""
    command = [sys.executable, "-m", "longshore.testing.mortal", str(project)]
    return subprocess.Popen(command, env={**os.environ} if env is None else {**env}, stdout=subprocess.PIPE, text=True)


def hear(controller: subprocess.Popen[str], kind: str, count: int = 1) -> None:
    """Wait until a controller has told so many events of a kind.

    Raises:
        AssertionError: when it ends before.
    """
    assert controller.stdout is not None
    for line in controller.stdout:
        count -= line.strip() == kind
        if not count:
            return
    raise AssertionError(f"the controller ended before {kind}")


def _tell(events: Sequence[Event]) -> None:
    for event in events:
        sys.stdout.write(f"{type(event).__name__}\n")
    sys.stdout.flush()


def _main() -> None:
    loaded = load(Path(sys.argv[1]) / "longshore.toml")
    with start(loaded.spec, loaded.folder, listen=_tell) as run:
        run.wait()


if __name__ == "__main__":
    _main()
