"""Stores that machines have in common: nothing is sent twice, and nothing at all where this computer has them too."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from longshore.errors import DigestMismatch, ExecutorError, InputMissing
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.remote.bundle import build_bundle
from longshore.remote.digest import digest_file, digest_folder
from longshore.remote.sharing import NearTransfers, SharedStore
from longshore.remote.store import object_path, put_file
from longshore.remote.transfers import Transfers

from .test_remote_session import Pipe

SIZE = 1 << 20


class Meter(Pipe):
    """A stream that counts what it carries to the machine."""

    carried = 0

    def send(self, content: bytes | memoryview) -> None:
        Meter.carried += len(content)
        super().send(content)


class World:
    """A project's store here, and machines over there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bundle").write_bytes(build_bundle())
        self.home = folder / "home"
        self.project = folder / "project"
        self.project.mkdir()
        self.shared = SharedStore("let them share one")
        self._open: list[Transfers] = []
        Meter.carried = 0

    def store(self, machine: str) -> Path:
        """Give the store of a machine in its own folder; those with one name have it in common."""
        return self.folder / machine / "runs" / "r.p" / "store"

    def machine(self, name: str, *, kind: type[Transfers] = Transfers) -> Transfers:
        made = kind(lambda: Meter(self.folder, "exchange", self.store(name)), self.home, self.shared.sending)
        self._open.append(made)
        return made

    def item(self, name: str, content: bytes) -> Item:
        path = self.project / name
        path.write_bytes(content)
        sha256, size = digest_file(str(path))
        return Item(path=name, sha256=sha256, size=size, source=str(path))

    def stored(self, name: str, content: bytes) -> Item:
        item = self.item(name, content)
        put_file(str(self.home), item.source, item.sha256, item.size)
        return Item(path=name, sha256=item.sha256, size=item.size)

    def close(self) -> None:
        for each in self._open:
            each.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def together(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()


def test_what_two_machines_with_one_store_want_at_once_is_sent_once(world: World) -> None:
    item = world.item("big", os.urandom(4 * SIZE))
    machines = [world.machine("one") for _ in range(4)]

    together(*(lambda each=each: each.put([item]) for each in machines))

    assert 4 * SIZE < Meter.carried < 5 * SIZE
    assert digest_file(object_path(str(world.store("one")), item.sha256)) == (item.sha256, item.size)


def test_machines_that_have_no_store_in_common_are_told_apart(world: World) -> None:
    world.shared.meet("h1", world.machine("one"))
    world.shared.meet("h2", world.machine("one"))

    with pytest.raises(ExecutorError, match="h3 does not see what h1 has just written") as refused:
        world.shared.meet("h3", world.machine("another"))

    assert "let them share one" in str(refused.value)


def test_objects_of_a_store_on_the_same_file_system_are_linked_and_not_sent(world: World) -> None:
    item = world.stored("big", os.urandom(SIZE))

    world.machine("one", kind=NearTransfers).put([item])

    there = object_path(str(world.store("one")), item.sha256)
    assert os.path.samefile(there, object_path(str(world.home), item.sha256))
    assert Meter.carried < SIZE / 10
    assert list((world.home / "tmp").iterdir()) == []


def test_a_users_file_is_copied_and_never_linked(world: World) -> None:
    item = world.item("big", os.urandom(SIZE))

    world.machine("one", kind=NearTransfers).put([item])

    there = object_path(str(world.store("one")), item.sha256)
    assert digest_file(there) == (item.sha256, SIZE)
    assert not os.path.samefile(there, item.source)
    assert Meter.carried < SIZE / 10


def test_a_users_file_that_has_changed_is_refused(world: World) -> None:
    item = world.item("big", b"before")
    Path(item.source).write_bytes(b"behind")

    with pytest.raises(DigestMismatch, match="changed"):
        world.machine("one", kind=NearTransfers).put([item])

    assert not Path(object_path(str(world.store("one")), item.sha256)).exists()


def test_what_comes_home_on_the_same_file_system_is_linked(world: World) -> None:
    machine = world.machine("one", kind=NearTransfers)
    world.item("a", os.urandom(SIZE))
    (world.project / "empty").mkdir()
    folder = digest_folder(str(world.project))
    machine.put([Item(path="f", sha256=folder.sha256, size=0, kind="folder", source=str(world.project))])

    machine.get([Artifact(path="f", sha256=folder.sha256, size=0, kind="folder")])

    [entry] = [each for each in folder.entries if each.kind == "f"]
    here, there = (object_path(str(store), entry.sha256) for store in (world.home, world.store("one")))
    assert os.path.samefile(here, there)
    assert Path(object_path(str(world.home), folder.sha256)).read_bytes() == folder.listing


def test_what_is_gone_over_there_is_named_when_it_is_to_come_home(world: World) -> None:
    with pytest.raises(InputMissing, match="lost"):
        world.machine("one", kind=NearTransfers).get([Artifact(path="lost", sha256="ab" * 32, size=1)])


def test_a_store_that_this_computer_cannot_be_seen_from_is_sent_to(world: World) -> None:
    item = world.stored("big", os.urandom(SIZE))
    blind = world.machine("one", kind=NearTransfers)
    world.home.joinpath("tmp").rmdir()
    world.home.joinpath("tmp").symlink_to("nowhere")

    blind.put([item])

    assert Meter.carried > SIZE
    assert digest_file(object_path(str(world.store("one")), item.sha256)) == (item.sha256, SIZE)


def test_a_store_in_common_goes_once_and_as_a_whole(world: World) -> None:
    first, second = world.machine("one"), world.machine("one")
    first.put([world.item("big", b"content")])
    second.has("ab" * 32, 1)

    world.shared.clear(first)
    world.shared.clear(second)

    assert not world.store("one").parent.exists()
