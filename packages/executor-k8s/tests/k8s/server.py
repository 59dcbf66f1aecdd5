"""The stand-in for a cluster as a program, for what is executed elsewhere: ``python -m k8s.server FOLDER``.

It says where its kubeconfig is, and serves until its input ends. For each line it says how often what was asked.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from .requests import resource_of
from .standin import StandIn


def main(folder: Path) -> None:
    """Serve from an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = StandIn(folder)
    with cluster.serving():
        sys.stdout.write(f"{cluster.kubeconfig}\n")
        sys.stdout.flush()
        for _ in sys.stdin:
            asked = Counter(f"{method} {resource_of(path)}" for method, path in list(cluster.asked))
            sys.stdout.write(json.dumps({**asked, "watches": cluster.watches}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
