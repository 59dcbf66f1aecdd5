"""A flow of Prefect's, one task of which is a run of Longshore's."""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger, task

import longshore
from longshore.model.events import AttemptEnded
from longshore.model.outcome import describe_outcome


@task(retries=1)
def run_workflow(folder: Path, params: dict[str, str]) -> Path:
    """Run the workflow of a folder, and give where its results are. Tried again, it repeats nothing that succeeded."""
    log = get_run_logger()
    loaded = longshore.load(folder, params=[f"{name}={value}" for name, value in params.items()])
    with longshore.start(loaded.spec, loaded.folder) as run:
        log.info("run %s", run.id)
        for event in run:
            if isinstance(event, AttemptEnded):
                log.info("%s: %s", event.task, describe_outcome(event.outcome))
    if run.state != "succeeded":
        failed = [each.id for each in run.tasks() if each.failure]
        raise RuntimeError(f"run {run.id} {run.state}: {', '.join(failed)}")
    return run.results


@flow
def words(folder: Path, parts: int = 4) -> int:
    """Count words."""
    results = run_workflow(folder, {"parts": str(parts)})
    return int((results / "sum" / "sum.txt").read_text())


if __name__ == "__main__":
    print(words(Path(__file__).parent))
