"""Whole runs on machines of AWS: moto is the API, and each instance a host that executes the boot data it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.testing.fake_hosts import missing

from .rig import Cloud, running_cloud
from .story import SECONDS, Story, phases


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An AWS whose machines are real."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with running_cloud(tmp_path_factory.mktemp("hosts") / "hosts") as cloud:
        yield cloud


@pytest.fixture
def story(account: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
    account.reset()
    story = Story(tmp_path, account)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in story.env.items():
        monkeypatch.setenv(name, value)
    return story


FAN = """
machines = { max = 2 }

[tasks.raw]
command = "seq 1000 > raw.txt"
outputs = ["raw.txt"]
pool = "cloud"

[tasks.part]
for_each.n = { range = [1, 4] }
command = "head -n $n workflow:///raw/raw.txt > part.txt; echo on $(hostname) as $(id -un)"
outputs = ["part.txt"]
pool = "cloud"

[tasks.all]
command = "cat workflow:///part/*/part.txt | wc -l > all.txt"
outputs = ["all.txt"]
"""


def test_a_run_rents_boots_reaches_and_ends_its_machines(story: Story) -> None:
    with story.start("", FAN) as run:
        run.wait(timeout=SECONDS)

    assert set(phases(run.tasks()).values()) == {"succeeded"}
    assert (run.results / "all" / "all.txt").read_text() == "10\n"
    story.check_nothing_is_left()
