"""Outputs come home as copies, each whole, and never to somewhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.errors import StagingError
from longshore.model.artifact import Artifact
from longshore.remote.digest import digest_file, digest_folder
from longshore.remote.store import object_path, put_file, put_folder
from longshore.runtime.delivering import Delivering
from longshore.runtime.results import deliver, mark_latest


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def artifact(store: Path, place: Path, path: str = "") -> Artifact:
    """Keep a file or folder in the store."""
    mode = place.stat().st_mode & 0o777
    if place.is_dir():
        folder = digest_folder(str(place))
        put_folder(str(store), str(place), folder)
        return Artifact(path=path or place.name, sha256=folder.sha256, size=folder.size, mode=mode, kind="folder")
    sha256, size = digest_file(str(place))
    put_file(str(store), str(place), sha256, size)
    return Artifact(path=path or place.name, sha256=sha256, size=size, mode=mode)


def written(place: Path, content: bytes = b"content", mode: int = 0o644) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    place.chmod(mode)
    return place


def test_files_come_home_with_content_and_mode(tmp_path: Path, store: Path) -> None:
    output = artifact(store, written(tmp_path / "work" / "tool.sh", mode=0o755), "bin/tool.sh")

    (place,) = deliver(store, [output], tmp_path / "results" / "r1" / "make")

    assert place == tmp_path / "results" / "r1" / "make" / "bin" / "tool.sh"
    assert place.read_bytes() == b"content"
    assert place.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in place.parent.parent.iterdir()] == ["bin"]


def test_folders_come_home_with_all_that_is_in_them(tmp_path: Path, store: Path) -> None:
    work = tmp_path / "work" / "data"
    written(work / "deep" / "a")
    (work / "empty").mkdir()
    (work / "link").symlink_to("deep/a")
    work.joinpath("deep").chmod(0o555)

    (place,) = deliver(store, [artifact(store, work)], tmp_path / "home")

    assert digest_folder(str(place)).sha256 == digest_folder(str(work)).sha256
    work.joinpath("deep").chmod(0o755)
    place.joinpath("deep").chmod(0o755)


def test_a_change_to_what_came_home_does_not_reach_the_store(tmp_path: Path, store: Path) -> None:
    output = artifact(store, written(tmp_path / "a"))
    (place,) = deliver(store, [output], tmp_path / "home")

    place.write_bytes(b"changed")

    assert Path(object_path(str(store), output.sha256)).read_bytes() == b"content"


@pytest.mark.parametrize("name", ["with space", "quo'te\"$x`", "new\nline", "-rf", "ümlaut", os.fsdecode(b"\xff\xfe")])
def test_names_may_be_odd(tmp_path: Path, store: Path, name: str) -> None:
    output = artifact(store, written(tmp_path / "a"), name)

    (place,) = deliver(store, [output], tmp_path / "home")

    assert place.read_bytes() == b"content"
    assert os.listdir(tmp_path / "home") == [name]


def test_what_is_there_already_is_replaced_and_the_rest_stays(tmp_path: Path, store: Path) -> None:
    work = tmp_path / "work"
    outputs = [artifact(store, written(work / "a")), artifact(store, written(work / "data" / "b").parent)]
    home = tmp_path / "home"
    written(home / "a", b"old")
    written(home / "data" / "b", b"old")
    written(home / "data" / "mine", b"mine")

    deliver(store, outputs, home)

    assert (home / "a").read_bytes() == (home / "data" / "b").read_bytes() == b"content"
    assert (home / "data" / "mine").read_bytes() == b"mine"


def test_delivering_twice_gives_the_same(tmp_path: Path, store: Path) -> None:
    outputs = [artifact(store, written(tmp_path / "work" / "data" / "b").parent)]

    deliver(store, outputs, tmp_path / "home")
    deliver(store, outputs, tmp_path / "home")

    assert sorted(path.name for path in (tmp_path / "home").rglob("*")) == ["b", "data"]


def test_a_file_inside_a_folder_that_comes_too_comes_once(tmp_path: Path, store: Path) -> None:
    work = written(tmp_path / "work" / "data" / "b").parent
    outputs = [artifact(store, work / "b", "data/b"), artifact(store, work)]

    assert [place.exists() for place in deliver(store, outputs, tmp_path / "home")] == [True, True]


def test_nothing_is_written_through_a_link(tmp_path: Path, store: Path) -> None:
    output = artifact(store, written(tmp_path / "a"), "data/a")
    outside = tmp_path / "outside"
    outside.mkdir()
    home = tmp_path / "home"
    home.mkdir()
    (home / "data").symlink_to(outside)

    with pytest.raises(StagingError, match="data is a symbolic link"):
        deliver(store, [output], home)

    assert list(outside.iterdir()) == []
    assert [entry.name for entry in home.iterdir()] == ["data"]


def test_a_link_where_a_file_should_be_is_replaced_not_followed(tmp_path: Path, store: Path) -> None:
    output = artifact(store, written(tmp_path / "a"))
    mine = written(tmp_path / "mine", b"mine")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a").symlink_to(mine)

    deliver(store, [output], tmp_path / "home")

    assert mine.read_bytes() == b"mine"
    assert (tmp_path / "home" / "a").read_bytes() == b"content"


@pytest.mark.parametrize("path", ["../a", "/tmp/a", "x/../../a", ".."])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, store: Path, path: str) -> None:
    output = artifact(store, written(tmp_path / "a"), path)

    with pytest.raises(StagingError, match="leads out"):
        deliver(store, [output], tmp_path / "home")


def test_what_is_no_longer_in_the_store_is_told_and_nothing_comes_half(tmp_path: Path, store: Path) -> None:
    outputs = [artifact(store, written(tmp_path / name, name.encode())) for name in "ab"]
    Path(object_path(str(store), outputs[1].sha256)).unlink()

    with pytest.raises(StagingError, match="does not have"):
        deliver(store, outputs, tmp_path / "home")

    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("damage", ["", "cont", "contents"])
def test_a_single_file_comes_whole_or_not_at_all(tmp_path: Path, store: Path, damage: str) -> None:
    output = artifact(store, written(tmp_path / "a"))
    place = Path(object_path(str(store), output.sha256))
    place.unlink()
    if damage:
        place.write_text(damage)
    home = tmp_path / "home"
    written(home / "a", b"old")

    with pytest.raises(StagingError, match="the store"):
        deliver(store, [output], home)

    assert [(entry.name, entry.read_bytes()) for entry in home.iterdir()] == [("a", b"old")]


def test_small_outputs_of_several_tasks_come_home_in_one_go(tmp_path: Path, store: Path) -> None:
    told: list[tuple[tuple[str, bool], ...]] = []
    delivering = Delivering(
        store, tmp_path / "home", lambda *events: told.append(tuple((each.task, not each.problem) for each in events))
    )
    large = artifact(store, written(tmp_path / "large", b"x" * (2 << 20)))
    small = [artifact(store, written(tmp_path / f"a{number}", b"%d" % number)) for number in range(3)]
    lost = Artifact(path="lost", sha256="0" * 64, size=1)
    for name, output in [("t0", small[0]), ("t1", lost), ("t2", large), ("t3", small[1]), ("t4", small[2])]:
        delivering.add(name, f"job/{name}", [output])

    for _ in range(5):
        delivering.some()

    assert told == [(("t0", True), ("t1", False), ("t2", True)), (("t3", True), ("t4", True))]
    assert (tmp_path / "home" / "job" / "t4" / "a2").read_bytes() == b"2"


def test_what_a_crash_left_is_removed_the_next_time(tmp_path: Path, store: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(120)
    home = tmp_path / "home"
    written(home / f".longshore-{process.pid}-abcd" / "half")
    written(home / f".longshore-{process.pid}-efgh")
    mine = written(home / f".longshore-{os.getpid()}-abcd" / "half")

    deliver(store, [artifact(store, written(tmp_path / "a"))], home)

    assert {entry.name for entry in home.iterdir()} == {"a", mine.parent.name}


def test_the_latest_results_have_a_name(tmp_path: Path) -> None:
    for run in ("r1", "r2"):
        (tmp_path / run).mkdir()
        mark_latest(tmp_path, run)
        assert os.readlink(tmp_path / "latest") == run


def test_a_run_without_results_is_not_the_latest(tmp_path: Path) -> None:
    mark_latest(tmp_path, "r1")

    assert not os.path.lexists(tmp_path / "latest")


def test_something_else_called_latest_stays(tmp_path: Path) -> None:
    (tmp_path / "r1").mkdir()
    (tmp_path / "latest").mkdir()

    mark_latest(tmp_path, "r1")

    assert not (tmp_path / "latest").is_symlink()
