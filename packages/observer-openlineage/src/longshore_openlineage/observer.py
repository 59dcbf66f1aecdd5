"""A run is a run of OpenLineage, and so is each of its attempts, whose parent it is.

Ids follow from those of the run and of the attempt, so that a controller that resumes a run goes on with them, and what
is told twice is the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

from attrs import define, frozen
from openlineage.client.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    RunFacet,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
)
from openlineage.client.transport.console import ConsoleTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport

from longshore.errors import ObserverError
from longshore.model.artifact import Artifact, Input
from longshore.model.attempt import attempt_id
from longshore.model.events import AttemptEnded, AttemptIntended, AttemptStarted, Event, RunEnded, TasksIdentified
from longshore.model.outcome import Cancelled, describe_outcome
from longshore_openlineage.config import OpenLineageConfig

__all__ = ["OpenLineage"]

_IDS = UUID("5d0b0c5a-3a0f-5d7e-9c39-0f7f5a1c9b55")
"""What all ids are made from, with those of Longshore."""
_SECONDS = 5.0
"""So long one answer is waited for."""
_MORE_TRIES = 1
_MOST_DATASETS = 1000
_ENDS = {"succeeded": RunState.COMPLETE, "failed": RunState.FAIL}
_PRODUCED = "in/"


@frozen(kw_only=True)
class _Named:
    """A run of OpenLineage, by the names that it goes by."""

    id: str
    job: str
    kind: str


@define
class _Attempt:
    """One that is under way."""

    named: _Named
    began: bool = False


class OpenLineage:
    """Tells one run."""

    def __init__(self, config: OpenLineageConfig, about: Mapping[str, str]) -> None:
        """Prepare; nothing is sent before something happens.

        Raises:
            ObserverError: when nothing says where to.
        """
        self._client = _client(config)
        self._namespace = config.namespace
        self._run = about["run"]
        self._workflow = about["workflow"]
        self._whole = _Named(id=_id(self._run), job=self._workflow, kind="WORKFLOW")
        self._begun = False
        self._live: dict[tuple[str, int], _Attempt] = {}
        self._reads: dict[str, Sequence[Input]] = {}

    def notice(self, event: Event) -> None:
        """Take note."""
        if not self._begun:
            self._begun = True
            self._tell(self._whole, RunState.START, event.at)
        match event:
            case TasksIdentified(items=items):
                self._reads.update({item.task: item.inputs for item in items if item.inputs})
            case AttemptIntended(task=task, attempt=number):
                self._live[task, number] = _Attempt(self._named(task, number))
            case AttemptStarted(task=task, attempt=number):
                self._begin(task, number, event.at)
            case AttemptEnded():
                self._end(event)
            case RunEnded(state=state):
                self._tell(self._whole, _ENDS.get(state, RunState.ABORT), event.at)
            case _:
                return

    def close(self) -> None:
        """Let go of the way there."""
        self._client.close(_SECONDS)

    def _named(self, task: str, number: int) -> _Named:
        job = f"{self._workflow}.{task.partition('[')[0]}"
        return _Named(id=_id(attempt_id(self._run, task, number)), job=job, kind="TASK")

    def _begin(self, task: str, number: int, at: datetime) -> _Named:
        attempt = self._live.setdefault((task, number), _Attempt(self._named(task, number)))
        if not attempt.began:
            attempt.began = True
            self._tell(attempt.named, RunState.START, at, inputs=self._inputs(task))
        return attempt.named

    def _end(self, event: AttemptEnded) -> None:
        named = self._begin(event.task, event.attempt, event.started_at or event.at)
        del self._live[event.task, event.attempt]
        at, inputs = event.ended_at or event.at, self._inputs(event.task)
        if isinstance(event.outcome, Cancelled):
            self._tell(named, RunState.ABORT, at, inputs=inputs)
        elif event.failure is not None:
            # What it has written to stderr stays at home: it may have a secret.
            problem = f"{event.failure.value}: {describe_outcome(event.outcome)}"
            self._tell(named, RunState.FAIL, at, inputs=inputs, problem=problem)
        else:
            self._tell(named, RunState.COMPLETE, at, inputs=inputs, outputs=self._outputs(event.task, event.outputs))

    def _inputs(self, task: str) -> list[InputDataset]:
        return [
            InputDataset(namespace=namespace, name=name, facets=_version(each.sha256))
            for each in islice(self._reads.get(task, ()), _MOST_DATASETS)
            if each.origin or not each.path.startswith(_PRODUCED)
            for namespace, name in (self._called(each),)
        ]

    def _called(self, read: Input) -> tuple[str, str]:
        """Give the namespace and the name of what was read."""
        if read.origin:
            parts = 2 if "[" in read.origin else 1
            path = read.path.removeprefix(_PRODUCED).split("/", parts)[-1]
            return self._namespace, self._output(read.origin, path)
        if "://" in read.path:
            address = urlsplit(read.path)
            return f"{address.scheme}://{address.netloc.rpartition('@')[2]}", address.path.lstrip("/")
        return "file", read.path

    def _outputs(self, task: str, written: Iterable[Artifact]) -> list[OutputDataset]:
        return [
            OutputDataset(
                namespace=self._namespace,
                name=self._output(task, each.path),
                facets=_version(each.sha256),
                outputFacets={
                    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                        size=each.size
                    )
                },
            )
            for each in islice(written, _MOST_DATASETS)
        ]

    def _output(self, task: str, path: str) -> str:
        return f"{self._workflow}/{task}/{path}"

    def _tell(
        self,
        named: _Named,
        state: RunState,
        at: datetime,
        *,
        inputs: list[InputDataset] | None = None,
        outputs: list[OutputDataset] | None = None,
        problem: str = "",
    ) -> None:
        about_run: dict[str, RunFacet] = {}
        if named is not self._whole:
            run, job = self._whole.id, self._whole.job
            about_run["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=run),
                job=parent_run.Job(namespace=self._namespace, name=job),
                root=parent_run.Root(
                    run=parent_run.RootRun(runId=run), job=parent_run.RootJob(namespace=self._namespace, name=job)
                ),
            )
        if problem:
            about_run["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=problem, programmingLanguage="unknown"
            )
        about_job: dict[str, JobFacet] = {
            "jobType": job_type_job.JobTypeJobFacet(processingType="BATCH", integration="LONGSHORE", jobType=named.kind)
        }
        self._client.emit(
            RunEvent(
                eventType=state,
                eventTime=at.isoformat(timespec="milliseconds"),
                run=Run(runId=named.id, facets=about_run),
                job=Job(namespace=self._namespace, name=named.job, facets=about_job),
                inputs=inputs or [],
                outputs=outputs or [],
            )
        )


def _client(config: OpenLineageConfig) -> OpenLineageClient:
    if not config.url:
        client = OpenLineageClient()
        if client.transport.kind == ConsoleTransport.kind:
            raise ObserverError("nothing says where events go: give url, or set OPENLINEAGE_URL")
        return client
    key = os.environ.get(config.api_key_env, "") if config.api_key_env else ""
    if config.api_key_env and not key:
        raise ObserverError(f"api_key_env: the environment variable {config.api_key_env} is not set")
    options: dict[str, Any] = {
        "url": config.url,
        "endpoint": config.endpoint,
        "timeout": _SECONDS,
        "retry": {"total": _MORE_TRIES, "connect": _MORE_TRIES, "read": _MORE_TRIES},
    }
    if key:
        options["auth"] = {"type": "api_key", "apiKey": key}
    return OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict(options)))


def _id(text: str) -> str:
    return str(uuid5(_IDS, text))


def _version(sha256: str) -> dict[str, DatasetFacet]:
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=sha256)}
