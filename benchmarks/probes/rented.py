"""Measure a user's first minute with rented machines, on the stand-in for AWS that the tests of longshore-aws have.

Usage: rented.py run MACHINES, or rented.py offers; with the folder of those tests on the path. API and machines answer
at once. The last line is JSON: seconds by what they are.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from aws.rig import running_cloud
from aws.story import Story

from longshore.model.events import AttemptEnded, AttemptStarted
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseChanged
from longshore.testing.fake_hosts import missing

REPEATS = 5
LONGEST = 300.0
"""Seconds, for a run of many machines."""


def run(story: Story, machines: int) -> dict[str, float]:
    """Time a run from the shell prompt until each of its machines has begun a task, and after its last task.

    What AWS offers is asked before: the stand-in takes seconds for that list, which is kept for a day.
    """
    offers(story, repeats=0)
    story.cloud.control("quota", code="L-1216C47A", value=4.0 * machines + 64)
    story.write(
        f"machines = {{ max = {machines} }}",
        f"[tasks.job]\nfor_each.i = {{ range = [1, {machines}] }}\nneeds = {{ cpus = 2 }}\n"
        # Nobody has finished when the last one starts, so that each machine has one.
        f'pool = "cloud"\ncommand = "sleep {1 if machines == 1 else 20 + 2 * machines // 3}"\n',
    )
    began = datetime.now(UTC)
    said = story.command("run", "--yes", seconds=LONGEST)
    assert said.returncode == 0, said.stdout + said.stderr
    events = [event for _, event in story.reader().events()]
    starts = [event for event in events if isinstance(event, AttemptStarted)]
    ended = [event.at for event in events if isinstance(event, AttemptEnded)]
    given_up = [event.at for event in events if isinstance(event, LeaseChanged) and event.phase is LeasePhase.ENDING]
    assert len({task.machine for task in story.reader().tasks()}) == machines
    return {
        "wall": (max(event.at for event in starts) - began).total_seconds(),
        "paid after the last task": (max(given_up) - max(ended)).total_seconds(),
    }


def offers(story: Story, repeats: int = REPEATS) -> dict[str, float]:
    """Time what is answered from what was asked before."""
    story.write("", '[tasks.job]\ncommand = "true"\n', deadline="60 s")
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        said = story.command("offers", "--provider", "aws", "--cpus", "8", "--memory", "32 GiB")
        assert said.returncode == 0, said.stdout + said.stderr
        seconds.append(time.perf_counter() - began)
    return {"wall": sorted(seconds[1:] or seconds)[repeats // 2]}


def main() -> None:
    """Measure what is asked for."""
    if reason := missing():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as folder:
        hosts = Path(folder) / "hosts"
        with running_cloud(hosts) as cloud:
            cloud.reset()
            story = Story(Path(folder), cloud, hosts / "disks")
            measured = run(story, int(sys.argv[2])) if sys.argv[1] == "run" else offers(story)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
