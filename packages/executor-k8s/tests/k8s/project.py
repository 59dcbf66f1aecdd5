"""A project whose workflow runs on a cluster, by the command."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from .clusters import IMAGE, Cluster

__all__ = ["DIAMOND", "SECONDS", "Project", "until"]

SECONDS = 300.0

_HEAD = """
name = "diamond"

[pools.cluster]
executor = "k8s"
kubeconfig = "{kubeconfig}"
image = "{image}"
{options}

"""

DIAMOND = """
[tasks.A]
command = "echo 'hello from A' > a.txt; echo x >> {counts}/A"
outputs = ["a.txt"]

[tasks.B]
command = "tr a-z A-Z < workflow:///A/a.txt > b.txt; echo x >> {counts}/B; sleep 0.5"
outputs = ["b.txt"]

[tasks.C]
command = "cp workflow:///A/a.txt c.txt; echo x >> {counts}/C; sleep 0.5"
outputs = ["c.txt"]

[tasks.D]
command = "cat workflow:///B/b.txt workflow:///C/c.txt > d.txt; echo x >> {counts}/D"
outputs = ["d.txt"]
"""


class Project:
    """A workflow file for a cluster. Its tasks count into a folder that all pods see."""

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        options: str,
        tasks: str = DIAMOND,
        spec: Mapping[str, Any] | None = None,
    ) -> None:
        """Write it; ``spec`` is what its pods have beside what we say."""
        self.folder = folder / "project"
        self.home = folder / "home"
        self.settings: dict[str, str] = {}
        """Variables of the command."""
        self.shared = cluster.shared
        self.folder.mkdir()
        self.home.mkdir()
        template = {"spec": {**self.shared.template.get("spec", {}), **(spec or {})}}
        if template["spec"]:
            (self.folder / "pod.yaml").write_text(yaml.safe_dump(template))
            options = f'{options}\npod_template = "pod.yaml"'
        text = f"{_HEAD}{tasks}".replace("{kubeconfig}", str(cluster.kubeconfig)).replace("{counts}", self.shared.path)
        (self.folder / "longshore.toml").write_text(text.replace("{options}", options).replace("{image}", IMAGE))

    @contextmanager
    def begin(self, *words: str, feed: str = "/dev/null") -> Iterator[subprocess.Popen[str]]:
        """Begin a command, which reads a file and is killed at the end of the block."""
        with open(feed, "rb") as given:
            process = subprocess.Popen(
                [sys.executable, "-m", "longshore_cli", *words],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", **self.settings},
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def say(self, *words: str, feed: str = "/dev/null") -> str:
        """Give what a command says that succeeds."""
        with self.begin(*words, feed=feed) as process:
            said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said
        return said

    def count(self) -> dict[str, int]:
        """Say how often each task was executed."""
        return {name: len(text.split()) for name, text in self.shared.read().items()}


def until(holds: Callable[[], bool]) -> None:
    """Look until something is so."""
    end = time.monotonic() + SECONDS
    glance = threading.Event()
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        glance.wait(0.02)
