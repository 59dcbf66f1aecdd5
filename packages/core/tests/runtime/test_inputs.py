"""What a task reads is found, digested, and put where its command looks for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import InputMissing
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.environment import EnvironmentSpec, Requirement
from longshore.model.task import FileInput, Parameter, Reference, TaskSpec, UrlInput, Values
from longshore.model.workflow import WorkflowSpec
from longshore.remote.digest import digest_folder
from longshore.remote.laying import lay_items
from longshore.remote.store import object_path, put_bytes, put_folder
from longshore.runtime.inputs import Inputs, Resolved
from longshore.runtime.project import Project
from longshore.scheduler.building import begin
from longshore.scheduler.state import RunState

YEARS = (Parameter("year", Values(("2001", "2002"))),)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def workflow(*tasks: TaskSpec, **changes: Any) -> RunState:
    return begin(WorkflowSpec(name="w", tasks=tasks, **changes))


def reading(command: Command, *references: Reference, **changes: Any) -> TaskSpec:
    return TaskSpec(name="read", command=command, references=references, **changes)


def placed(text: str, url: str, task: str, path: str, *, end: str = "", **changes: Any) -> Reference:
    """Make the reference that stands in a text; what is replaced ends where ``end`` does."""
    start = text.index(url)
    prefix = end or f"workflow:///{task}/"
    return Reference(task=task, path=path, start=start, prefix_end=start + len(prefix), **changes)


def wrote(state: RunState, task: str, *outputs: Artifact) -> None:
    state.tasks[task].outputs = outputs


def file(path: str, content: bytes = b"x") -> Artifact:
    return Artifact(path=path, sha256=digest(content), size=len(content))


class Bench:
    """A project folder with a run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = Project(folder)

    def put(self, path: str, content: bytes = b"x", mode: int = 0o644) -> None:
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)

    def stored_folder(self, path: str, content: Mapping[str, bytes]) -> Artifact:
        place = self.folder / "work" / path
        for name, data in content.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        listed = digest_folder(str(place))
        put_folder(str(self.project.store), str(place), listed)
        return Artifact(path=path, sha256=listed.sha256, size=listed.size, mode=0o755, kind="folder")

    def resolve(self, state: RunState, task: str = "read") -> Resolved:
        return Inputs(self.project, state).resolve(state.tasks[task].task)

    def paths(self, state: RunState, task: str = "read") -> list[str]:
        return [item.path for item in self.resolve(state, task).items if item.path != "in/.inputs"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def inputs(*paths: str, **changes: Any) -> RunState:
    return workflow(reading(Shell("true"), inputs=tuple(map(FileInput, paths)), **changes))


def test_a_file_of_the_project_is_laid_where_it_lies(bench: Bench) -> None:
    bench.put("src/fit.py", b"code", 0o755)

    (item,) = bench.resolve(inputs("src/fit.py")).items

    source = str(bench.folder / "src/fit.py")
    assert item == Item(path="src/fit.py", sha256=digest(b"code"), size=4, mode=0o755, source=source)


def test_a_folder_of_the_project_is_one_item(bench: Bench) -> None:
    bench.put("data/a")

    (item,) = bench.resolve(inputs("data")).items

    assert item.kind == "folder"
    assert item.sha256 == digest_folder(str(bench.folder / "data")).sha256


def test_a_glob_means_files_and_folders_in_order(bench: Bench) -> None:
    for path in ("data/b.csv", "data/a.csv", "data/c.csv/part", "data/.hidden.csv"):
        bench.put(path)

    assert bench.paths(inputs("data/*.csv")) == ["data/a.csv", "data/b.csv", "data/c.csv"]


def test_a_glob_never_means_what_longshore_has_written(bench: Bench) -> None:
    for path in ("a.csv", "results/r1/t/a.csv", ".longshore/runs/r1/a.csv"):
        bench.put(path)

    assert bench.paths(inputs("**/*.csv")) == ["a.csv"]


def test_a_file_with_the_signs_of_a_glob_in_its_name_is_that_file(bench: Bench) -> None:
    bench.put("a[1].csv")

    assert bench.paths(inputs("a[1].csv")) == ["a[1].csv"]


def test_what_is_inside_a_folder_that_comes_too_comes_once(bench: Bench) -> None:
    bench.put("data/a")

    assert bench.paths(inputs("data/a", "data", "data/a")) == ["data"]


@pytest.mark.parametrize(
    ("path", "words"), [("none.csv", "none.csv does not exist"), ("*.csv", "means no file"), ("pipe", "pipe")]
)
def test_what_is_not_there_is_told(bench: Bench, path: str, words: str) -> None:
    os.mkfifo(bench.folder / "pipe")

    with pytest.raises(InputMissing, match=words):
        bench.resolve(inputs(path))


def test_an_input_that_vanishes_during_the_run_is_told(bench: Bench) -> None:
    bench.put("a.csv")
    state = inputs("a.csv")
    bench.resolve(state)
    (bench.folder / "a.csv").unlink()

    with pytest.raises(InputMissing, match=r"a\.csv does not exist"):
        bench.resolve(state)


def test_an_input_from_the_web_is_refused_with_a_remedy(bench: Bench) -> None:
    state = workflow(reading(Shell("true"), inputs=(UrlInput("https://example.org/a.csv"),)))

    with pytest.raises(InputMissing, match=r"https://example.org/a.csv .* let a task of its own fetch it"):
        bench.resolve(state)


def test_each_member_reads_the_file_that_its_parameter_names(bench: Bench) -> None:
    for path in ("data/2001.csv", "data/2002.csv", "fit.py"):
        bench.put(path)
    state = inputs("data/$year.csv", "fit.py", for_each=YEARS)

    assert bench.paths(state, "read[year=2001]") == ["fit.py", "data/2001.csv"]
    assert bench.paths(state, "read[year=2002]") == ["fit.py", "data/2002.csv"]


@pytest.mark.parametrize("value", ["../secret", "/etc/passwd", "in/fit/x"])
def test_a_value_must_not_lead_an_input_out_of_the_project(bench: Bench, value: str) -> None:
    state = inputs("${file}", for_each=(Parameter("file", Values((value,))),))

    with pytest.raises(InputMissing, match=r"is no file of the project|lies in 'in/'"):
        bench.resolve(state, next(iter(state.tasks)))


def test_odd_names_are_read(bench: Bench) -> None:
    for path in ("with space.csv", "quo'te\".csv", "ümlaut.csv", os.fsdecode(b"\xff.csv")):
        bench.put(path)

    assert len(bench.paths(inputs("*.csv"))) == 4


def test_a_references_prefix_becomes_a_folder_and_the_file_lies_in_it(bench: Bench) -> None:
    text = 'sort "workflow:///make/a.csv"; echo $HOME'
    state = workflow(
        TaskSpec(name="make", command=Shell("true"), outputs=("a.csv",)),
        reading(Shell(text), placed(text, "workflow:///make/a.csv", "make", "a.csv")),
    )
    wrote(state, "make", file("a.csv"), file("b.csv"))

    found = bench.resolve(state)

    assert found.command == Shell('sort "in/make/a.csv"; echo $HOME')
    assert found.items == (Item(path="in/make/a.csv", sha256=digest(b"x"), size=1),)


def test_several_references_in_one_text_are_all_replaced(bench: Bench) -> None:
    text = "join workflow:///make/a workflow:///make/b"
    state = workflow(
        TaskSpec(name="make", command=Shell("true")),
        reading(
            Shell(text),
            placed(text, "workflow:///make/a", "make", "a"),
            placed(text, "workflow:///make/b", "make", "b"),
        ),
    )
    wrote(state, "make", file("a"), file("b"))

    assert bench.resolve(state).command == Shell("join in/make/a in/make/b")


def test_a_reference_in_an_argument_list_is_replaced_in_its_argument(bench: Bench) -> None:
    argument = "--data=workflow:///make/a"
    state = workflow(
        TaskSpec(name="make", command=Shell("true")),
        reading(Argv(("fit", argument)), placed(argument, "workflow:///make/a", "make", "a", argument=1)),
    )
    wrote(state, "make", file("a"))

    assert bench.resolve(state).command == Argv(("fit", "--data=in/make/a"))


def test_a_call_gets_paths_parameters_and_results_and_is_known_by_them(bench: Bench) -> None:
    arguments = '{"args": [{"$file": "workflow:///make/a"}, {"$param": "year"}, {"$result": "count"}], "kwargs": {}}'
    state = workflow(
        TaskSpec(name="make", command=Shell("true")),
        TaskSpec(name="count", command=Call(function="m:count")),
        reading(
            Call(function="m:fit", arguments=arguments),
            placed(arguments, "workflow:///make/a", "make", "a"),
            for_each=YEARS,
        ),
    )
    wrote(state, "make", file("a"))
    state.tasks["count"].result = "7"

    found = bench.resolve(state, "read[year=2001]")
    state.tasks["count"].result = "8"
    other = bench.resolve(state, "read[year=2001]")

    assert found.command == Call(function="m:fit", arguments='{"args": ["in/make/a", "2001", 7], "kwargs": {}}')
    assert found.identity != other.identity


def members(path: str, member: str, text: str = "true", end: str = "", **changes: Any) -> RunState:
    """Build a producer with two members, both with outputs, and a reader of some."""
    url = f"workflow:///fit/{member}/{path}"
    at = placed(text, url, "fit", path, member=member, end=end) if url in text else None
    state = workflow(
        TaskSpec(name="fit", command=Shell("true"), for_each=YEARS),
        reading(Shell(text), at or Reference(task="fit", path=path, member=member), **changes),
    )
    for year in ("2001", "2002"):
        wrote(state, f"fit[year={year}]", file("model.json", year.encode()), file("log.txt"))
    return state


def test_a_glob_over_members_means_all_of_them(bench: Bench) -> None:
    found = bench.resolve(members("model.json", "*", "cat workflow:///fit/*/model.json"))

    assert found.command == Shell("cat in/fit/*/model.json")
    assert [item.path for item in found.items] == ["in/fit/2001/model.json", "in/fit/2002/model.json", "in/.inputs"]


def test_one_member_is_meant_by_its_name(bench: Bench) -> None:
    assert bench.paths(members("model.json", "2002")) == ["in/fit/2002/model.json"]


def test_the_readers_own_parameter_means_the_member_of_that_value(bench: Bench) -> None:
    url = "workflow:///fit/$year/model.json"
    state = members("model.json", "$year", f"cat '{url}'", end="workflow:///fit/$year", for_each=YEARS)

    found = bench.resolve(state, "read[year=2002]")

    assert found.command == Shell("cat 'in/fit/2002/model.json'")
    assert [item.path for item in found.items] == ["in/fit/2002/model.json"]


def reader_of(bench: Bench, path: str, *outputs: Artifact) -> RunState:
    state = workflow(
        TaskSpec(name="make", command=Shell("true")), reading(Shell("true"), Reference(task="make", path=path))
    )
    wrote(state, "make", *outputs)
    return state


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        ("a.csv", ["a.csv"]),
        ("*.csv", ["a.csv"]),
        ("sub", ["sub/b.csv"]),
        ("sub/*.csv", ["sub/b.csv"]),
        ("**/*.csv", ["a.csv", "sub/b.csv"]),
        ("**", ["a.csv", "sub/b.csv", "data"]),
        ("*", ["a.csv", "sub/b.csv", "data"]),
        ("data", ["data"]),
        ("data/deep/c", ["data/deep/c"]),
        ("data/deep", ["data/deep"]),
        ("data/*", ["data/deep", "data/top"]),
        ("da*/top", ["data/top"]),
    ],
)
def test_a_path_or_glob_means_outputs_and_what_is_inside_folders(bench: Bench, path: str, paths: list[str]) -> None:
    folder = bench.stored_folder("data", {"deep/c": b"c", "top": b"t"})
    state = reader_of(bench, path, file("a.csv"), file("sub/b.csv"), folder)

    assert bench.paths(state) == [f"in/make/{each}" for each in paths]


@pytest.mark.parametrize("path", ["data/link", "data/*"])
def test_a_link_in_a_folder_comes_with_all_that_it_may_point_to(bench: Bench, path: str) -> None:
    data = bench.folder / "work" / "data"
    data.mkdir(parents=True)
    (data / "link").symlink_to("deep/c")

    assert bench.paths(reader_of(bench, path, bench.stored_folder("data", {"deep/c": b"c"}))) == ["in/make/data"]


def test_a_folder_inside_a_folder_can_be_laid_by_itself(bench: Bench, tmp_path: Path) -> None:
    folder = bench.stored_folder("data", {"deep/er/c": b"c", "deep/d": b"d", "top": b"t"})
    state = reader_of(bench, "data/deep", folder)
    (tmp_path / "workdir").mkdir()

    lay_items(bench.resolve(state).items, str(bench.project.store), str(tmp_path / "workdir"), {})

    laid = tmp_path / "workdir" / "in" / "make" / "data"
    assert sorted(str(path.relative_to(laid)) for path in laid.rglob("*")) == ["deep", "deep/d", "deep/er", "deep/er/c"]


def test_a_reference_that_means_nothing_is_told_with_what_was_there(bench: Bench) -> None:
    state = reader_of(bench, "modle.json", file("model.json"), file("log.txt"))

    with pytest.raises(InputMissing, match=r"did you mean model.json\? there is in/make/model.json, in/make/log.txt"):
        bench.resolve(state)


def test_a_reference_to_a_task_that_wrote_nothing_is_told(bench: Bench) -> None:
    with pytest.raises(InputMissing, match=r"read reads workflow:///make/a, but make has written nothing"):
        bench.resolve(reader_of(bench, "a"))


def test_a_folder_that_is_no_longer_in_the_store_is_told(bench: Bench) -> None:
    folder = bench.stored_folder("data", {"a": b"a"})
    Path(object_path(str(bench.project.store), folder.sha256)).unlink()

    with pytest.raises(InputMissing, match="the folder data is no longer whole in the store"):
        bench.resolve(reader_of(bench, "data/a", folder))


def test_outputs_of_another_workflow_lie_apart_from_this_ones(bench: Bench) -> None:
    text = "cat workflow://other/make/2001/a.csv"
    reference = placed(text, "workflow:", "make", "2001/a.csv", workflow="other", end="workflow://other/make/")
    state = workflow(reading(Shell(text), reference))
    asked: list[Reference] = []

    def elsewhere(wanted: Reference) -> Mapping[str, Sequence[Artifact]]:
        asked.append(wanted)
        return {"2001": [file("a.csv")], "2002": [file("a.csv")]}

    looked = Inputs(bench.project, state, elsewhere)

    assert not looked.known(state.tasks["read"].task)
    found = looked.resolve(state.tasks["read"].task)
    assert found.command == Shell("cat in/@other/make/2001/a.csv")
    assert [item.path for item in found.items] == ["in/@other/make/2001/a.csv"]
    assert asked == [reference]


def test_what_globs_mean_is_listed_in_a_file(bench: Bench) -> None:
    for path in ("b.csv", "a.csv", "fit.py"):
        bench.put(path)

    found = bench.resolve(inputs("fit.py", "*.csv"))

    listing = found.items[-1]
    assert found.env["LONGSHORE_INPUTS"] == listing.path == "in/.inputs"
    assert Path(object_path(str(bench.project.store), listing.sha256)).read_bytes() == b"a.csv\nb.csv\n"


def test_the_list_does_not_count_for_the_identity(bench: Bench) -> None:
    bench.put("a.csv")

    assert bench.resolve(inputs("*.csv")).identity == bench.resolve(inputs("a.csv")).identity


def test_a_name_that_would_break_the_list_is_refused(bench: Bench) -> None:
    bench.put("a\nb.csv")

    with pytest.raises(InputMissing, match="has a line break; rename the file"):
        bench.resolve(inputs("*.csv"))


def test_parameters_and_variables_reach_the_command_as_environment(bench: Bench) -> None:
    state = workflow(reading(Shell("fit $year"), for_each=YEARS, env={"MODE": "fast"}))

    assert dict(bench.resolve(state, "read[year=2001]").env) == {"MODE": "fast", "year": "2001"}


def test_two_inputs_cannot_be_in_one_place(bench: Bench) -> None:
    bench.put("a", b"1")
    state = workflow(
        TaskSpec(name="make", command=Shell("true")),
        reading(Shell("true"), Reference(task="make", path="**"), Reference(task="make", path="a")),
    )
    wrote(state, "make", file("a", b"1"), file("a", b"2"))

    with pytest.raises(InputMissing, match=r"two inputs of read .* both want to be in/make/a"):
        bench.resolve(state)


def test_the_environments_keys_count_for_the_identity(bench: Bench) -> None:
    def identity(version: str) -> str:
        environment = EnvironmentSpec(name="sci", pip=(Requirement(f"numpy=={version}", "pip"),))
        return bench.resolve(workflow(reading(Shell("true"), environment="sci"), environments=(environment,))).identity

    assert identity("1") != identity("2")


def test_a_changed_input_changes_the_identity(bench: Bench) -> None:
    bench.put("a.csv", b"1")
    before = bench.resolve(inputs("a.csv"))
    bench.put("a.csv", b"2")
    after = bench.resolve(inputs("a.csv"))

    assert before.identity != after.identity
    assert json.loads(before.parts)["inputs"] != json.loads(after.parts)["inputs"]


def test_small_files_are_read_on_the_spot_and_large_ones_are_not(bench: Bench) -> None:
    bench.put("small", b"x")
    (bench.folder / "large").touch()
    os.truncate(bench.folder / "large", 1 << 21)
    small, large = inputs("small"), inputs("large")

    assert Inputs(bench.project, small).known(small.tasks["read"].task)
    looked = Inputs(bench.project, large)
    assert not looked.known(large.tasks["read"].task)
    looked.resolve(large.tasks["read"].task)
    assert looked.known(large.tasks["read"].task)


def test_a_missing_file_needs_no_thread_of_its_own_to_be_told(bench: Bench) -> None:
    state = inputs("none")

    assert Inputs(bench.project, state).known(state.tasks["read"].task)


def test_a_task_that_reads_nothing_touches_no_disk(bench: Bench) -> None:
    state = workflow(reading(Shell("true")))

    assert bench.resolve(state).items == ()
    assert list(bench.folder.iterdir()) == []


def test_an_object_put_twice_is_the_same(bench: Bench) -> None:
    put_bytes(str(bench.project.store), b"a.csv\n", digest(b"a.csv\n"))
    bench.put("a.csv")

    assert bench.resolve(inputs("*.csv")).items[-1].sha256 == digest(b"a.csv\n")
