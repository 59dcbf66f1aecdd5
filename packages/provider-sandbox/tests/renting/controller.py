"""A controller in a process of its own, to be killed: runs or resumes the workflow of a folder."""

from __future__ import annotations

import sys
from pathlib import Path

from longshore import load, resume, start


def main() -> None:
    folder, again = Path(sys.argv[1]), sys.argv[2] == "resume"
    loaded = load(folder / "longshore.toml")
    run = resume(folder) if again else start(loaded.spec, folder)
    with run:
        run.wait()
    print(run.state)


if __name__ == "__main__":
    main()
