"""Whole runs on machines of AWS: moto is the API, and each instance a host that executes the boot data it was sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from longshore.runtime.history import RunReader
from longshore.testing.provider_story import ProviderStory
from longshore.testing.story import SECONDS, Story, machines_of
from longshore_cli.testing.away import no_controllers

KEPT = """
[environments.tools]
before = "echo built >> $HOME/built"

[tasks.job]
command = "cat $HOME/built > out.txt; echo {} >> out.txt"
outputs = ["out.txt"]
pool = "cloud"
environment = "tools"
"""
AWAY = """
[tasks.job]
command = "cat own.txt > out.txt; hostname >> out.txt"
inputs = ["own.txt"]
outputs = ["out.txt"]
pool = "local"
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

    def test_a_controller_on_a_machine_of_its_own_needs_nobody_here_and_ends_when_all_was_fetched(
        self, story: Story
    ) -> None:
        """The machine is rented for it, does the work, and is ended when results and record are here."""
        if reason := no_controllers():
            pytest.skip(reason)
        story.write("", AWAY)
        (story.folder / "own.txt").write_text("own\n")

        begun = story.command("run", "--on", "cloud", "--yes", "--json")

        assert begun.returncode == 0, begun.stderr
        [machine] = story.account.machines()
        [there] = story.home_on(machine).glob(".longshore/away/*/.longshore/runs/*")
        story.until(lambda: RunReader(there).info().ended is not None, "the end of the run")
        fetched = story.command("fetch", "--to", "got")
        assert fetched.returncode == 0, fetched.stderr
        assert (story.folder / "got" / "job" / "out.txt").read_text().startswith("own\n")
        assert story.reader().info().state == "succeeded"
        assert story.sweep(later=timedelta(0)).clean
        story.check_nothing_is_left()
