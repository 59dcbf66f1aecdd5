"""Whole runs on machines of AWS: moto is the API, and each instance a host that executes the boot data it was sent."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.runtime.history import RunReader
from longshore.testing.provider_story import ProviderStory
from longshore.testing.shelf import install_shelf, serve_shelf
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
        run, name = there.name, f"controller-{there.name}"
        alone = f"all of it is on {name} alone, which costs "
        assert alone in story.command("status").stdout
        assert f"Of {run} {alone}" in story.command("attach", name).stderr
        assert f"{name} has all there is of run {run}" in story.command("machines", "list").stderr
        assert len(story.account.hosts.living()) == 1
        fetched = story.command("fetch", "--to", "got")
        assert fetched.returncode == 0, fetched.stderr
        assert (story.folder / "got" / "job" / "out.txt").read_text().startswith("own\n")
        assert story.reader().info().state == "succeeded"
        assert story.sweep(later=timedelta(0)).clean
        story.check_nothing_is_left()

    def test_a_controllers_machine_ends_itself_when_its_run_is_in_a_bucket_and_nothing_is_lost(
        self, story: Story, tmp_path: Path
    ) -> None:
        """Nobody comes for it; what there was is asked about, and fetched, when it is gone."""
        if reason := no_controllers():
            pytest.skip(reason)
        plugins, shelf = tmp_path / "plugins", tmp_path / "shelf"
        install_shelf(plugins, shelf)
        story.variables["PYTHONPATH"] = str(plugins)
        story.write('store = "shelf://bucket/stage"', AWAY)
        (story.folder / "own.txt").write_text("own\n")

        with serve_shelf(plugins, story.account.hosts.proxy_command.split("=")[1].split()[0]):
            begun = story.command("run", "--on", "cloud", "--yes", "--json")
            assert begun.returncode == 0, begun.stderr
            run = json.loads(begun.stdout)["run"]
            assert story.account.hosts.wait_off(SECONDS)

        assert json.loads(story.command("status", "--json").stdout)["state"] == "succeeded"
        assert "job" in story.command("explain", "job").stdout
        fetched = story.command("fetch", "--to", "got")
        assert fetched.returncode == 0, fetched.stderr
        assert (story.folder / "got" / "job" / "out.txt").read_text().startswith("own\n")
        assert (story.reader().folder.name, story.reader().info().state) == (run, "succeeded")
        assert [each for each in shelf.rglob("*") if each.is_file()] == []
        assert story.sweep(later=timedelta(0)).clean
        story.check_nothing_is_left()
