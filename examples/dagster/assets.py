"""An asset of Dagster's that a run of Longshore's makes."""

from pathlib import Path

import dagster

import longshore
from longshore.model.events import AttemptEnded
from longshore.model.outcome import describe_outcome


class Words(dagster.Config):
    """How the workflow is run."""

    folder: str = str(Path(__file__).parent)
    parts: int = 4


@dagster.asset(retry_policy=dagster.RetryPolicy(max_retries=1))
def words(context: dagster.AssetExecutionContext, config: Words) -> dagster.MaterializeResult[int]:
    """How many words the text has. Tried again, the run repeats nothing that succeeded."""
    loaded = longshore.load(config.folder, params=[f"parts={config.parts}"])
    with longshore.start(loaded.spec, loaded.folder) as run:
        context.log.info("run %s", run.id)
        for event in run:
            if isinstance(event, AttemptEnded):
                context.log.info("%s: %s", event.task, describe_outcome(event.outcome))
    if run.state != "succeeded":
        failed = [each.id for each in run.tasks() if each.failure]
        raise dagster.Failure(f"run {run.id} {run.state}: {', '.join(failed)}")
    found = int((run.results / "sum" / "sum.txt").read_text())
    return dagster.MaterializeResult(value=found, metadata={"run": run.id, "results": str(run.results)})


definitions = dagster.Definitions(assets=[words])
