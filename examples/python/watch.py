"""Run the workflow, and tell what happens."""

import json

from pipeline import workflow

from longshore.model.events import AttemptEnded

with workflow.start(cache=False) as run:
    for event in run:
        if isinstance(event, AttemptEnded):
            print(event.task, "ended")

print(run.state)
print(json.loads(run.result("summary"))["mean"])
