"""Runs as OpenLineage has them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from longshore import Workflow
from longshore.errors import ObserverError
from longshore_openlineage.config import OpenLineageConfig
from longshore_openlineage.observer import OpenLineage

from .collector import Collector, collecting

_ABOUT = {"run": "20260314-092653-0042", "workflow": "w", "folder": "/"}


def _workflow(collector: Collector) -> Workflow:
    workflow = Workflow("w", observers={"openlineage": {"url": collector.address}})
    cut = "cat words.txt > cut-1.txt"
    workflow.shell("cut", cut, for_each={"n": ["a", "b/c"]}, inputs=["words.txt"], outputs=["cut-*.txt"])
    workflow.shell("one", "echo yes > out.txt", outputs=["out.txt"])
    workflow.shell("join", "cat workflow:///cut/*/cut-1.txt workflow:///one/out.txt > all.txt", outputs=["all.txt"])
    return workflow


def test_a_run_and_its_attempts_begin_and_complete_and_the_run_is_the_parent(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("word\n")
    with collecting() as collector:
        assert _workflow(collector).run(tmp_path).state == "succeeded"

    begun, done = collector.of("w", "START"), collector.of("w", "COMPLETE")
    assert begun["run"]["runId"] == done["run"]["runId"]
    assert collector.events[0] == begun
    assert collector.events[-1] == done
    told = [(each["job"]["name"], each["eventType"]) for each in collector.events[1:-1]]
    assert sorted(told) == sorted(
        (f"w.{task}", kind) for task in ("cut", "cut", "one", "join") for kind in ("START", "COMPLETE")
    )
    assert {each["run"]["facets"]["parent"]["run"]["runId"] for each in collector.events[1:-1]} == {
        begun["run"]["runId"]
    }


def test_what_a_task_reads_is_called_as_who_wrote_it_calls_it_and_has_the_same_version(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("word\n")
    with collecting() as collector:
        assert _workflow(collector).run(tmp_path).state == "succeeded"

    written = {
        (each["namespace"], each["name"], each["facets"]["version"]["datasetVersion"])
        for event in collector.events
        if event["eventType"] == "COMPLETE" and event["job"]["name"] in {"w.cut", "w.one"}
        for each in event["outputs"]
    }
    read = collector.of("w.join", "COMPLETE")["inputs"]
    assert len(written) == 3
    assert {(each["namespace"], each["name"], each["facets"]["version"]["datasetVersion"]) for each in read} == written


def test_a_file_of_the_project_is_called_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("word\n")
    with collecting() as collector:
        _workflow(collector).run(tmp_path)

    for event in collector.events:
        if event["job"]["name"] == "w.cut":
            [read] = event["inputs"]
            assert (read["namespace"], read["name"]) == ("file", str(tmp_path / "words.txt"))
            assert read["facets"]["version"]["datasetVersion"] == hashlib.sha256(b"word\n").hexdigest()


def test_a_failure_tells_its_class_and_nothing_that_the_command_has_said(tmp_path: Path) -> None:
    with collecting() as collector:
        workflow = Workflow("w", observers={"openlineage": {"url": collector.address}})
        workflow.shell("bad", "echo hunter2 >&2; exit 3")
        assert workflow.run(tmp_path).state == "failed"

    facets = collector.of("w.bad", "FAIL")["run"]["facets"]
    assert facets["errorMessage"]["message"] == "user code: exit code 3"
    assert collector.of("w", "FAIL")
    assert "hunter2" not in str(collector.events)


def test_the_key_is_sent_and_its_variable_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAGE_KEY", "k3y")
    with collecting() as collector:
        options = {"url": collector.address, "api_key_env": "LINEAGE_KEY"}
        workflow = Workflow("w", observers={"openlineage": options})
        workflow.shell("good", "true")
        workflow.run(tmp_path)

    assert collector.keys == {"Bearer k3y"}
    with pytest.raises(ObserverError, match="NO_SUCH_KEY is not set"):
        OpenLineage(OpenLineageConfig(url=collector.address, api_key_env="NO_SUCH_KEY"), _ABOUT)


def test_nowhere_to_tell_is_refused_with_the_remedy() -> None:
    with pytest.raises(ObserverError, match="OPENLINEAGE_URL"):
        OpenLineage(OpenLineageConfig(), _ABOUT)


def test_a_run_is_not_harmed_when_nobody_takes_what_is_told(tmp_path: Path) -> None:
    workflow = Workflow("w", observers={"openlineage": {"url": "http://127.0.0.1:9"}})
    workflow.shell("good", "true")
    assert workflow.run(tmp_path).state == "succeeded"
