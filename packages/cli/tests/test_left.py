"""Runs on the machine of a controller: left in a bucket, whole, or not; and what becomes of one whose disk is full."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from longshore import load
from longshore.config.document import to_document
from longshore.runtime.options import RunOptions
from longshore.testing.shelf import install_shelf
from longshore_cli.away.seats import VERSION

from .harness import Answer, Project, wait_until

RUN = "20260314-092653-0042"
RENTED = {"name": f"controller-{RUN}", "when_idle": "end", "ends_at": "2026-03-14 17:26 UTC", "price": "0.02 USD/h"}
WORKFLOW = """
name = "pv"

[pools.vault]
executor = "sandbox"
store = "shelf://bucket/stage"

[tasks.a]
command = "mkdir d; echo a > d/x; echo one > a.txt"
outputs = ["a.txt", "d/"]
pool = "local"

[tasks.b]
for_each.n = [1, 2]
command = "cat workflow:///a/d/x > b.csv; cat workflow:///a/a.txt; echo $n >> b.csv"
outputs = ["b.csv"]
collect = "all.csv"
pool = "local"

[tasks.bad]
command = "false"
after = ["b"]
pool = "local"
"""


@frozen
class World:
    """A computer on which a controller sits, another one that asks, and a bucket."""

    project: Project
    shelf: Path

    @property
    def there(self) -> Path:
        """The project's folder where the controller sits."""
        return Path(self.project.env["HOME"], ".longshore", "away", "pv-1")

    @property
    def mark(self) -> Path:
        return self.there / ".longshore" / "seat" / f"{RUN}.left"

    def begin(self, rented: Mapping[str, str] | None = None, text: str = WORKFLOW, code: int = 0) -> Answer:
        """Let a run begin there, as somebody who has rented the machine for it asks for it."""
        spec = load(self.project.write(text)).spec
        request = {
            "version": VERSION,
            "run": RUN,
            "name": spec.name,
            "workflow": to_document(spec),
            "options": RunOptions(copied=True).to_json(),
            "environment": {},
            "store": str(self.shelf),
            "files": [],
            "links": [],
            "rented": rented,
        }
        return self.project.call("away", "begin", "pv-1", stdin=json.dumps(request), code=code)

    def until_all_is_done(self) -> None:
        """Wait until the keeper there has seen to all."""
        keeper = int(self.mark.with_suffix(".lock").read_text().split()[0])
        with suppress(ProcessLookupError):
            ended = os.pidfd_open(keeper)
            select.select([ended], [], [])
            os.close(ended)

    def lose_the_machine(self) -> None:
        """Know of the run here, and let its machine be gone."""
        place = self.project.folder / ".longshore" / "away"
        place.mkdir(parents=True)
        seat = {"run": RUN, "workflow": "pv", "machine": "nobody", "python": "python3", "folder": "x", "newer": "y"}
        (place / f"{RUN}.json").write_text(json.dumps(seat))
        shutil.rmtree(self.there)

    def listed(self) -> dict[str, Any]:
        """Say how the run is listed there."""
        [row] = self.project.call("away", "list").json["runs"]
        return dict(row)


@pytest.fixture
def world(project: Project, tmp_path: Path) -> World:
    plugins, shelf = tmp_path / "plugins", tmp_path / "shelf"
    install_shelf(plugins, shelf)
    project.env["PYTHONPATH"] = str(plugins)
    return World(project, shelf)


def test_a_run_that_was_left_is_asked_about_and_fetched_as_if_its_machine_were_there(world: World) -> None:
    project = world.project
    world.begin(RENTED)
    world.until_all_is_done()
    assert world.listed()["left"] == "shelf://bucket/stage"
    assert "all of it is in shelf://bucket/stage" in project.call("status", cwd=world.there).out
    world.lose_the_machine()

    assert project.call("status", "--json").json["state"] == "failed"
    assert "one" in project.call("logs", "b[n=1]").out
    assert "`longshore fetch` brings all of it here" in project.call("explain", "bad").err
    assert not (project.folder / ".longshore" / "runs" / RUN).exists()

    assert "1 task did not succeed" in project.call("fetch", "--to", "got", code=1).out
    got = project.folder / "got"
    assert sorted(each.read_text() for each in got.rglob("b.csv")) == ["a\n1\n", "a\n2\n"]
    assert (got / "b" / "all.csv").read_text() == "n,a\n1,1\n2,2\n"
    assert (got / "a" / "d" / "x").read_text() == "a\n", "also folders"
    assert [each for each in world.shelf.rglob("*") if each.is_file()] == []
    assert project.call("status", "--json").json["state"] == "failed"


@pytest.mark.parametrize(("when_idle", "said"), [("end", "what nobody has fetched is lost"), ("keep", "stays until")])
def test_a_run_that_no_bucket_keeps_stays_on_its_machine_and_that_is_told_with_what_it_costs(
    world: World, when_idle: str, said: str
) -> None:
    world.begin(RENTED | {"when_idle": when_idle}, WORKFLOW.replace("store =", "tasks = 1 #"))
    world.until_all_is_done()

    assert world.listed()["left"] == ""
    told = world.project.call("status", cwd=world.there).out
    assert f"all of it is on {RENTED['name']} alone, which costs 0.02 USD/h" in told
    assert said in told
    assert RENTED["ends_at"] in told
    assert list(world.shelf.iterdir()) == []


def test_on_a_machine_that_nobody_rented_for_it_a_run_is_left_to_be_fetched_there(world: World) -> None:
    world.begin(None)
    world.until_all_is_done()

    assert world.listed()["left"] == ""
    assert "all of it" not in world.project.call("status", cwd=world.there).out


def test_what_was_not_left_whole_is_not_taken_for_the_run(world: World) -> None:
    world.begin(RENTED)
    world.until_all_is_done()
    world.lose_the_machine()
    [mark] = world.shelf.rglob("left.json")
    whole = mark.read_text()
    newer = mark.parent / "journal" / "00000002.db.gz"

    def refused() -> str:
        return world.project.call("fetch", "--to", "got", code=2).err

    for broken in (json.dumps(json.loads(whole) | {"sha256": "../../../../etc/passwd"}), "[1", "[1]", None):
        mark.unlink() if broken is None else mark.write_text(broken)
        assert "nothing about it is known here" in refused()
    mark.write_text(whole)
    newer.touch()
    assert "nothing about it is known here" in refused(), "somebody has taken it over since"
    newer.unlink()
    (mark.parent / json.loads(whole)["sha256"]).write_text("something else")
    assert "not what its digest says" in refused()
    assert not list((world.project.folder / ".longshore").glob("runs/*"))


def test_a_computer_that_never_heard_of_a_run_that_was_left_gets_all_of_it(world: World) -> None:
    project = world.project
    world.begin(RENTED)
    world.until_all_is_done()
    shutil.rmtree(world.there)

    assert "what its tasks have written are here" in project.call("takeover", RUN, code=1).err

    project.call("fetch", "--to", "got", code=1)
    assert (project.folder / "got" / "a" / "d" / "x").read_text() == "a\n"
    assert [each for each in world.shelf.rglob("*") if each.is_file()] == []


def test_a_run_that_goes_on_after_it_was_left_is_left_anew(world: World) -> None:
    world.begin(RENTED, WORKFLOW.replace('"false"', '"test -e $HOME/go"'))
    world.until_all_is_done()
    Path(world.project.env["HOME"], "go").touch()

    world.project.call("away", "resume", RUN, "--retry", cwd=world.there)
    world.until_all_is_done()
    world.lose_the_machine()

    assert world.project.call("status", "--json").json["state"] == "succeeded"


_FILLING = """
name = "pv"

[tasks.fill]
command = "until test -e $HOME/gate; do sleep 0.02; done; cat /dev/zero > $BALLAST; echo x >> $HOME/fill"
env = {{ BALLAST = "{ballast}" }}

[tasks.next]
command = "echo x >> $HOME/next"
after = ["fill"]
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_stops_a_controller_in_words_harms_no_record_and_the_run_goes_on_when_there_is_room(
    world: World,
) -> None:
    home, ballast = Path(world.project.env["HOME"]), world.there / "ballast"
    log = world.mark.with_suffix(".log")
    world.there.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", world.there], check=True)
    try:
        world.begin(None, _FILLING.format(ballast=ballast))
        wait_until(lambda: bool(log.read_text()), "the controller's first words")
        (home / "gate").touch()
        wait_until(lambda: "no room left on the disk" in log.read_text(), "the controller's complaint")
        os.kill(
            int(log.with_suffix(".lock").read_text().split()[0]), signal.SIGTERM
        )  # or it is started again and again
        world.until_all_is_done()

        assert "its controller has ended: no room left" in world.project.call("status", cwd=world.there).out
        with closing(sqlite3.connect(world.there / ".longshore" / "runs" / RUN / "run.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

        ballast.unlink()
        world.project.call("away", "resume", RUN, "--retry", cwd=world.there)
        world.until_all_is_done()
        assert world.project.call("status", "--json", cwd=world.there).json["state"] == "succeeded"
        assert [(home / name).read_text() for name in ("fill", "next")] == ["x\n", "x\n"]
    finally:
        subprocess.run(["umount", "-l", world.there], check=True)
