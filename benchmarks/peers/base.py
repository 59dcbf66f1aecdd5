"""What the suite must know of a peer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shapes import Graph


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """How to start a peer in the folder it was laid out in; the first word is a program of its environment or PATH."""

    argv: tuple[str, ...]
    stdin: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A tool that runs the same graph of shell commands, two at a time."""

    name: str
    label: str
    lay_out: Callable[[Graph, Path], CommandLine]
    """Write the graph into an empty folder in the tool's own language."""
    requirements: tuple[str, ...] = ()
    """What pip installs for it; nothing when it is a program of the system."""
    environment: str = ""
    """The name of its virtual environment, when that is not its own name."""
    keeps_edges: bool = True
    sees_files: bool = True
    """Whether it leaves out a task whose file is already there."""
    most_tasks: int = 100_000
    """Above this it would take minutes or fail; it is left out, and the table says so."""

    def objection(self, graph: Graph) -> str | None:
        """Say why this tool is not asked to run the graph, if it is not."""
        if graph.has_edges and not self.keeps_edges:
            return "has no graph"
        if graph.writes and not self.sees_files:
            return "does not see what is up to date"
        if len(graph.jobs) > self.most_tasks:
            return f"left out above {self.most_tasks:,} tasks: too slow to wait for"
        return None


def write_graph(graph: Graph, folder: Path) -> None:
    """Write the graph as JSON, for tools whose language is Python; and make the folder for the tasks' files."""
    jobs = {job.name: {"command": graph.command(job), "after": list(job.after)} for job in graph.jobs}
    (folder / "graph.json").write_text(json.dumps(jobs))
    (folder / "done").mkdir()
