"""Objects of buckets come once, as long as they stay the same, and are inputs like others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.config.resolve import resolve
from longshore.errors import ConfigError, InputMissing, StagingError
from longshore.model.artifact import Artifact
from longshore.model.command import Shell
from longshore.model.task import FilesMatching, Parameter, TaskSpec, UrlInput, Values
from longshore.model.workflow import WorkflowSpec
from longshore.plugin.areas import Request
from longshore.remote.digest import digest_bytes
from longshore.remote.store import object_path
from longshore.runtime.cache import Cache, Success
from longshore.runtime.identify import Identifier
from longshore.runtime.inputs import Inputs
from longshore.runtime.objects import NotFetched, Objects, bucket_of, public
from longshore.runtime.options import RunOptions
from longshore.runtime.project import Project
from longshore.runtime.stores import Stores
from longshore.scheduler.building import begin
from longshore.testing import EPOCH
from longshore.testing.store_contract import FolderStore


class Cloud(FolderStore):
    """Buckets in a folder, that count what is fetched."""

    def __init__(self, folder: Path, *, stamps: bool = True) -> None:
        super().__init__(folder)
        self.folder = folder
        self.stamps = stamps
        self.fetched: list[str] = []
        self.listed: list[str] = []

    def fetch(self, url: str, into: Path) -> None:
        self.fetched.append(url)
        super().fetch(url, into)

    def list(self, glob: str) -> Sequence[str]:
        self.listed.append(glob)
        return super().list(glob)

    def stamp(self, url: str) -> str:
        place = self.folder / url.partition("://")[2]
        if not place.is_file():
            raise InputMissing(f"{url}: there is no such object")
        return str(place.stat().st_mtime_ns) if self.stamps else ""

    def fill(self, name: str, content: str) -> None:
        place = self.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


class OpenCloud(Cloud):
    """One that machines can be let read."""

    def to_read(self, url: str, time: timedelta) -> Request:
        return Request(url=f"https://cloud/{url.partition('://')[2]}?for={time}")


class OneCloud(Stores):
    """A store for everything."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self._cloud = cloud

    def of(self, url: str) -> Cloud:
        return self._cloud


class World:
    """A project and a cloud."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder / "project")
        self.project.folder.mkdir()
        self.cloud = Cloud(folder / "cloud")
        self.stores = OneCloud(self.cloud)

    def objects(self, run: str = "r") -> Objects:
        return Objects(self.project.store, Cache(self.project.store), run=run, stores=self.stores)

    def spec(self, *urls: str, **values: tuple[str, ...]) -> WorkflowSpec:
        parameters = tuple(Parameter(name, Values(each)) for name, each in values.items())
        inputs = tuple(map(UrlInput, urls))
        task = TaskSpec(name="read", command=Shell("cat x"), inputs=inputs, for_each=parameters)
        return WorkflowSpec(name="w", tasks=(task,))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_object_is_laid_at_its_path_in_the_bucket_with_its_content(world: World) -> None:
    world.cloud.fill("bucket/data/a.csv", "content")

    item = world.objects().item("s3://bucket/data/a.csv")

    assert (item.path, item.size, item.source) == ("data/a.csv", 7, "")
    assert Path(object_path(str(world.project.store), item.sha256)).read_text() == "content"


@pytest.mark.parametrize("stamps", [True, False])
def test_what_has_not_changed_is_fetched_once_where_a_store_can_tell(world: World, stamps: bool) -> None:
    world.cloud.stamps = stamps
    world.cloud.fill("bucket/a", "one")
    for _ in range(2):
        objects = world.objects()
        first = objects.item("s3://bucket/a")
        assert objects.item("s3://bucket/a") == first

    assert len(world.cloud.fetched) == (1 if stamps else 2)


def test_what_has_changed_is_fetched_again_and_is_another_input(world: World) -> None:
    world.cloud.fill("bucket/a", "one")
    before = world.objects().item("s3://bucket/a")
    world.cloud.fill("bucket/a", "two, longer")

    after = world.objects().item("s3://bucket/a")

    assert after.sha256 != before.sha256


def test_within_a_run_an_object_stays_what_it_was(world: World) -> None:
    world.cloud.fill("bucket/a", "one")
    objects = world.objects()
    before = objects.item("s3://bucket/a")
    world.cloud.fill("bucket/a", "two")

    assert objects.item("s3://bucket/a") == before


def test_what_a_run_needs_is_not_cleaned_away(world: World) -> None:
    world.cloud.fill("bucket/a", "one")
    world.project.create_run("r")
    item = world.objects().item("s3://bucket/a")
    cache = Cache(world.project.store)

    cache.clean(everything=True)
    assert Path(object_path(str(world.project.store), item.sha256)).exists()

    cache.unpin("r")
    cache.clean(everything=True)
    assert not Path(object_path(str(world.project.store), item.sha256)).exists()


def test_a_plan_fetches_nothing(world: World) -> None:
    world.cloud.fill("bucket/a", "one")

    with pytest.raises(NotFetched, match="s3://bucket/a has not been fetched yet"):
        world.objects(run="").item("s3://bucket/a")

    world.objects().item("s3://bucket/a")
    assert world.objects(run="").item("s3://bucket/a").size == 3


@pytest.mark.parametrize("url", ["s3://bucket/../x", "s3://bucket//x", "s3://bucket/", "https://host"])
def test_a_name_that_no_file_can_have_is_refused(world: World, url: str) -> None:
    with pytest.raises(InputMissing):
        world.objects().item(url)

    assert world.cloud.fetched == []


def test_members_read_each_its_own_object(world: World) -> None:
    world.cloud.fill("bucket/data/a.csv", "a")
    world.cloud.fill("bucket/data/b.csv", "bb")
    state = begin(world.spec("s3://bucket/$file", file=("data/a.csv", "data/b.csv")))
    inputs = Inputs(world.project, state, None, world.objects())

    found = {name: inputs.resolve(task.task) for name, task in state.tasks.items()}

    assert [(item.path, item.size) for one in found.values() for item in one.items] == [
        ("data/a.csv", 1),
        ("data/b.csv", 2),
    ]
    assert len({one.identity for one in found.values()}) == 2


def test_a_glob_means_all_that_match_and_is_listed(world: World) -> None:
    world.cloud.fill("bucket/data/a.csv", "a")
    world.cloud.fill("bucket/data/b.csv", "bb")
    state = begin(world.spec("s3://bucket/data/*.csv"))
    [task] = state.tasks.values()

    resolved = Inputs(world.project, state, None, world.objects()).resolve(task.task)

    assert [item.path for item in resolved.items] == ["data/a.csv", "data/b.csv", "in/.inputs"]
    assert resolved.env["LONGSHORE_INPUTS"] == "in/.inputs"


def test_what_vanished_after_it_was_listed_fails_its_own_task_in_words(world: World) -> None:
    state = begin(world.spec("s3://bucket/$file", file=("gone",)))
    [task] = state.tasks.values()

    with pytest.raises(InputMissing, match="s3://bucket/gone: there is no such object"):
        Inputs(world.project, state, None, world.objects()).resolve(task.task)


# --- objects that machines read themselves


@pytest.fixture
def far(world: World) -> World:
    """A world in which machines get to the cloud."""
    world.stores = OneCloud(OpenCloud(world.cloud.folder))
    return world


def read_by_a_machine(url: str, content: str) -> Artifact:
    return Artifact(path=url, sha256=digest_bytes(content.encode()), size=len(content))


def test_what_a_machine_can_read_has_no_digest_until_it_did_and_does_not_come_here(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    objects = far.objects()

    unread = objects.item("s3://bucket/a", here=False)
    objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "one"))

    assert (unread.sha256, unread.size) == ("", 0)
    read = objects.item("s3://bucket/a", here=False)
    assert (read.sha256, read.size, objects.far(read)) == (digest_bytes(b"one"), 3, True)
    assert not Path(object_path(str(far.project.store), read.sha256)).exists()


def test_what_a_machine_has_read_a_later_run_knows_as_long_as_it_stays_the_same(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    first = far.objects()
    first.item("s3://bucket/a", here=False)
    first.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "one"))

    assert far.objects("later").item("s3://bucket/a", here=False).sha256 == digest_bytes(b"one")
    assert far.objects(run="").item("s3://bucket/a").sha256 == digest_bytes(b"one"), "a plan need not fetch it"
    far.cloud.fill("bucket/a", "another")
    assert far.objects("later").item("s3://bucket/a", here=False).sha256 == ""


def test_what_has_changed_while_a_machine_read_it_is_not_taken_for_what_it_was(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    objects = far.objects()
    objects.item("s3://bucket/a", here=False)
    far.cloud.fill("bucket/a", "another")

    with pytest.raises(InputMissing, match="s3://bucket/a has changed since the run looked at it"):
        objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "another"))

    objects.item("s3://bucket/a", here=False)
    objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "another"))
    assert objects.known("s3://bucket/a")


def test_two_machines_that_read_different_content_are_not_both_believed(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    objects = far.objects()
    objects.item("s3://bucket/a", here=False)
    objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "one"))

    with pytest.raises(InputMissing, match="has changed"):
        objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "two"))


def test_what_a_machine_has_read_comes_here_for_a_task_that_runs_here(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    objects = far.objects()
    objects.item("s3://bucket/a", here=False)
    objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "one"))

    here = objects.item("s3://bucket/a")

    assert Path(object_path(str(far.project.store), here.sha256)).read_text() == "one"
    assert not objects.far(here)


def test_what_comes_here_later_is_what_a_machine_has_read(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    objects = far.objects()
    objects.item("s3://bucket/a", here=False)
    objects.learn("s3://bucket/a", read_by_a_machine("s3://bucket/a", "one"))
    far.cloud.fill("bucket/a", "two")

    with pytest.raises(InputMissing, match="has changed since the run looked at it"):
        objects.item("s3://bucket/a")


def test_what_no_machine_can_be_let_read_comes_here_at_once(world: World) -> None:
    world.cloud.fill("bucket/a", "one")

    item = world.objects().item("s3://bucket/a", here=False)

    assert Path(object_path(str(world.project.store), item.sha256)).exists()


def test_tasks_of_machines_apart_leave_objects_where_they_are(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    state = begin(far.spec("s3://bucket/a"))
    [task] = state.tasks.values()
    inputs = Inputs(far.project, state, None, far.objects())
    inputs.apart.add(state.pool_of(task.task.spec))

    assert inputs.resolve(task.task).unread == ("s3://bucket/a",)


def test_nothing_that_ever_succeeded_is_what_reads_an_object_that_nobody_has_read(far: World) -> None:
    far.cloud.fill("bucket/a", "one")
    state = begin(far.spec("s3://bucket/a"))
    [task] = state.tasks.values()
    inputs, cache = Inputs(far.project, state, None, far.objects()), Cache(far.project.store)
    inputs.apart.add(state.pool_of(task.task.spec))
    found = inputs.resolve(task.task)
    cache.remember([Success(identity=found.identity, task="read", run="old", at=EPOCH, parts=found.parts)])

    [item] = Identifier(inputs, cache, RunOptions(), state).look(["read"]).items

    assert (item.outputs, item.reason) == (None, "nobody has read s3://bucket/a yet, as it is now")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/a?b#c", "s3://bucket/a?b#c"),
        ("https://me:secret@host:8/a/b?key=secret", "https://host:8/a/b"),
        ("https://host?key=secret", "https://host"),
    ],
)
def test_what_objects_are_called_has_no_key_in_it(url: str, name: str) -> None:
    assert public(url) == name
    assert "secret" not in bucket_of(url)


# --- for_each


def over(glob: str, first: int | None = None) -> WorkflowSpec:
    parameter = Parameter("file", FilesMatching(glob=glob, first=first))
    return WorkflowSpec(name="w", tasks=(TaskSpec(name="read", command=Shell("cat $file"), for_each=(parameter,)),))


def test_a_for_each_ranges_over_what_a_bucket_has(world: World) -> None:
    for name in ("c", "a", "b"):
        world.cloud.fill(f"bucket/data/{name}.csv", name)

    [task] = resolve(over("s3://bucket/data/*.csv", 2), world.project.folder, listing=world.stores.list).tasks

    assert task.for_each == (Parameter("file", Values(("data/a.csv", "data/b.csv"))),)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], r"no object matches 's3://bucket/\*'"),
        (["s3://bucket/../../x"], "a name that no file can have"),
        (["s3://bucket/a//b"], "a name that no file can have"),
        (StagingError("s3://bucket/*: access is denied"), "access is denied"),
    ],
)
def test_a_bucket_that_gives_no_values_is_a_mistake_with_its_place(
    world: World, answer: Sequence[str] | Exception, words: str
) -> None:
    def listing(_glob: str) -> Sequence[str]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ConfigError, match=words) as refused:
        resolve(over("s3://bucket/*"), world.project.folder, listing=listing)

    assert "tasks.read.for_each.file" in str(refused.value)
