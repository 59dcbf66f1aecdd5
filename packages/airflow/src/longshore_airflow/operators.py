"""Tasks of a DAG: a run of a workflow, machines for it, and its results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, TriggerRule
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from longshore import machines
from longshore.runtime.history import RunReader
from longshore_airflow.following import Following
from longshore_airflow.hook import DEFAULT_CONNECTION, LongshoreHook
from longshore_airflow.links import ReportLink
from longshore_airflow.trigger import RunTrigger
from longshore_cli.away.orders import is_over
from longshore_cli.fetching import fetched
from longshore_cli.summary import summarize

__all__ = ["CleanUpOperator", "FetchOperator", "LongshoreRunOperator", "MachinesDownOperator", "MachinesUpOperator"]

_FILE = "longshore.toml"


class _ForProject(BaseOperator):
    """What all have: a connection, and a folder that goes before the connection's."""

    template_fields: Sequence[str] = ("folder",)

    def __init__(
        self, *, folder: str | None = None, longshore_conn_id: str | None = DEFAULT_CONNECTION, **words: Any
    ) -> None:
        super().__init__(**words)
        self.folder = folder
        self.longshore_conn_id = longshore_conn_id

    @property
    def hook(self) -> LongshoreHook:
        """The project."""
        return LongshoreHook(self.longshore_conn_id, folder=self.folder)


class LongshoreRunOperator(_ForProject):
    """Runs a workflow, and fails when the run does. Gives the run's id to XCom.

    The run has a controller of its own, which neither a worker nor Airflow can take down with itself: whoever executes
    the task again, be it a retry or an Airflow that was started anew, goes on with the same run. What failed gets
    another chance then, and nothing is repeated that succeeded.

    Args:
        file: the workflow file, in the project's folder.
        run_params: values for its ``[params]``.
        sets: as ``longshore run --set``.
        jobs: how many tasks this computer takes at once.
        report: whether a report is written and linked when the run is over.
        deferrable: whether to take no worker while the run goes on; by default as Airflow is configured.
    """

    template_fields: Sequence[str] = ("folder", "file", "run_params", "sets")
    operator_extra_links = (ReportLink(),)

    def __init__(
        self,
        *,
        file: str = _FILE,
        run_params: Mapping[str, Any] | None = None,
        sets: Sequence[str] = (),
        jobs: int | None = None,
        report: bool = True,
        deferrable: bool | None = None,
        **words: Any,
    ) -> None:
        super().__init__(**words)
        self.file = file
        self.run_params = dict(run_params or {})
        self.sets = list(sets)
        self.jobs = jobs
        self.report = report
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=False) if deferrable is None else deferrable
        )
        self.report_place = ""
        self._run: str | None = None

    def execute(self, context: Any) -> str:
        """Begin the run, or go on with it, and wait."""
        return self._go_on(self._begin(context), context)

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> str:
        """Conclude, or go on when nobody keeps the run any more."""
        run = str(event["run"])
        if event["state"] == "unattended":
            return self._go_on(self._begin(context), context)
        return self._conclude(run)

    def _begin(self, context: Any) -> str:
        task = context["ti"]
        key = json.dumps([task.dag_id, task.task_id, task.run_id, task.map_index])
        hook = self.hook
        with hook.logged_in():
            run = hook.begin(
                key,
                _moment(context),
                file=self.file,
                params=self.run_params,
                sets=self.sets,
                jobs=self.jobs,
            )
        self._run = run
        self.log.info("run %s in %s", run, hook.project.folder)
        return run

    def _go_on(self, run: str, context: Any) -> str:
        project = self.hook.project
        while not is_over(project, run):
            if self.deferrable:
                self.defer(trigger=RunTrigger(str(project.folder), run), method_name="execute_complete")
            following = Following(str(project.folder), run, self.log.info)
            try:
                state = following.wait()
            finally:
                following.close()
            if state == "unattended":
                self._begin(context)
        return self._conclude(run)

    def _conclude(self, run: str) -> str:
        project = self.hook.project
        reader = RunReader(project.run_folder(run))
        summary = summarize(reader, project.results(run))
        if self.report:
            self.report_place = self._write_report(run)
        lines = list(summary.lines())
        if summary.info.state != "succeeded" or summary.undelivered:
            raise AirflowException("\n".join(lines))
        for line in lines:
            self.log.info("%s", line)
        return run

    def _write_report(self, run: str) -> str:
        from longshore_cli.report.figures import read_figures  # noqa: PLC0415  only now is it needed
        from longshore_cli.report.record import read_record  # noqa: PLC0415  as above
        from longshore_cli.report.writing import write_report  # noqa: PLC0415  as above

        project = self.hook.project
        reader = RunReader(project.run_folder(run))
        to = project.results(f"report-{run}")
        files = write_report(read_record(reader), [read_figures(reader)], to)
        return str(next((path for path in files if path.suffix == ".html"), to))

    def on_kill(self) -> None:
        """End the run when somebody ends the task."""
        if self._run is not None:
            self.hook.cancel(self._run)


def _moment(context: Any) -> datetime:
    """Give when the DAG's run began, the same for each try."""
    run = context.get("dag_run")
    found = getattr(run, "run_after", None) or getattr(run, "start_date", None)
    moment = found or datetime.fromtimestamp(0, UTC)
    return moment.astimezone(UTC)


class MachinesUpOperator(_ForProject):
    """Rents machines of a pool, which runs of the project that have the pool use. Gives their names to XCom.

    A task that is executed again finds the machines that it rented.
    """

    template_fields: Sequence[str] = ("folder", "machine_pool", "name")

    def __init__(self, *, machine_pool: str, count: int = 1, name: str, **words: Any) -> None:
        super().__init__(**words)
        self.machine_pool = machine_pool
        self.count = count
        self.name = name

    def execute(self, context: Any) -> list[str]:
        """Rent them, unless they are there."""
        hook = self.hook
        wanted = {self.name} if self.count == 1 else {f"{self.name}-{n}" for n in range(1, self.count + 1)}
        folder = hook.project.folder
        with hook.logged_in():
            there = {
                each.name for each in machines.list(folder, pool=self.machine_pool).machines if each.name in wanted
            }
            if there != wanted:
                if there:
                    machines.down(*there, folder=folder)  # from a try that was cut short
                found = machines.up(
                    self.machine_pool, folder=folder, count=self.count, name=self.name, tell=self.log.info
                )
                there = {each.name for each in found}
        return sorted(there)


class MachinesDownOperator(_ForProject):
    """Ends the machines of a pool that are ours, whatever became of the tasks before it.

    Airflow takes the state of a DAG's run from its last tasks. So this one fails, after the machines are ended, when a
    task before it has failed: a run that went wrong must not look green since its machines were ended well.
    """

    template_fields: Sequence[str] = ("folder", "machine_pool")

    def __init__(self, *, machine_pool: str, **words: Any) -> None:
        super().__init__(trigger_rule=TriggerRule.ALL_DONE, **words)
        self.machine_pool = machine_pool

    def execute(self, context: Any) -> list[str]:
        """End them; fails when one could not be ended, and without another try when something before has failed."""
        hook = self.hook
        with hook.logged_in():
            deeds = machines.down(folder=hook.project.folder, pool=self.machine_pool, tell=self.log.info)
        problems = [f"{deed.what}: {deed.error}" for deed in deeds if deed.error is not None]
        if problems:
            raise AirflowException("\n".join(problems))
        failed = self._failed_before(context)
        if failed:
            raise AirflowFailException(f"the machines are ended; this task is red because of {', '.join(failed)}")
        return [deed.what for deed in deeds]

    def _failed_before(self, context: Any) -> list[str]:
        task = context["ti"]
        before = sorted(self.get_flat_relative_ids(upstream=True))
        states = task.get_task_states(dag_id=task.dag_id, task_ids=before, run_ids=[task.run_id])
        return sorted(name for name, state in states.get(task.run_id, {}).items() if state == "failed")


class CleanUpOperator(_ForProject):
    """Ends what was forgotten on all clouds of the project. Gives what it has ended to XCom.

    Args:
        foreign: whether machines of other ledgers with the same owner are ended, too, whoever needs them.
        patience: how long the clouds' proof is waited for that all is gone.
    """

    def __init__(self, *, foreign: bool = False, patience: timedelta = timedelta(minutes=15), **words: Any) -> None:
        super().__init__(**words)
        self.foreign = foreign
        self.patience = patience

    def execute(self, context: Any) -> list[str]:
        """Clean up; fails when something of ours is left, or a cloud could not be asked."""
        hook = self.hook
        with hook.logged_in():
            found = machines.gc(hook.project.folder, foreign=self.foreign, patience=self.patience, tell=self.log.info)
        for deed in found.deeds:
            self.log.info("ended %s", deed.what)
        problems = [f"{deed.what}: {deed.error}" for deed in found.deeds if deed.error is not None]
        problems += [f"{each.provider} cannot be asked: {each.error}" for each in found.unasked if each.expected]
        if not found.clean:
            raise AirflowException("\n".join([*problems, *(f"{each.what} is left" for each in found.remaining)]))
        return [deed.what for deed in found.deeds]


class FetchOperator(_ForProject):
    """Copies what tasks of a run have written to a folder. Gives the paths to XCom."""

    template_fields: Sequence[str] = ("folder", "run", "to", "tasks")

    def __init__(self, *, run: str, to: str, tasks: Sequence[str] = (), **words: Any) -> None:
        super().__init__(**words)
        self.run = run
        self.to = to
        self.tasks = list(tasks)

    def execute(self, context: Any) -> list[str]:
        """Fetch; fails when something cannot be had."""
        project = self.hook.project
        reader = RunReader(project.run_folder(project.find_run(self.run)))
        got = fetched(project, reader, self.tasks, Path(self.to).absolute(), now=False)
        if got["missing"]:
            raise AirflowException("; ".join(f"{task}: {why}" for task, why in got["missing"].items()))
        return [str(path) for path in got["written"]]
