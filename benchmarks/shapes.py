"""The shapes of graphs that every tool is given."""

from __future__ import annotations

from dataclasses import dataclass

LAYER_WIDTH = 100
"""Jobs in one layer of a layered graph."""

PARENTS = 3
"""How many jobs of the layer above a layered job waits for."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One shell command; it starts when all of `after` have ended."""

    name: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Jobs in an order in which they could run, and the program that each of them executes."""

    jobs: tuple[Job, ...]
    program: str = "/bin/true"
    """What each job executes; `{name}` stands for the job's name."""
    writes: bool = False
    """Each job leaves a file (`done/<name>`), so that a tool can see that nothing is left to do."""

    @property
    def has_edges(self) -> bool:
        """Say whether any job waits for another."""
        return any(job.after for job in self.jobs)

    def command(self, job: Job) -> str:
        """Give the shell command of a job."""
        return f"touch {self.file_of(job.name)}" if self.writes else self.program.format(name=job.name)

    def file_of(self, name: str) -> str:
        """Give the file that stands for the job of this name, relative to the tool's folder."""
        return f"done/{name}"


def fan(tasks: int) -> Graph:
    """Give jobs that wait for nothing."""
    return Graph(jobs=tuple(Job(name=f"j{i}") for i in range(tasks)))


def written_fan(tasks: int) -> Graph:
    """Give jobs that wait for nothing and write one file each."""
    return Graph(jobs=fan(tasks).jobs, writes=True)


def chain(tasks: int) -> Graph:
    """Give jobs of which each waits for the one before."""
    links = (Job(name=f"j{i}", after=(f"j{i - 1}",)) for i in range(1, tasks))
    return Graph(jobs=(Job(name="j0"), *links)) if tasks else Graph(jobs=())


def layered(tasks: int, width: int = LAYER_WIDTH) -> Graph:
    """Give layers of `width` jobs, each of which waits for `PARENTS` jobs of the layer above."""
    return Graph(jobs=tuple(Job(name=f"j{i}", after=_parents(i, width)) for i in range(tasks)))


def _parents(index: int, width: int) -> tuple[str, ...]:
    layer, column = divmod(index, width)
    if layer == 0:
        return ()
    columns = sorted({(column + step) % width for step in range(PARENTS)})
    return tuple(f"j{(layer - 1) * width + above}" for above in columns)
