"""Measure a user's first minute with rented machines, on the stand-ins for clouds that the tests of providers have.

Usage: rented.py run PROVIDER MACHINES, rented.py again PROVIDER, or rented.py offers PROVIDER..., with the folder of
the tests of longshore-aws on the path. APIs and machines answer at once. The last line is JSON: seconds by what they
are.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from aws.account import AwsAccount
from aws.rig import running_cloud

from longshore.model.environment_events import EnvironmentBuilt
from longshore.model.events import AttemptEnded, AttemptStarted
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseChanged
from longshore.testing.clouds import (
    Azure,
    DigitalOcean,
    GoogleCloud,
    HttpCloud,
    Trust,
    azure_login,
    google_login,
    hosted,
)
from longshore.testing.fake_hosts import missing
from longshore.testing.story import Account, Story

REPEATS = 5
LONGEST = 300.0
"""Seconds, for a run of many machines."""
TOKEN = "dop_v1_bench"
PROJECT, EMAIL = "my-project", "me@my-project.iam.gserviceaccount.com"
SUBSCRIPTION, APPLICATION = "8d2f1c1e-0000-4000-8000-000000000001", "3a1f7b52-0000-4000-8000-000000000002"
SPARE = 16
"""So many more machines the accounts may have than are rented."""


@contextmanager
def accounts(providers: Sequence[str], folder: Path, machines: int) -> Iterator[Mapping[str, Account]]:
    """Open an account of each provider that may have so many machines of two processors."""
    stand_ins: dict[str, tuple[HttpCloud, Mapping[str, str]]] = {}
    if "azure" in providers:
        azure = Azure(SUBSCRIPTION, APPLICATION)
        azure.limit = 2 * (machines + SPARE)
        azure.polls = 1
        stand_ins["azure"] = (azure, azure_login("{url}", subscription=SUBSCRIPTION))
    if "do" in providers:
        stand_ins["do"] = (DigitalOcean(TOKEN, limit=machines + SPARE), {"DIGITALOCEAN_TOKEN": TOKEN})
    if "gcp" in providers:
        google = GoogleCloud(PROJECT, EMAIL)
        google.instances.limit = 2.0 * machines + SPARE
        stand_ins["gcp"] = (google, google_login(folder, project=PROJECT, account=EMAIL))
    with ExitStack() as stack:
        found: dict[str, Account] = {}
        if "aws" in providers:
            cloud = stack.enter_context(running_cloud(folder / "aws"))
            cloud.reset()
            cloud.control("quota", code="L-1216C47A", value=4.0 * machines + 4 * SPARE)
            found["aws"] = AwsAccount.of(cloud, folder / "aws" / "disks")
        if stand_ins:
            found |= stack.enter_context(hosted(folder / "hosts", Trust.made(folder), stand_ins))
        yield {name: found[name] for name in providers}


def run(story: Story, machines: int) -> dict[str, float]:
    """Time a run from the shell prompt until each of its machines has begun a task, and after its last task.

    What the cloud offers is asked before: a stand-in may take seconds for that list, which is kept for a day.
    """
    offers(story, repeats=0)
    (pool,) = story.accounts
    story.write(
        f'machines = {{ max = {machines} }}\nlifetime = "30 min"',  # so long does the budget of the story bear 50
        f"[tasks.job]\nfor_each.i = {{ range = [1, {machines}] }}\nneeds = {{ cpus = 2 }}\n"
        # Nobody has finished when the last one starts, so that each machine has one.
        f'pool = "{pool}"\ncommand = "sleep {1 if machines == 1 else 20 + 2 * machines // 3}"\n',
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


def again(story: Story) -> dict[str, float]:
    """Time a run from the shell prompt until it has begun a task, on the machine that the run before has kept, and with
    the environment that this has built; the script is another one.
    """
    offers(story, repeats=0)
    (pool,) = story.accounts
    text = f'[environments.sci]\npython = "3.11"\n[tasks.job]\npool = "{pool}"\nenvironment = "sci"\n'
    began = datetime.now(UTC)
    for number in range(2):
        story.write('when_idle = "keep"', f'{text}command = "python -c {number}; sleep 1"\n')
        began = datetime.now(UTC)
        said = story.command("run", "--yes", seconds=LONGEST)
        assert said.returncode == 0, said.stdout + said.stderr
    events = [event for _, event in story.reader().events()]
    [started] = [event.at for event in events if isinstance(event, AttemptStarted)]
    assert [event.reused for event in events if isinstance(event, EnvironmentBuilt)] == [True]
    return {"wall": (started - began).total_seconds()}


def offers(story: Story, repeats: int = REPEATS) -> dict[str, float]:
    """Time what is answered from what was asked before, of all providers together."""
    story.write("", '[tasks.job]\ncommand = "true"\n', deadline="60 s")
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        named = [word for name in story.accounts for word in ("--provider", name)]
        said = story.command("offers", *named, "--cpus", "4", "--memory", "8 GiB")
        assert said.returncode == 0, said.stdout + said.stderr
        seconds.append(time.perf_counter() - began)
    return {"wall": sorted(seconds[1:] or seconds)[repeats // 2]}


def main() -> None:
    """Measure what is asked for."""
    if reason := missing():
        raise SystemExit(reason)
    what, *words = sys.argv[1:]
    machines = int(words.pop()) if what == "run" else 1
    with tempfile.TemporaryDirectory(prefix="longshore-bench-") as folder, ExitStack() as stack:
        opened = stack.enter_context(accounts(words, Path(folder), machines))
        story = Story(Path(folder), opened)
        if what == "run":
            measured = run(story, machines)
        else:
            measured = again(story) if what == "again" else offers(story)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
