"""Whole runs on machines of AWS: moto is the API, and each instance a host that executes the boot data it was sent."""

from __future__ import annotations

from longshore.testing.provider_story import ProviderStory
from longshore.testing.story import SECONDS, Story, machines_of

KEPT = """
[environments.tools]
before = "echo built >> $HOME/built"

[tasks.job]
command = "cat $HOME/built > out.txt; echo {} >> out.txt"
outputs = ["out.txt"]
pool = "cloud"
environment = "tools"
"""
KEEP = 'when_idle = "keep"'


class TestStory(ProviderStory):
    """All of it; the account is that of ``conftest.py``."""

    def test_a_second_run_on_a_kept_machine_builds_nothing(self, story: Story) -> None:
        """What was built for one run is there for the next."""
        with story.start(KEEP, KEPT.format(1)) as first:
            first.wait(timeout=SECONDS)

        with story.start(KEEP, KEPT.format(2)) as run:
            run.wait(timeout=SECONDS)

        assert (run.results / "job" / "out.txt").read_text() == "built\n2\n"
        assert machines_of(run) == [*story.account.hosts.living()]
