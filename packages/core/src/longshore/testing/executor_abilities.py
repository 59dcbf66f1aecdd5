"""The laws of what sessions may be able to do besides executing attempts; part of `ExecutorContract`."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol, cast

import pytest

from longshore.errors import InputMissing, PeerOutOfReach
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.model.environment import BuildSpec, EnvironmentSpec, Script
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.load import MachineLoad
from longshore.model.outcome import Exited, FailureClass, Lost
from longshore.plugin.abilities import Builds, Clears, Measures, Peers, Surveys, Together
from longshore.plugin.protocols import Session
from longshore.remote.store import has_object
from longshore.testing.contract import Contract
from longshore.testing.executor_bench import ExecutorBench

__all__ = ["SessionAbilityLaws"]

_UNABLE = ("needs python3", "from its image alone")
"""What machines say that execute no scripts of environments."""
_EVERY = timedelta(milliseconds=100)


class SessionAbilityLaws(Contract):
    """Each law is skipped where the sessions do not have its ability."""

    # --- Builds

    def test_Builds_programs_of_an_environment_are_found_first(
        self, bench: ExecutorBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Builds: its scripts are executed, and an attempt that names its key finds its programs in its ``PATH``."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        folder = "$LONGSHORE_ENVIRONMENT/bin"
        tool = f"printf '#!/bin/sh\\necho built\\n' > {folder}/cat; chmod 755 {folder}/cat"
        built = _built(bench, 1, f"mkdir -p {folder}\n{tool}")

        ended = bench.execute("a", Shell("cat /dev/null"), environment=built.key)

        assert (ended.outcome, bench.log("a")) == (Exited(0), "built\n")

    def test_Builds_equal_content_is_built_once(
        self, bench: ExecutorBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Builds: asked for again, also by another name, an environment is there already; and it has the same key."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        script = f"mkdir -p {bench.scratch}; echo x >> {bench.scratch}/builds"

        first, second = _built(bench, 1, script), _built(bench, 1, script, name="other")

        assert bench.output(f"cat {bench.scratch}/builds") == "x\n", "it was built again"
        assert (first.reused, second.reused) == (False, True)
        assert first.key == second.key

    def test_Builds_what_fails_is_told_with_its_line_and_is_not_there(
        self, bench: ExecutorBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Builds: the end of a failed build says which line it was; what is half built is built anew, not used."""
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        script = f"mkdir -p {bench.scratch}; echo x >> {bench.scratch}/tries\nfalse not-there\necho after"

        for number in (1, 2):
            failed = _build(bench, number, script)
            assert isinstance(failed, EnvironmentFailed), failed
            assert failed.failure is FailureClass.ENVIRONMENT
            assert "false not-there" in failed.evidence
        assert bench.output(f"cat {bench.scratch}/tries") == "x\nx\n", "what was half built was taken for whole"

    # --- Measures

    def test_Measures_the_machine_and_what_runs_there(self, bench: ExecutorBench) -> None:
        """Measures: what an attempt's processes use is told again and again, and what the machine has."""
        session, loads = _measures(bench)
        bench.waiting("a", "while :; do :; done &")
        session.measure(_EVERY, loads.put)

        def busy(load: MachineLoad) -> bool:
            return any(each.attempt == "r/a/1" and (each.cpus or 0) > 0 for each in load.attempts)

        load = _wait(bench, loads, busy)

        (attempt,) = load.attempts
        assert load.machine == bench.machine.id
        assert load.memory is not None
        assert load.disk is not None
        assert 0 < load.memory.bytes <= load.memory.of
        assert 0 < (attempt.memory_bytes or 0) <= load.memory.of
        assert (load.cpus or 0) > 0
        bench.open_gate()
        bench.ended("a")
        _wait(bench, loads, lambda load: not load.attempts)

    def test_Measures_no_more_when_nobody_looks(self, bench: ExecutorBench) -> None:
        """Measures: with an interval of 0 nothing more is told; asked for again it goes on."""
        session, loads = _measures(bench)
        session.measure(_EVERY, loads.put)
        _wait(bench, loads, lambda _: True)

        session.measure(timedelta(0), loads.put)
        bench.output("sleep 0.5")  # what is on its way arrives before the end of this
        before = loads.qsize()
        bench.output("sleep 0.5")
        assert loads.qsize() == before

        session.measure(_EVERY, loads.put)
        while not loads.empty():
            loads.get_nowait()
        _wait(bench, loads, lambda _: True)

    def test_Measures_on_after_the_link_has_dropped(self, bench: ExecutorBench) -> None:
        """Measures: a link that is made anew goes on telling."""
        cut = bench.cut or pytest.skip("the bench cannot cut the link")
        session, loads = _measures(bench)
        session.measure(_EVERY, loads.put)
        _wait(bench, loads, lambda _: True)

        cut()
        bench.output("true")
        while not loads.empty():
            loads.get_nowait()

        _wait(bench, loads, lambda _: True)

    # --- Peers

    def test_Peers_data_come_from_another_machine_and_are_not_kept_here(self, bench: ExecutorBench) -> None:
        """Peers: files and folders are pulled whole from the machine that wrote them, and not into our store."""
        target, source = _peers(bench)
        wrote = bench.execute("a", Shell("mkdir -p d/e; echo x > d/e/f; echo y > o"), outputs=("o", "d/")).outputs

        target.pull(wrote, source)

        kept = [each.path for each in wrote if has_object(str(bench.store), each.sha256)]
        assert kept == [], "they came by way of our store"
        bench.turn_to(target)
        try:
            bench.execute("b", Shell("cat o d/e/f"), inputs=[_item(each) for each in wrote])
        except InputMissing as error:
            raise AssertionError("they have not arrived") from error
        assert bench.log("b") == "y\nx\n"

    def test_Peers_what_is_there_does_not_travel_again(self, bench: ExecutorBench) -> None:
        """Peers: what a machine has it does not ask another one for, which may have it no more."""
        target, source = _peers(bench)
        wrote = bench.execute("a", Shell("echo x > o"), outputs=("o",)).outputs
        target.pull(wrote, source)

        source.release("r/a/1")
        source.discard([each.sha256 for each in wrote])

        target.pull(wrote, source)

    def test_Peers_what_the_other_machine_does_not_have_is_named(self, bench: ExecutorBench) -> None:
        """Peers: what is not there is told by its path, each time it is asked for."""
        target, source = _peers(bench)
        gone = Artifact(path="gone.txt", sha256="0" * 64, size=3, mode=0o644, kind="file")

        for _ in range(2):
            with pytest.raises(InputMissing, match=r"gone\.txt"):
                target.pull([gone], source)

    def test_Peers_a_session_of_another_kind_is_out_of_reach(self, bench: ExecutorBench) -> None:
        """Peers: from a machine of an executor that is not known there is no way, and the session goes on."""
        target, _ = _peers(bench)
        here = Artifact(path="o", sha256="0" * 64, size=3, mode=0o644, kind="file")

        with pytest.raises(PeerOutOfReach):
            target.pull([here], cast("Session", object()))

        bench.turn_to(target)
        assert bench.output("echo still here") == "still here\n"

    # --- Clears and Together

    def test_Clears_nothing_of_the_run_is_left(self, bench: ExecutorBench) -> None:
        """Of a session that clears: after `Clears.clear` and `Session.close` the machine knows nothing of the run."""
        session = bench.session
        if not isinstance(session, Clears):
            pytest.skip("its sessions do not have the ability `Clears`")
        ended = bench.execute("a", Shell("echo x > o.txt"), outputs=("o.txt",))

        session.clear()
        session.close()

        bench.open(fence=2).adopt(["r/a/1"])
        assert bench.ended("a", 2).outcome == Lost("never started")
        if bench.machine.store != "":
            with pytest.raises(InputMissing):
                bench.session.get(ended.outputs)

    def test_Together_nothing_is_held_back_for_ever(self, bench: ExecutorBench) -> None:
        """Of a session that sends in one piece: all that is said within the block happens after it."""
        session = bench.session
        if not isinstance(session, Together):
            pytest.skip("its sessions do not have the ability `Together`")

        with session.together():
            for number in range(10):
                bench.go(f"t{number}", Shell(f"exit {number}"))

        assert [bench.ended(f"t{number}").outcome for number in range(10)] == [Exited(n) for n in range(10)]

    # --- Surveys

    def test_Surveys_all_that_was_not_released_is_named(self, bench: ExecutorBench) -> None:
        """Of a session that surveys: `Surveys.survey` names what runs, waits and has ended, and nothing else."""
        session = bench.session
        if not isinstance(session, Surveys):
            pytest.skip("its sessions do not have the ability `Surveys`")
        bench.execute("gone", Shell("true"))
        bench.execute("over", Shell("exit 3"))
        session.release("r/gone/1")
        running = bench.waiting("on")
        waiting = bench.go("later", Shell("true"), needs=bench.machine.resources)

        assert session.survey() == {"r/over/1": True, running: False, waiting: False}


def _build(bench: ExecutorBench, number: int, script: str, name: str = "env") -> EnvironmentBuilt | EnvironmentFailed:
    session = bench.session
    if not isinstance(session, Builds):
        pytest.skip("its sessions do not have the ability `Builds`")
    spec = EnvironmentSpec(name=name, before=Script(name="before", text=script))
    ended = bench.build(BuildSpec(id=f"r/+{name}/{number}", environment=spec))
    if isinstance(ended, EnvironmentFailed) and any(words in ended.evidence for words in _UNABLE):
        pytest.skip("its machine has not what a build needs")
    return ended


def _built(bench: ExecutorBench, number: int, script: str, name: str = "env") -> EnvironmentBuilt:
    ended = _build(bench, number, script, name)
    assert isinstance(ended, EnvironmentBuilt), ended
    return ended


class _Peer(Peers, Session, Protocol):
    """A session that gets data from others."""


def _peers(bench: ExecutorBench) -> tuple[_Peer, Session]:
    """Give the session, and one with another machine, which is the bench's from now on."""
    session = bench.session
    if not isinstance(session, Peers):
        pytest.skip("its sessions do not have the ability `Peers`")
    make = bench.peer or pytest.skip("the bench has no other machine")
    return cast("_Peer", session), bench.open(machine=make())


def _item(artifact: Artifact) -> Item:
    return Item(path=artifact.path, sha256=artifact.sha256, size=artifact.size, mode=artifact.mode, kind=artifact.kind)


def _measures(bench: ExecutorBench) -> tuple[Measures, queue.SimpleQueue[MachineLoad]]:
    session = bench.session
    if not isinstance(session, Measures):
        pytest.skip("its sessions do not have the ability `Measures`")
    return session, queue.SimpleQueue()


def _wait(
    bench: ExecutorBench, loads: queue.SimpleQueue[MachineLoad], wanted: Callable[[MachineLoad], bool]
) -> MachineLoad:
    """Wait until what is wanted is told."""
    deadline = time.monotonic() + bench.seconds
    last: MachineLoad | None = None
    while last is None or not wanted(last):
        assert time.monotonic() < deadline, f"no such load is told; the last one is {last}"
        try:
            last = loads.get(timeout=bench.seconds)
        except queue.Empty:
            raise AssertionError(f"no load is told; the last one was {last}") from None
    return last
