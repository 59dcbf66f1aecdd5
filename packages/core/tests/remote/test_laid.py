"""Folders that are passed on from one attempt to the next that reads the same, as long as nobody has touched them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import field, frozen

from longshore.remote.digest import Entry, FolderDigest, digest_folder
from longshore.remote.laid import Laid, SpareFolders
from longshore.remote.laying import Piece, lay_items
from longshore.remote.store import put_folder

_FILES = 20


@frozen
class Desk:
    """A store with a folder, and workdirs into which it is laid."""

    folder: Path
    digest: FolderDigest
    spare: SpareFolders
    workdirs: list[Path] = field(factory=list)

    def lay(self) -> tuple[Path, Laid]:
        """Lay the folder into a new workdir; give the workdir, and what may become spare."""
        workdir = self.folder / "work" / f"t.{len(self.workdirs)}"
        workdir.mkdir(parents=True)
        self.workdirs.append(workdir)
        piece = Piece("in/d", self.digest.sha256, self.digest.size, 0o755, "folder")
        [laid] = lay_items([piece], str(self.folder / "store"), str(workdir), {}, self.spare)
        return workdir, laid

    def left(self) -> list[str]:
        """Name what lies beside the workdirs."""
        return [path.name for path in (self.folder / "work").iterdir() if path not in self.workdirs]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return _desk(tmp_path)


def _desk(folder: Path, most_bytes: int = 1 << 20) -> Desk:
    source = folder / "source"
    (source / "deep").mkdir(parents=True)
    for number in range(_FILES):
        (source / "deep" / str(number)).write_text(f"the content of {number}")
    (source / "link").symlink_to("deep/1")
    digest = digest_folder(str(source))
    put_folder(str(folder / "store"), str(source), digest)
    return Desk(folder, digest, SpareFolders(str(folder / "work"), most_bytes))


def _inode(workdir: Path) -> int:
    return (workdir / "in" / "d" / "deep" / "1").stat().st_ino


def test_what_a_task_has_only_read_is_given_to_the_next_one(desk: Desk) -> None:
    first, laid = desk.lay()
    before = _inode(first)
    assert (first / "in" / "d" / "link").read_text() == "the content of 1"

    desk.spare.take(laid, str(first))
    second, again = desk.lay()
    desk.spare.take(again, str(second))
    third, _ = desk.lay()

    assert not (first / "in" / "d").exists()
    assert _inode(third) == before
    assert digest_folder(str(third / "in" / "d")).sha256 == desk.digest.sha256
    assert desk.left() == []


def test_nobody_is_given_what_another_attempt_has(desk: Desk) -> None:
    first, laid = desk.lay()
    second, _ = desk.lay()
    assert _inode(first) != _inode(second)

    desk.spare.take(laid, str(first))
    desk.lay()
    fourth, _ = desk.lay()

    assert digest_folder(str(fourth / "in" / "d")).sha256 == desk.digest.sha256


def _write_as_if_nothing_was(folder: Path) -> None:
    path = folder / "deep" / "1"
    status = path.stat()
    with path.open("r+") as file:
        file.write("THE")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _replace(folder: Path) -> None:
    (folder / "new").write_text("the content of X")
    (folder / "new").rename(folder / "deep" / "1")


def _relink(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("deep/2")


@pytest.mark.parametrize(
    "change",
    [
        _write_as_if_nothing_was,
        _replace,
        _relink,
        lambda folder: (folder / "deep" / "19").write_text("THE content of 19"),
        lambda folder: (folder / "new").touch(),
        lambda folder: (folder / "new").mkdir(),
        lambda folder: (folder / "deep" / "1").unlink(),
        lambda folder: (folder / "deep" / "1").chmod(0o600),
        lambda folder: (folder / "deep").chmod(0o700),
        lambda folder: (folder / "deep").rename(folder / "other"),
        lambda folder: os.link(folder / "deep" / "1", folder.parent.parent / "another name"),
        lambda folder: os.mkfifo(folder / "pipe"),
    ],
)
def test_what_a_task_has_changed_is_seen_by_nobody_else(desk: Desk, change: Callable[[Path], object]) -> None:
    first, laid = desk.lay()
    change(first / "in" / "d")

    desk.spare.take(laid, str(first))
    second, _ = desk.lay()

    assert digest_folder(str(second / "in" / "d")).sha256 == desk.digest.sha256
    assert (second / "in" / "d" / "deep" / "1").stat().st_nlink == 1
    assert sorted(map(Path, desk.spare.useless())) == sorted(desk.folder / "work" / name for name in desk.left())


def test_a_file_too_young_to_be_known_by_its_times_is_known_by_what_is_in_it_and_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    path = folder / "a"
    path.write_text("content")
    path.chmod(0o600)  # not before the folder was last changed
    entry = Entry("f", "a", mode=0o600, size=7, sha256="")
    laid = Laid(str(folder), "", [entry], {"a": path.stat()})

    path.write_text("content")
    assert laid.is_unchanged()
    os.link(path, tmp_path / "another name")
    assert not laid.is_unchanged()
    (tmp_path / "another name").unlink()
    path.write_text("CONTENT")
    assert not laid.is_unchanged()


def test_what_a_link_of_the_task_leads_to_is_left_alone(desk: Desk) -> None:
    first, laid = desk.lay()
    elsewhere = desk.folder / "elsewhere"
    shutil.move(first / "in", elsewhere)
    (first / "in").symlink_to(elsewhere)

    desk.spare.take(laid, str(first))

    assert digest_folder(str(elsewhere / "d")).sha256 == desk.digest.sha256
    assert desk.left() == []


def test_a_workdir_that_the_task_has_removed_is_no_trouble(desk: Desk) -> None:
    first, laid = desk.lay()
    shutil.rmtree(first)

    desk.spare.take(laid, str(first))

    assert desk.spare.close() == []


def test_what_nobody_needs_any_more_is_not_kept(desk: Desk) -> None:
    first, laid = desk.lay()
    desk.spare.take(laid, str(first))

    desk.spare.forget(["another digest"])
    assert desk.spare.useless() == []
    desk.spare.forget([desk.digest.sha256])

    assert [Path(path).name for path in desk.spare.useless()] == desk.left()
    assert desk.spare.close() == []


def test_no_more_is_kept_than_there_is_to_be_room_for(tmp_path: Path) -> None:
    desk = _desk(tmp_path, most_bytes=700)
    several = [desk.lay() for _ in range(3)]
    assert 2 * desk.digest.size < 700 < 3 * desk.digest.size

    for workdir, laid in several:
        desk.spare.take(laid, str(workdir))

    [gone] = desk.spare.useless()
    assert sorted([gone, *desk.spare.close()]) == sorted(str(tmp_path / "work" / name) for name in desk.left())
    assert len(desk.left()) == len(several)
