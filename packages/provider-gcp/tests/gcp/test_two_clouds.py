"""One workflow over two clouds at once, a pool on each, with data that cross between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from longshore.testing.clouds import DigitalOcean, GoogleCloud, Trust, hosted
from longshore.testing.fake_hosts import missing
from longshore.testing.story import SECONDS, Story, machines_of

TOKEN = "dop_v1_s3cr3t"
TASKS = """
[tasks.raw]
command = "hostname > where.txt; seq 1000 > raw.txt"
outputs = ["raw.txt", "where.txt"]
pool = "ocean"

[tasks.part]
for_each.n = { range = [1, 3] }
command = "hostname > where.txt; head -n $n workflow:///raw/raw.txt > part.txt"
outputs = ["part.txt", "where.txt"]
pool = "google"

[tasks.all]
command = "cat workflow:///part/*/part.txt workflow:///part/*/where.txt workflow:///raw/where.txt > all.txt"
outputs = ["all.txt"]
pool = "ocean"
"""


@pytest.fixture
def story(
    cloud: GoogleCloud, trust: Trust, login: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Story]:
    if reason := missing() or ("" if find_spec("longshore_do") else "longshore_do is not installed here"):
        pytest.skip(reason)
    both = {"google": (cloud, login), "ocean": (DigitalOcean(TOKEN), {"DIGITALOCEAN_TOKEN": TOKEN})}
    with hosted(tmp_path / "hosts", trust, both) as accounts:
        story = Story(tmp_path, accounts)
        for name, value in story.env.items():
            monkeypatch.setenv(name, value)
        yield story


def test_what_one_cloud_has_made_is_read_on_the_other_and_nothing_is_left_on_either(story: Story) -> None:
    with story.start("machines = { max = 1 }", TASKS) as run:
        run.wait(until=lambda each: len(machines_of(each)) == 2, timeout=SECONDS)
        google, ocean = (list(account.machines()) for account in story.accounts.values())
        run.wait(timeout=SECONDS)

    assert run.state == "succeeded"
    lines = (run.results / "all" / "all.txt").read_text().splitlines()
    assert lines == ["1", "1", "2", "1", "2", "3", *google * 3, *ocean]
    story.check_nothing_is_left()
