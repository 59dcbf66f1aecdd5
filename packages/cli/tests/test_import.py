"""A published workflow becomes one of ours, with stand-ins that take its time and write its sizes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .harness import Project


def document() -> dict[str, Any]:
    """A split of a file, two halves worked on, and a report that only waits for one of them."""
    tasks = [
        {"id": "split#1", "parents": [], "children": [], "inputFiles": ["raw"], "outputFiles": ["a", "b"]},
        {"id": "work 1", "parents": ["split#1"], "inputFiles": ["a", "options"], "outputFiles": ["done"]},
        {"id": "work_1", "parents": ["split#1"], "inputFiles": ["b"], "outputFiles": ["done"]},
        {"id": "report", "parents": ["work 1", "work_1"], "inputFiles": ["done"], "outputFiles": []},
    ]
    files = [
        {"id": name, "sizeInBytes": size}
        for name, size in {"raw": 300_000, "a": 100_000, "b": 200_001, "done": 7, "options": 0}.items()
    ]
    execution = [
        {"id": "split#1", "runtimeInSeconds": 5, "coreCount": 1},
        {"id": "work 1", "runtimeInSeconds": 100.5, "coreCount": 2},
        {"id": "work_1", "runtimeInSeconds": 60},
    ]
    return {
        "name": "two halves",
        "schemaVersion": "1.5",
        "workflow": {"specification": {"tasks": tasks, "files": files}, "execution": {"tasks": execution}},
    }


def test_a_published_workflow_is_simulated_at_its_recorded_lengths(project: Project) -> None:
    project.write(json.dumps(document()), "halves.json")

    project.call("import", "wfformat", "halves.json", "--to", "halves")
    words = ("plan", "halves", "--durations", "halves/durations.csv", "--machine", "cpus = 4", "--json")
    (played,) = project.call(*words).json["strategies"]

    assert (played["attempts"], played["seconds"]) == (4, 105.5)


def test_its_stand_ins_run_and_write_files_of_the_recorded_sizes(project: Project) -> None:
    project.write(json.dumps(document()), "halves.json")
    project.call("import", "wfformat", "halves.json", "--scale", "0.0001", "--compute")

    document_of_run = project.call("run", "--json").json

    assert (document_of_run["state"], document_of_run["tasks"]) == ("succeeded", 4)
    kept = (project.folder / ".longshore" / "cache" / "objects").rglob("*")
    assert {7, 100_000, 200_001} <= {path.stat().st_size for path in kept if path.is_file()}
    assert (project.folder / "inputs" / "raw").stat().st_size == 300_000


def test_nothing_is_overwritten(project: Project) -> None:
    project.write(json.dumps(document()), "halves.json")
    mine = project.write("mine", "durations.csv")

    answer = project.call("import", "wfformat", "halves.json", code=2)

    assert "durations.csv exists already" in answer.err
    assert mine.read_text() == "mine"
    assert not (project.folder / "longshore.toml").exists()


def changed(**parts: Any) -> str:
    made = document()
    made["workflow"]["specification"].update(parts)
    return json.dumps(made)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "this is not JSON"),
        ("[]", "no workflow.specification"),
        ('{"workflow": {"tasks": []}}', "no workflow.specification"),
        (changed(tasks=[]), "there are no tasks"),
        (changed(tasks={}), "a list is needed here"),
        (changed(tasks=[{"id": "a"}, {"id": "a"}]), "'a' is there twice"),
        (changed(tasks=[{"name": "a"}]), "an object with an id"),
        (changed(tasks=[{"id": "a", "parents": ["b"]}]), "there is no task 'b' to wait for"),
        (changed(tasks=[{"id": "a", "inputFiles": [4]}]), "a list of names"),
        (changed(files=[{"id": "a", "sizeInBytes": -1}]), "-1 is no amount"),
        (changed(files=[{"id": "a", "sizeInBytes": "1"}]), "a number is needed"),
        (changed(tasks=[{"id": "a", "parents": ["b"]}, {"id": "b", "parents": ["a"]}]), "wait for each other"),
    ],
)
def test_what_is_no_published_workflow_is_refused_and_leaves_nothing_behind(
    project: Project, text: str, says: str
) -> None:
    project.write(text, "bad.json")

    answer = project.call("import", "wfformat", "bad.json", "--to", "new", code=2)

    assert says in answer.err
    assert "Traceback" not in answer.err
    assert not [path for path in project.folder.rglob("*") if path.is_file() and path.name != "bad.json"]


def test_hostile_names_stay_within_the_folder(project: Project) -> None:
    tasks = [
        {"id": "../../up", "inputFiles": ["/etc/passwd", "../x"], "outputFiles": ['a"b\n$(touch pwned)']},
        {"id": "-rf", "parents": ["../../up"], "inputFiles": ['a"b\n$(touch pwned)'], "outputFiles": ["in/x"]},
    ]
    project.write(changed(tasks=tasks), "evil.json")

    project.call("import", "wfformat", "evil.json", "--to", "new", "--scale", "0")
    project.call("run", "new/longshore.toml")

    assert sorted(path.name for path in (project.folder / "new" / "inputs").iterdir()) == ["_etc_passwd", "_x"]
    assert not list(project.folder.rglob("pwned"))
