"""Environments of a run: machines are asked for them, and what pip has installed is written down with the results."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from longshore.model.attempt import attempt_id, build_name
from longshore.model.environment import BuildSpec
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import Event
from longshore.model.outcome import FailureClass
from longshore.plugin.protocols import Session
from longshore.runtime.dispatch import Remote, ask_for_build
from longshore.runtime.runner import Runner
from longshore.scheduler.away_actions import BuildEnvironment, CancelBuild
from longshore.scheduler.state import RunState, TaskState

__all__ = ["Environments", "live_builds"]

_log = logging.getLogger(__name__)

_FOLDER = "environments"


def live_builds(run: str, state: RunState, machine: str, news: Sequence[Event]) -> list[str]:
    """List the builds, as attempts, that were begun on a machine before some of the news."""
    new = {(event.environment, event.number) for event in news if isinstance(event, BuildIntended)}
    return [
        attempt_id(run, build_name(environment), number)
        for (environment, number), where in state.under_construction.items()
        if where == machine and (environment, number) not in new
    ]


class Environments:
    """Asks the machines of one run for environments. Its methods are for the runner's thread."""

    def __init__(
        self,
        *,
        run: str,
        runner: Runner,
        private_env: Mapping[str, str],
        sessions: Mapping[str, Session],
        remotes: Mapping[str, Remote],
        results: Path,
    ) -> None:
        self._run = run
        self._runner = runner
        self._private_env = private_env
        self._sessions = sessions
        self._remotes = remotes
        self._results = results
        self._locks: dict[tuple[str, str], list[str]] = {}
        self._building = dict(runner.state.under_construction)
        """By environment and number of the build: its machine."""

    def key_of(self, task: TaskState) -> str:
        """Say by what a task's machine knows its environment; empty for none."""
        name = task.task.spec.environment
        if not name:
            return ""
        build = self._runner.state.builds.get((task.machine, name))
        return "" if build is None else build.key

    def build(self, action: BuildEnvironment) -> None:
        """Ask a machine; whatever prevents that is the build's end."""
        self._building[action.environment, action.number] = action.machine
        spec = BuildSpec(
            id=self._id(action),
            environment=next(
                each for each in self._runner.state.workflow.environments if each.name == action.environment
            ),
            private_env=dict(self._private_env),
        )

        def failed(error: Exception) -> None:
            _log.debug("the environment %s was not asked for", action.environment, exc_info=error)
            self._runner.post(
                EnvironmentFailed(
                    at=datetime.now(UTC),
                    environment=action.environment,
                    number=action.number,
                    failure=FailureClass.ENVIRONMENT,
                    evidence=str(error),
                )
            )

        remote = self._remotes.get(action.machine)
        if remote is not None:
            remote.build(spec, failed)
            return
        session: object = self._sessions[action.machine]
        try:
            ask_for_build(session, spec)
        except Exception as error:  # noqa: BLE001  whatever a plugin raises is the build's end
            failed(error)

    def cancel(self, action: CancelBuild) -> None:
        """End a build."""
        if action.machine in self._remotes:
            self._remotes[action.machine].cancel(self._id(action), staging=False)
        else:
            self._sessions[action.machine].cancel(self._id(action))

    def committed(self, event: Event) -> None:
        """Let a machine forget a build whose end is in the journal, and keep what was installed."""
        if not isinstance(event, EnvironmentBuilt | EnvironmentFailed):
            return
        machine = self._building.pop((event.environment, event.number), "")
        link = self._sessions.get(machine) or self._remotes.get(machine)
        if link is not None:
            link.release(attempt_id(self._run, build_name(event.environment), event.number))
        if isinstance(event, EnvironmentBuilt):
            self._keep_locks(event)

    def _keep_locks(self, event: EnvironmentBuilt) -> None:
        """Write down what is installed, once, and once more for each machine where it is something else."""
        texts = dict(event.locks)
        if event.lock:
            texts["txt"] = f"# Python {event.python}\n{event.lock}"
        for suffix, text in texts.items():
            known = self._locks.setdefault((event.environment, suffix), [])
            if text and text not in known:
                known.append(text)
                more = f".{len(known)}" if len(known) > 1 else ""
                self._write(f"{event.environment}{more}.{suffix}", text)

    def _write(self, name: str, text: str) -> None:
        folder = self._results / (_FOLDER if _FOLDER not in self._runner.state.groups else f"{_FOLDER}+")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            _log.warning("%s cannot be written", folder / name, exc_info=True)

    def _id(self, action: BuildEnvironment | CancelBuild) -> str:
        return attempt_id(self._run, build_name(action.environment), action.number)
