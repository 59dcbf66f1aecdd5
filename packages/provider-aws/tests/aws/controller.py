"""A controller in a process of its own, to be killed: runs the workflow of a folder, and says what happens in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from longshore import load, start
from longshore.model.events import Event


def tell(events: Sequence[Event]) -> None:
    for event in events:
        print(type(event).__name__, flush=True)


def main() -> None:
    loaded = load(Path(sys.argv[1]) / "longshore.toml")
    with start(loaded.spec, loaded.folder, listen=tell) as run:
        run.wait()


if __name__ == "__main__":
    main()
