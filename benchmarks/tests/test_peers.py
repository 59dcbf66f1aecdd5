"""Each peer that is installed runs what it is said to run; `python benchmarks/run.py` installs those that are not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench import Bench
from environments import Environments
from figures import Contestant
from measure import execute
from peers import PEERS, Peer
from scenarios.base import Contender, invocation_of, peers_for
from shapes import Graph, chain, fan, layered, written_fan

BUILD = Path(__file__).resolve().parents[2] / "build" / "bench"
SECONDS = 120


def programs_of(peer: Peer) -> Path | None:
    if not peer.requirements:
        if shutil.which(peer.name) is None:
            pytest.skip(f"{peer.name} is not on this computer")
        return None
    environment = BUILD / (peer.environment or peer.name)
    if not (environment / "installed-for.txt").exists():
        pytest.skip(f"{peer.name} is not installed in {environment}")
    return environment / "bin"


def recorded(graph: Graph, folder: Path) -> Graph:
    """Give the graph with a program that writes down for which job it was executed."""
    script = folder / "record.sh"
    script.write_text(f"#!/bin/sh\necho $1 >> {folder}/started.txt\n")
    script.chmod(0o755)
    return Graph(jobs=graph.jobs, program=f"{script} {{name}}")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_executes_every_job_once_and_after_those_it_waits_for(peer: Peer, tmp_path: Path) -> None:
    graph = recorded(layered(12, width=4) if peer.keeps_edges else fan(12), tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    programs = programs_of(peer)
    execute(invocation_of(peer.lay_out(graph, work), programs, work))
    started = (tmp_path / "started.txt").read_text().split()
    assert sorted(started) == sorted(job.name for job in graph.jobs)
    place = {name: number for number, name in enumerate(started)}
    assert all(place[above] < place[job.name] for job in graph.jobs for above in job.after)


@pytest.mark.parametrize("peer", [peer for peer in PEERS if peer.sees_files], ids=lambda peer: peer.name)
def test_a_peer_that_sees_files_does_not_write_them_again(peer: Peer, tmp_path: Path) -> None:
    graph = written_fan(3)
    command = invocation_of(peer.lay_out(graph, tmp_path), programs_of(peer), tmp_path)
    files = [tmp_path / graph.file_of(job.name) for job in graph.jobs]
    execute(command)
    written = [file.stat().st_mtime_ns for file in files]
    execute(command)
    assert [file.stat().st_mtime_ns for file in files] == written


@pytest.mark.parametrize(
    ("name", "graph", "objection"),
    [
        ("xargs", chain(2), "has no graph"),
        ("xargs", written_fan(2), "does not see what is up to date"),
        ("luigi", fan(1_001), "left out above 1,000 tasks: too slow to wait for"),
        ("luigi", fan(1_000), None),
    ],
)
def test_a_peer_is_left_out_of_what_it_cannot_do(name: str, graph: Graph, objection: str | None) -> None:
    [peer] = [peer for peer in PEERS if peer.name == name]
    assert peer.objection(graph) == objection


def test_a_peer_that_does_not_install_is_shown_with_the_reason(tmp_path: Path) -> None:
    [make] = [peer for peer in PEERS if peer.name == "make"]
    broken = Peer(name="broken", label="broken", requirements=("./nowhere",), lay_out=make.lay_out)
    bench = Bench(checkout=tmp_path, build=tmp_path, environments=Environments(tmp_path), peers=(broken, make))
    [first, second] = peers_for(bench, fan(1))
    assert isinstance(first, Contestant)
    assert first.reason.startswith("did not install")
    assert isinstance(second, Contender) == (shutil.which("make") is not None)
