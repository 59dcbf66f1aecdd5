"""make, ninja, xargs and GNU parallel."""

from __future__ import annotations

from pathlib import Path

from peers.base import CommandLine, Peer
from shapes import Graph


def _makefile(graph: Graph, folder: Path) -> CommandLine:
    (folder / "done").mkdir()
    targets = {job.name: graph.file_of(job.name) if graph.writes else job.name for job in graph.jobs}
    lines = [f"all: {' '.join(targets.values())}"]
    lines.append(".PHONY: all" if graph.writes else f".PHONY: all {' '.join(targets.values())}")
    for job in graph.jobs:
        needed = " ".join(targets[above] for above in job.after)
        lines += [f"{targets[job.name]}: {needed}".rstrip(), f"\t{graph.command(job)}"]
    (folder / "Makefile").write_text("\n".join(lines) + "\n")
    return CommandLine(argv=("make", "-s", "-j2"))


def _ninja_file(graph: Graph, folder: Path) -> CommandLine:
    (folder / "done").mkdir()
    lines = ["rule run", "  command = $line", ""]
    for job in graph.jobs:
        needed = " ".join(graph.file_of(above) for above in job.after)
        lines.append(f"build {graph.file_of(job.name)}: run {f'| {needed}' if needed else ''}".rstrip())
        lines.append(f"  line = {graph.command(job)}")
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    return CommandLine(argv=("ninja", "-j2", "--quiet"))


def _names(graph: Graph, folder: Path) -> Path:
    names = folder / "names.txt"
    names.write_text("".join(f"{job.name}\n" for job in graph.jobs))
    return names


def _program(graph: Graph) -> str:
    """Give the program alone: these two add the job's name themselves."""
    return graph.program.split()[0]


def _xargs(graph: Graph, folder: Path) -> CommandLine:
    return CommandLine(argv=("xargs", "-P2", "-n1", _program(graph)), stdin=_names(graph, folder))


def _parallel(graph: Graph, folder: Path) -> CommandLine:
    # --plain and a home of its own keep the user's settings and the citation notice out.
    argv = ("parallel", "--plain", "-j2", _program(graph))
    return CommandLine(argv=argv, stdin=_names(graph, folder), env={"PARALLEL_HOME": str(folder)})


MAKE = Peer(name="make", label="make -j2", lay_out=_makefile)
NINJA = Peer(name="ninja", label="ninja -j2", requirements=("ninja",), lay_out=_ninja_file)
XARGS = Peer(name="xargs", label="xargs -P2 -n1", keeps_edges=False, sees_files=False, lay_out=_xargs)
PARALLEL = Peer(name="parallel", label="GNU parallel -j2", keeps_edges=False, sees_files=False, lay_out=_parallel)
