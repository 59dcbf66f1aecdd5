"""The story that every provider's machines must bear: whole runs, on hosts that execute the boot data of their launch.

The laws of `longshore.testing.provider_contract` are about single calls; this is about what they come to. It needs root
(`longshore.testing.fake_hosts`), and is skipped without it; machines are reached by the executor for SSH.
"""

from __future__ import annotations

import base64
import io
import subprocess
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from longshore import resume
from longshore.model.events import MachineGone
from longshore.model.outcome import FailureClass
from longshore.testing.contract import Contract
from longshore.testing.mortal import hear
from longshore.testing.provider_rig import ReclaimsSpot
from longshore.testing.story import SECONDS, Account, Story, machines_of, started_in

__all__ = ["ProviderStory"]

_FAN = """
[environments.sci]
before = "echo built >> $HOME/built"
pip = ["--no-index", "--find-links /opt/wheels", "greeting"]

[tasks.raw]
command = "python -c 'import greeting; print(greeting.WORD)' > raw.txt; seq 1000 >> raw.txt"
outputs = ["raw.txt"]
pool = "cloud"
environment = "sci"

[tasks.part]
for_each.n = { range = [1, 4] }
command = "head -n $n workflow:///raw/raw.txt > part.txt; cat own.txt >> part.txt"
inputs = ["own.txt"]
outputs = ["part.txt"]
pool = "cloud"

[tasks.all]
command = "cat workflow:///part/*/part.txt > all.txt"
outputs = ["all.txt"]
"""
_WAITING = """
[tasks.work]
for_each.i = [1, 2]
command = "until test -e $HOME/go; do sleep 0.05; done; echo $LONGSHORE_ATTEMPT > out.txt"
outputs = ["out.txt"]
pool = "cloud"
"""
_LONG = """
[tasks.long]
command = "sleep 11"
pool = "cloud"

[tasks.longer]
command = "sleep 1000"
after = ["long"]
pool = "cloud"
"""
_MUCH_LATER = timedelta(hours=1)
"""By then nobody has attended for long."""


class ProviderStory(Contract):
    """Subclass it in a plugin's tests, and give the fixture ``account``, an `Account` that is empty."""

    @pytest.fixture
    def story(self, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Story:
        """Be a user of this account, in a new home."""
        story = Story(tmp_path, {"cloud": account})
        for name, value in story.env.items():
            monkeypatch.setenv(name, value)
        return story

    def test_a_run_rents_its_machines_builds_moves_executes_brings_home_and_leaves_nothing(self, story: Story) -> None:
        """From a file to files: software is built there, inputs are brought, results come home, all is ended."""
        (story.folder / "own.txt").write_text("own\n")

        with story.start("machines = { max = 2 }", _FAN, _wheel()) as run:
            run.wait(timeout=SECONDS)

        assert run.state == "succeeded"
        lines = ["hello", *map(str, range(1, 4))]
        parts = ("".join(f"{line}\n" for line in [*lines[:n], "own"]) for n in range(1, 5))
        assert (run.results / "all" / "all.txt").read_text() == "".join(parts)
        story.check_nothing_is_left()

    def test_attempts_on_a_spot_machine_that_is_taken_run_again_on_another_within_the_run(self, story: Story) -> None:
        """A machine that is taken back costs no retry that is meant for faults, and its tasks run elsewhere."""
        account = story.account
        if not isinstance(account, ReclaimsSpot):
            pytest.skip("its cloud has no spot machines")
        pool = "spot = true\nmachines = { max = 1 }\nreconnect = '1 s'"
        with story.start(pool, _WAITING) as run:
            run.wait(until=lambda each: started_in(each) == 2, timeout=SECONDS)
            [first] = machines_of(run)
            account.reclaim(first, after=timedelta(seconds=0.5))
            run.wait(until=lambda each: len(machines_of(each)) == 2, timeout=SECONDS)
            (story.home_on(machines_of(run)[1]) / "go").touch()
            run.wait(timeout=SECONDS)

        assert run.state == "succeeded"
        assert [task.attempts for task in run.tasks()] == [2, 2]
        gone = [event for _, event in run.reader().events(kind="MachineGone") if isinstance(event, MachineGone)]
        assert [event.failure for event in gone if event.machine == first] == [FailureClass.PREEMPTED]
        story.check_nothing_is_left()

    def test_a_controller_that_is_killed_is_continued_on_the_machine_that_proves_itself_and_nothing_runs_twice(
        self, story: Story
    ) -> None:
        """Whoever takes over finds the machine by the ledger and the tags, and the attempts on it. The key of the boot
        data has proven it once; the one that is believed since was born there, and was never sent anywhere.
        """
        story.write("", _WAITING)
        with story.controller() as controller:
            hear(controller, "AttemptStarted", 2)
            controller.kill()
        machine = story.machine()
        [note] = (story.home / "state" / "longshore" / "ssh" / "hosts").iterdir()
        keys = story.account.hosts.disk(machine.id) / "etc" / "ssh"
        assert _fingerprint(keys / "ssh_host_ecdsa_key.pub") == machine.host_key
        assert _fingerprint(keys / "ssh_host_ed25519_key.pub") == note.read_text().strip()
        (story.home_on(machine.id) / "go").touch()

        with resume(story.folder) as run:
            run.wait(timeout=SECONDS)

        assert [(str(task.phase), task.attempts) for task in run.tasks()] == [("succeeded", 1)] * 2
        assert set(machines_of(run)) == {machine.id}
        story.check_nothing_is_left()

    def test_a_machine_lives_while_it_is_attended_to_powers_itself_off_then_and_is_swept(self, story: Story) -> None:
        """It needs nobody to end, and whatever of it is left at the cloud is found and ended by whoever comes."""
        story.write('unattended = "10 s"', _LONG)
        with story.controller() as controller:
            hear(controller, "AttemptEnded")  # longer than the machine lives alone
            assert len(story.account.hosts.living()) == 1
            controller.kill()

        assert story.account.hosts.wait_off(SECONDS)
        assert story.sweep(later=_MUCH_LATER).clean
        story.check_nothing_is_left()


def _fingerprint(key: Path) -> str:
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True)
    return shown.stdout.split()[1]


def _wheel() -> str:
    """Make a small package, as a root's script that lays it down."""
    info, made = "greeting-1.0.dist-info", io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("greeting.py", "WORD = 'hello'\n")
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    place = "/opt/wheels/greeting-1.0-py3-none-any.whl"
    text = base64.b64encode(made.getvalue()).decode()
    return f"#!/bin/sh\nmkdir -p /opt/wheels; echo {text} | base64 -d > {place}; chmod 644 {place}\n"
