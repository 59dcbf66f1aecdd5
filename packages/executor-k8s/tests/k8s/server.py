"""The stand-in for a cluster as a program, for what is executed elsewhere: ``python -m k8s.server FOLDER``.

It says where its kubeconfig is, and serves until its input ends.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .standin import StandIn


def main(folder: Path) -> None:
    """Serve from an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = StandIn(folder)
    with cluster.serving():
        sys.stdout.write(f"{cluster.kubeconfig}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
