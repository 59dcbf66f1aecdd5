"""Hosts in trouble: links that are cut, machines that go with what only they had, controllers that are killed."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TypeVar

import pytest

from longshore import Run
from longshore.errors import MachineUnreachable
from longshore.model.events import AttemptEnded, AttemptIntended, MachineGone, TasksIdentified
from longshore.model.move_events import InputsStaged, Moved, ObjectsDiscarded
from longshore.model.outcome import FailureClass
from longshore.scheduler.state import TaskPhase

from .rig import DIAMOND, Rig

E = TypeVar("E")

PAIR = """
name = "pair"
{near}
{far}
[tasks.a]
command = "echo x >> {world}/a; echo one > a.txt; {a}"
pool = "near"
[tasks.b]
command = "echo x >> {world}/b; sed s/one/two/ workflow:///a/a.txt > b.txt; {b}"
pool = "far"
outputs = ["b.txt"]
"""


def pair(rig: Rig, *, a: str = "true", b: str = "true", reconnect: float = 10) -> str:
    near = rig.pool("h1", name="near", reconnect=reconnect)
    far = rig.pool("h2", name="far", reconnect=reconnect)
    return PAIR.format(near=near, far=far, world=rig.world, a=a, b=b)


def counted(rig: Rig, task: str) -> int:
    return len((rig.world / task).read_text().splitlines())


def seen(rig: Rig, run: Run, kind: type[E], **fields: object) -> list[E]:
    return [
        event
        for event in rig.events(run.id)
        if isinstance(event, kind) and all(getattr(event, key) == value for key, value in fields.items())
    ]


def test_a_link_that_is_cut_while_inputs_travel_is_not_noticed(rig: Rig) -> None:
    with rig.start(pair(rig, a=f"touch {rig.world}/h2/cut")) as run:
        rig.until(lambda: seen(rig, run, AttemptIntended, task="b"), "the staging of b")
        assert {task.id: task.phase for task in run.tasks()}["b"] == TaskPhase.STAGING
        rig.hosts["h2"].mend()
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert (counted(rig, "a"), counted(rig, "b")) == (1, 1)
    assert seen(rig, run, InputsStaged) != []


def test_a_link_that_is_cut_while_outputs_travel_is_not_noticed(rig: Rig) -> None:
    with rig.start(pair(rig, b=f"touch {rig.world}/h2/cut")) as run:
        rig.until(lambda: seen(rig, run, AttemptEnded, task="b"), "the end of b")
        assert not rig.result(run, "b/b.txt").exists()
        rig.hosts["h2"].mend()
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert rig.result(run, "b/b.txt").read_text() == "two\n"
    assert counted(rig, "b") == 1


def test_inputs_that_do_not_get_through_are_tried_again_as_a_lost_machine(rig: Rig) -> None:
    with rig.start(pair(rig, a=f"touch {rig.world}/h2/cut", reconnect=0.2)) as run:
        rig.until(lambda: seen(rig, run, AttemptEnded, task="b", failure=FailureClass.MACHINE_LOST), "a failed staging")
        rig.hosts["h2"].mend()
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert (counted(rig, "a"), counted(rig, "b")) == (1, 1)


def test_a_staging_that_is_cancelled_starts_nothing(rig: Rig) -> None:
    with rig.start(pair(rig, a=f"touch {rig.world}/h2/cut")) as run:
        rig.until(lambda: seen(rig, run, AttemptIntended, task="b"), "the staging of b")
        run.cancel("b")
        rig.until(lambda: seen(rig, run, AttemptEnded, task="b"), "the end of b")
        rig.hosts["h2"].mend()
        run.wait(timeout=120)

    assert {task.id: task.phase for task in run.tasks()} == {"a": "succeeded", "b": "cancelled"}
    assert not (rig.world / "b").exists()


GATED = """
name = "gated"
{pools}
[tasks.a]
command = "echo x >> {world}/a; echo one > a.txt"
pool = "near"
[tasks.gate]
command = "until test -e {world}/gate; do sleep 0.01; done"
pool = "far"
[tasks.b]
command = "cat workflow:///a/a.txt > b.txt"
outputs = ["b.txt"]
after = ["gate"]
pool = "far"
"""


def test_what_was_lost_with_its_machine_is_made_again_and_the_reason_is_told(rig: Rig) -> None:
    pools = rig.pool("h1", "h3", name="near", reconnect=0.2, orphan="2 s") + rig.pool("h2", name="far")
    with rig.start(GATED.format(pools=pools, world=rig.world)) as run:
        rig.until(lambda: seen(rig, run, AttemptEnded, task="a"), "the end of a")
        [first] = seen(rig, run, AttemptIntended, task="a")
        host = rig.hosts[first.machine]
        host.cut()
        host.crash(run.id)
        rig.until(lambda: seen(rig, run, MachineGone), "the loss of the machine")
        shutil.rmtree(host.store(run.id))
        rig.until(lambda: len(seen(rig, run, AttemptEnded, task="a")) == 2, "the second run of a")
        (rig.world / "gate").touch()
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert rig.result(run, "b/b.txt").read_text() == "one\n"
    looked = [each for event in seen(rig, run, TasksIdentified) for each in event.items if each.task == "a"]
    assert looked[-1].reason.startswith(f"its outputs were lost with {first.machine}: ")


def test_what_a_host_has_lost_by_itself_is_made_again(rig: Rig) -> None:
    pools = rig.pool("h1", name="near") + rig.pool("h2", name="far")
    with rig.start(GATED.format(pools=pools, world=rig.world)) as run:
        rig.until(lambda: seen(rig, run, AttemptEnded, task="a"), "the end of a")
        shutil.rmtree(rig.hosts["h1"].store(run.id) / "objects")
        (rig.world / "gate").touch()
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert counted(rig, "a") == 2
    assert rig.result(run, "b/b.txt").read_text() == "one\n"


def test_what_failed_tasks_would_have_read_is_not_lost_with_the_run(rig: Rig) -> None:
    first = rig.play(pair(rig, b="exit 3"))
    assert first.state == "failed"

    again = rig.play(pair(rig))

    assert again.state == "succeeded"
    assert {task.id: task.phase for task in again.tasks()} == {"a": "up to date", "b": "succeeded"}
    assert counted(rig, "a") == 1


def test_nothing_of_a_run_that_has_ended_is_left_on_its_hosts(rig: Rig) -> None:
    run = rig.play(pair(rig))

    assert run.state == "succeeded"
    left = [path for host in rig.hosts.values() for path in (host.folder / "runs").iterdir()]
    assert left == []


def test_what_nobody_reads_any_more_goes_from_its_host_while_the_run_goes_on(rig: Rig) -> None:
    pools = rig.pool("h1", name="near") + rig.pool("h2", name="far")
    text = f"""
name = "long"
{pools}
[tasks.a]
command = "seq 1000 > a.txt"
pool = "near"
[tasks.b]
command = "wc -l < workflow:///a/a.txt > b.txt"
pool = "near"
outputs = ["b.txt"]
[tasks.gate]
command = "cat workflow:///b/b.txt; until test -e {rig.world}/gate; do sleep 0.01; done"
pool = "far"
"""

    def objects(run: Run) -> list[Path]:
        return list((rig.hosts["h1"].store(run.id) / "objects").glob("*/*"))

    with rig.start(text) as run:
        rig.until(lambda: seen(rig, run, ObjectsDiscarded), "the discarding")
        rig.until(lambda: len(objects(run)) <= 1, "the removal")
        (rig.world / "gate").touch()
        run.wait(timeout=120)

    assert run.state == "succeeded"
    moved = Counter(each.sha256 for event in seen(rig, run, Moved) for each in event.artifacts)
    assert set(moved.values()) == {1}


def test_a_run_goes_on_without_a_host_that_cannot_be_reached(rig: Rig) -> None:
    text = DIAMOND.format(pool=rig.pool("h1", "h2"))
    rig.hosts["h2"].cut()

    run = rig.play(text)

    assert run.state == "succeeded"
    assert [event.machine for event in seen(rig, run, MachineGone)] == ["h2"]


def test_a_run_without_any_host_that_can_be_reached_stops_in_words(rig: Rig) -> None:
    text = DIAMOND.format(pool=rig.pool("h1", "h2"))
    for host in rig.hosts.values():
        host.cut()

    with pytest.raises(MachineUnreachable, match="does not answer"):
        rig.play(text)
