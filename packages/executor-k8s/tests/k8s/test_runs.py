"""Whole runs in pods of both kinds, by the command."""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from .clusters import IMAGE, Cluster
from .objects import Refusal
from .project import SECONDS, Project, until
from .standin import StandIn

CUTS = 5


@pytest.fixture(params=["workers = 2", ""], ids=["workers", "pods"])
def project(tmp_path: Path, cluster: Cluster, request: pytest.FixtureRequest) -> Project:
    return Project(tmp_path, cluster, request.param)


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        ("workers = 2", {}),
        ("", {}),
        ('kind = "job"', {}),
        ('namespace = "per-run"\nworkers = 1', {}),
        ('namespace = "per-run"', {"hostname": "tasks"}),
    ],
    ids=["workers", "pods", "jobs", "workers per run", "pods per run"],
)
def test_the_diamond_runs_and_leaves_nothing(
    cluster: Cluster, tmp_path: Path, options: str, spec: Mapping[str, str]
) -> None:
    project = Project(tmp_path, cluster, options, spec=spec)

    project.say("run")

    [result] = project.folder.glob("results/latest/D/d.txt")
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.count() == dict.fromkeys("ABCD", 1)
    until(lambda: not any(map(cluster.all, ("pods", "jobs", "leases", "namespaces"))))


@pytest.mark.parametrize("options", ["workers = 2", ""], ids=["workers", "pods"])
def test_a_run_in_which_all_is_up_to_date_leaves_nothing(cluster: Cluster, tmp_path: Path, options: str) -> None:
    task = '[tasks.A]\ncommand = "echo x >> {counts}/A; echo made > a.txt"\noutputs = ["a.txt"]\n'
    project = Project(tmp_path, cluster, options, task)
    project.say("run")

    project.say("run")

    assert project.count() == {"A": 1}
    until(lambda: not any(map(cluster.all, ("pods", "leases"))))


@pytest.mark.parametrize("options", ["workers = 1", ""], ids=["worker", "pod"])
def test_a_python_call_is_made_by_the_python_of_the_image(standin: StandIn, tmp_path: Path, options: str) -> None:
    task = '[tasks.where]\ncall = "model:where"\noutputs = ["place.txt"]\n'
    project = Project(tmp_path, standin, options, task)
    path = project.folder / "longshore.toml"
    path.write_text(path.read_text().replace(f'image = "{IMAGE}"', 'image = "python:3"'))
    (project.folder / "model.py").write_text("import os\ndef where():\n    open('place.txt', 'w').write(os.getcwd())\n")

    project.say("run")

    [result] = project.folder.glob("results/latest/where/place.txt")
    assert result.read_text().startswith("/tmp/longshore/run/work/")


def test_a_python_call_says_that_its_image_has_no_python(standin: StandIn, tmp_path: Path) -> None:
    project = Project(tmp_path, standin, "", '[tasks.where]\ncall = "model:where"\n')
    (project.folder / "model.py").write_text("def where():\n    return 1\n")

    with project.begin("run") as process:
        said, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 1
    assert "needs python3 (3.8 or later)" in said


@pytest.mark.parametrize("seed", range(int(os.environ.get("LONGSHORE_CHAOS_SEEDS", "1"))))
def test_a_controller_that_is_killed_at_any_moment_is_taken_over_and_nothing_runs_twice(
    project: Project, seed: int
) -> None:
    dice = random.Random(seed)
    words = ["run"]
    for _ in range(4):
        with project.begin(*words) as controller:
            try:
                controller.communicate(timeout=dice.uniform(0.3, 2.0))
            except subprocess.TimeoutExpired:
                controller.kill()
        if list(project.folder.glob(".longshore/runs/*/run.db")):
            words = ["resume"]

    if words == ["run"] or json.loads(project.say("status", "--json"))["state"] != "succeeded":
        project.say(*words)

    [result] = [path for path in project.folder.glob("results/*/D/d.txt") if "latest" not in path.parts]
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.count() == dict.fromkeys("ABCD", 1)


def test_streams_that_are_cut_all_the_time_hinder_nothing(cluster: Cluster, project: Project) -> None:
    over = threading.Event()

    def cut() -> None:
        """Cut all streams whenever another one was opened."""
        for opened in range(1, CUTS + 1):
            until(lambda opened=opened: over.is_set() or cluster.streams >= opened)  # type: ignore[misc]
            cluster.cut()

    vandal = threading.Thread(target=cut)
    vandal.start()
    try:
        project.say("run")
    finally:
        over.set()
        vandal.join()

    assert project.count() == dict.fromkeys("ABCD", 1)


def test_pods_that_are_evicted_are_replaced_and_the_run_goes_on(standin: StandIn, project: Project) -> None:
    project.shared.touch("wait")
    text = (project.folder / "longshore.toml").read_text()
    waits = f"until [ ! -e {project.shared.path}/wait ]; do sleep 0.05; done"
    (project.folder / "longshore.toml").write_text(text.replace("sleep 0.5", waits))

    with project.begin("run") as controller:
        until(lambda: {"B", "C"} <= project.count().keys())
        for pod in standin.all("pods"):
            with suppress(Refusal):  # that of A may have gone
                standin.evict(pod["metadata"]["name"])
        project.shared.remove("wait")
        said, _ = controller.communicate(timeout=SECONDS)

    assert controller.returncode == 0, said
    [result] = project.folder.glob("results/latest/D/d.txt")
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.count()["D"] == 1
