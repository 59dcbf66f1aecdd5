"""How `logs --env` shows and follows what builds of an environment print."""

from __future__ import annotations

from longshore.errors import UsageError
from longshore.model.attempt import build_name
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.names import near
from longshore.scheduler.state import TaskPhase
from longshore_cli.output import say
from longshore_cli.reading import Logs, follow
from longshore_cli.story import Replayed
from longshore_cli.text import clean

__all__ = ["show_builds"]


def show_builds(logs: Logs, environment: str, number: int | None, *, follow: bool) -> int:
    """Write what the builds of an environment have printed, or one of them; give the exit code.

    Raises:
        UsageError: when the run has no environment of that name, or no build of that number.
    """
    known = [each.name for each in logs.reader.workflow().environments]
    if environment not in known:
        # Slow, but only for one that has joined the run later, or does not exist.
        known = [each.name for each in Replayed(logs.reader).state.workflow.environments]
    if environment not in known:
        close = near(environment, known)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has: {', '.join(known) or 'none'}"
        raise UsageError(f"the run has no environment {clean(environment)!r}; {hint}")
    builds = _Builds(logs, environment, number)
    if follow:
        return builds.follow()
    builds.look()
    if number is not None and number not in builds.machines:
        raise UsageError(f"{environment} was built {len(builds.machines)} times, so there is no build {number}")
    builds.advance()
    if not builds.machines:
        say(f"{environment} has not been asked for yet; `longshore logs --env {environment} -f` waits for it.")
    return 0


class _Builds:
    """How far the logs of an environment's builds have been shown, one after the other."""

    def __init__(self, logs: Logs, environment: str, number: int | None) -> None:
        self.machines: dict[int, str] = {}
        """By the number of the build."""
        self._logs = logs
        self._environment = environment
        self._only = number
        self._ends: dict[int, EnvironmentBuilt | EnvironmentFailed] = {}
        self._offsets: dict[tuple[int, str], int] = {}
        self._headed: set[int] = set()

    def follow(self) -> int:
        """Show what is printed until nothing more is built."""
        return follow(self._logs.reader, self)

    def look(self) -> None:
        """Learn which builds there are."""
        for _, event in self._logs.reader.events(about=self._environment):
            if isinstance(event, BuildIntended) and event.environment == self._environment:
                self.machines[event.number] = event.machine
            elif isinstance(event, EnvironmentBuilt | EnvironmentFailed) and event.environment == self._environment:
                self._ends[event.number] = event

    def is_over(self) -> bool:
        """Say whether nothing more will be printed: what is being built is whole, or given up, or the run is over."""
        self.look()
        info = self._logs.reader.info()
        if info.state not in {"running", "unfinished"}:
            return True
        if self._only is not None:
            return self._only in self._ends
        last = self._ends.get(max(self.machines, default=0))
        # What has failed is tried again, there or on another machine, as long as anybody waits for it.
        waited_for = info.phases.keys() & {TaskPhase.WAITING, TaskPhase.BUILDING}
        return isinstance(last, EnvironmentBuilt) or (last is not None and not waited_for)

    def advance(self) -> None:
        """Show what has been printed since the last time."""
        for number, machine in self.machines.items():
            if self._only not in {None, number}:
                continue
            if len(self.machines) > 1 and self._only is None and number not in self._headed:
                self._logs.head(f"==> {self._environment} on {clean(machine)} (build {number}) <==")
                self._headed.add(number)
            for stream, path in self._logs.paths(build_name(self._environment), number).items():
                self._offsets[number, stream] = self._logs.copy(stream, path, self._offsets.get((number, stream), 0))
