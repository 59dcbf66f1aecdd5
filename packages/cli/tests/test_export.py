"""A run in the formats of others: what is written is whole, refers to nothing that is not there, and tells digests."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from .harness import Project

FLOW = """\
name = "w"
[params]
rate = 2
[tasks.raw]
command = "sed s/r/R/ raw.txt > 'a b.txt'; mkdir d; echo x > d/x"
outputs = ["a b.txt", "d/"]
inputs = ["raw.txt"]
[tasks.fit]
for_each.n = ["1", "2 3"]
command = "cat workflow:///raw/d/x; echo v > r.csv; echo $n$rate >> r.csv"
outputs = ["r.csv"]
collect = "all.csv"
[tasks.all]
command = "cat workflow:///fit/*/r.csv 'workflow:///raw/a b.txt' > all.txt"
outputs = ["all.txt"]
keep = true
[tasks.bad]
after = ["all"]
command = "exit 3"
"""


@pytest.fixture
def ran(project: Project) -> Project:
    """A project whose run has ended, with one failure."""
    project.write("raw", "raw.txt")
    project.write(FLOW)
    project.call("run", code=1)
    return project


def by_id(crate: Path) -> dict[str, dict[str, Any]]:
    graph = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "each entity stands there once"
    return found


def referred(value: object) -> set[str]:
    """List the ids that a value refers to."""
    if isinstance(value, dict):
        return {value["@id"]} if value.keys() == {"@id"} else set().union(*map(referred, value.values()))
    return set().union(*map(referred, value)) if isinstance(value, list) else set()


def test_a_crate_says_what_was_made_of_what_when_and_by_whom(ran: Project) -> None:
    ran.call("export", "ro-crate", "--to", "c", "--agent", "Ada", "--licence", "https://spdx.org/licenses/MIT")
    crate = ran.folder / "c"
    entities = by_id(crate)

    run = entities["#run"]
    assert run["instrument"] == {"@id": "workflow.json"}
    assert run["actionStatus"] == "http://schema.org/FailedActionStatus"
    assert entities[run["agent"]["@id"]]["name"] == "Ada"
    assert run["startTime"] < run["endTime"]
    assert entities["inputs/raw.txt"]["sha256"] == hashlib.sha256(b"raw").hexdigest()
    assert "inputs/raw.txt" in referred(run["object"])
    assert entities["#value/rate"]["value"] == "2"
    fit = next(entity for entity in entities.values() if entity.get("name") == "fit[n=2%203], attempt 1")
    assert entities[referred(fit["result"]).pop()]["name"] == "fit/2%203/r.csv"
    bad = next(entity for entity in entities.values() if entity.get("name") == "bad, attempt 1")
    assert bad["error"] == "user code: exit code 3"
    assert "results/all/all.txt" in referred(run["result"])


def test_all_that_a_crate_refers_to_is_in_it_or_has_an_address_and_digests_are_those_of_the_files(ran: Project) -> None:
    ran.call("export", "ro-crate", "--to", "c")
    crate = ran.folder / "c"
    entities = by_id(crate)

    for entity in entities.values():
        for name in set().union(*(referred(value) for value in entity.values())):
            assert name in entities or name.startswith("http"), name
        local = entity["@type"] in ("File", "Dataset") and not entity["@id"].startswith("ni:") and "sha256" in entity
        if local and entity["@type"] == "File":
            content = (crate / unquote(entity["@id"])).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entity["sha256"]
    files = {str(path.relative_to(crate)) for path in crate.rglob("*") if path.is_file()}
    described = {unquote(name) for name in entities}
    assert files <= described
    assert json.loads((crate / "workflow.json").read_text())["name"] == "w"


def test_what_has_changed_since_the_run_is_named_by_its_digest_and_not_put_into_the_crate(ran: Project) -> None:
    ran.write("other", "raw.txt")
    ran.call("export", "ro-crate", "--to", "c")

    entities = by_id(ran.folder / "c")

    assert "inputs/raw.txt" not in entities
    [raw] = [entity for entity in entities.values() if entity.get("name") == "raw.txt"]
    assert raw["@id"].startswith("ni:///sha-256;")
    assert raw["sha256"] == hashlib.sha256(b"raw").hexdigest()


def test_nothing_is_overwritten_and_a_run_must_have_ended(ran: Project) -> None:
    ran.write("", "c/mine")
    ran.write("", "w.json")

    assert "is not empty" in ran.call("export", "ro-crate", "--to", "c", code=2).err
    assert "exists already" in ran.call("export", "wfformat", "--to", "w.json", code=2).err
    assert "ro-crate only" in ran.call("export", "mermaid", "--agent", "Ada", code=2).err


def test_a_record_in_wfformat_has_the_graph_the_files_and_the_times(ran: Project) -> None:
    document = json.loads(ran.call("export", "wfformat").out)
    specification, execution = document["workflow"]["specification"], document["workflow"]["execution"]
    tasks = {task["id"]: task for task in specification["tasks"]}
    sizes = {file["id"]: file["sizeInBytes"] for file in specification["files"]}

    assert document["schemaVersion"] == "1.5"
    assert {name: task["parents"] for name, task in tasks.items()} == {
        "raw": [],
        "fit_n_1_": ["raw"],
        "fit_n_2_203_": ["raw"],
        "all": ["raw", "fit_n_1_", "fit_n_2_203_"],
        "bad": ["all"],
    }
    assert tasks["raw"]["children"] == ["fit_n_1_", "fit_n_2_203_", "all"]
    assert tasks["raw"]["inputFiles"] == ["project_raw.txt"]
    assert tasks["fit_n_1_"]["inputFiles"] == ["raw_d"], "a file of a folder is read with the folder"
    assert sizes["project_raw.txt"] == sizes["raw_a_b.txt"] == 3
    ids = [*tasks, *sizes, *(name for task in tasks.values() for name in task["inputFiles"] + task["outputFiles"])]
    assert all(re.fullmatch(r"[0-9A-Za-z_.-]+", name) for name in ids)
    assert {name for task in tasks.values() for name in task["inputFiles"] + task["outputFiles"]} <= sizes.keys()
    assert [task["id"] for task in execution["tasks"]] == ["raw", "fit_n_1_", "fit_n_2_203_", "all"]
    assert all(task["runtimeInSeconds"] > 0 for task in execution["tasks"])
    assert execution["makespanInSeconds"] > 0


def test_what_was_exported_as_wfformat_is_imported_as_the_same_graph(ran: Project) -> None:
    ran.call("export", "wfformat", "--to", "run.json")
    ran.call("import", "wfformat", "run.json", "--to", "again", "--scale", "0")

    planned = ran.call("plan", "again", "--json").json

    assert planned["total"] == 5
    assert ran.call("run", "again", "--json").json["state"] == "succeeded"


def test_a_run_that_had_all_from_before_tells_the_times_of_then(ran: Project) -> None:
    ran.write(FLOW.replace("exit 3", "exit 0"))
    ran.call("run")
    before = json.loads(ran.call("export", "wfformat").out)["workflow"]["execution"]["tasks"]
    ran.call("run")
    again = json.loads(ran.call("export", "wfformat").out)["workflow"]["execution"]["tasks"]

    assert {task["id"] for task in before} == {task["id"] for task in again}
    assert [task["runtimeInSeconds"] for task in again if task["id"] != "bad"] == [
        task["runtimeInSeconds"] for task in before if task["id"] != "bad"
    ]


def test_the_graph_of_a_run_is_coloured_by_what_became_of_its_tasks(ran: Project) -> None:
    drawn = ran.call("export", "mermaid").out

    assert drawn.startswith("flowchart TD\n")
    assert '[["fit<br>2 succeeded"]]:::succeeded' in drawn
    assert '["bad<br>failed"]:::failed' in drawn
    assert "classDef failed fill:" in drawn
