"""What the end of a run leaves to be done is done, by the next controller if need be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.errors import StagingError
from longshore.model.events import AttemptEnded
from longshore.runtime.tidying import tidy

from .rig import DIAMOND, Rig

_KILLED_AT_ITS_END = """
import os, signal, sys
from pathlib import Path
from longshore import load, start
from longshore.model.events import RunEnded

def die(events):
    if any(isinstance(event, RunEnded) for event in events):
        os.kill(os.getpid(), signal.SIGKILL)

loaded = load(Path(sys.argv[1]) / "longshore.toml")
start(loaded.spec, loaded.folder, listen=die).wait()
"""


def killed_at_its_end(rig: Rig) -> str:
    """Play a run whose controller is killed as soon as its end is in the journal; give its id."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED_AT_ITS_END, str(rig.project.folder)],
        env={**os.environ, "PYTHONPATH": str(rig.plugins)},
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    [run] = rig.project.run_ids()
    return run


def left_of(rig: Rig, run: str) -> list[Path]:
    return [host.run_folder(run) for host in rig.hosts.values() if host.run_folder(run).exists()]


def test_the_next_run_tidies_up_after_one_whose_controller_was_killed_at_its_end(rig: Rig) -> None:
    text = DIAMOND.format(pool=rig.pool("h1", "h2"))
    (rig.project.folder / "longshore.toml").write_text(text)
    first = killed_at_its_end(rig)
    assert left_of(rig, first) != []

    rig.play(text.replace("cat workflow:///b", "cat  workflow:///b"))

    assert left_of(rig, first) == []
    assert rig.project.unclosed() == []


def test_what_is_left_on_a_host_that_does_not_answer_is_removed_when_it_does(rig: Rig) -> None:
    (rig.project.folder / "longshore.toml").write_text(DIAMOND.format(pool=rig.pool("h1")))
    run = killed_at_its_end(rig)
    latest = rig.project.folder / "results" / "latest"
    assert not latest.exists()
    rig.hosts["h1"].cut()

    assert "h1 does not answer" in tidy(rig.project, run)

    assert latest.resolve() == rig.project.results(run)
    assert rig.project.unclosed() == [run]
    rig.hosts["h1"].mend()
    assert tidy(rig.project, run) == ""
    assert left_of(rig, run) == []
    assert rig.project.unclosed() == []


def test_a_run_that_can_be_continued_is_not_tidied_up_after(rig: Rig) -> None:
    text = DIAMOND.format(pool=rig.pool("h1")).replace(
        "echo one", f"until test -e {rig.world}/gate; do sleep 0.01; done; echo one"
    )
    run = rig.start(text)
    rig.until(lambda: left_of(rig, run.id), "the first attempt")
    run.detach()

    assert tidy(rig.project, run.id) == ""

    assert left_of(rig, run.id) != []
    assert rig.project.unclosed() == [run.id]
    (rig.world / "gate").touch()


def test_what_is_only_on_a_host_is_fetched_from_there_while_the_run_goes_on(rig: Rig, tmp_path: Path) -> None:
    pools = rig.pool("h1", name="near") + rig.pool("h2", name="far")
    text = f"""
name = "fetched"
{pools}
[tasks.a]
command = "echo one > a.txt"
pool = "near"
[tasks.gate]
command = "cat workflow:///a/a.txt > b.txt; until test -e {rig.world}/gate; do sleep 0.01; done"
outputs = ["b.txt"]
pool = "near"
"""
    with rig.start(text) as run:
        rig.until(lambda: [e for e in rig.events(run.id) if isinstance(e, AttemptEnded)], "the end of a")

        [path] = run.fetch(tmp_path / "there", ["a"])

        assert path.read_text() == "one\n"
        (rig.world / "gate").touch()
        run.wait(timeout=120)


def test_what_was_only_on_hosts_is_told_to_be_gone_with_the_run(rig: Rig, tmp_path: Path) -> None:
    run = rig.play(DIAMOND.format(pool=rig.pool("h1")))

    with pytest.raises(StagingError, match="removed from the machine"):
        run.fetch(tmp_path / "there", ["a"])

    assert [path.name for path in run.fetch(tmp_path / "there", ["d"])] == ["d.txt"]
