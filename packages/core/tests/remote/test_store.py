"""Copies, the store, and what is laid into workdirs from it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from longshore.remote.copying import copy_file
from longshore.remote.digest import digest_bytes, digest_file, digest_folder
from longshore.remote.laying import Piece, lay_items, stat_key, write_secret
from longshore.remote.store import StagingProblem, object_path, put_bytes, put_file, put_folder, remove_tree


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def stored(store: str, content: bytes) -> str:
    sha256 = digest_bytes(content)
    put_bytes(store, content, sha256)
    return sha256


def test_what_is_put_a_second_time_is_fresh_again(store: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    folder = digest_folder(str(tmp_path))
    put_folder(store, str(tmp_path), folder)
    objects = [Path(object_path(store, sha256)) for sha256 in (digest_bytes(b"content"), folder.sha256)]
    for each in objects:
        os.utime(each, (0, 0))

    put_folder(store, str(tmp_path), folder)

    assert all(each.stat().st_mtime > 0 for each in objects)
    assert all(each.stat().st_mode & 0o777 == 0o444 for each in objects)


# --- copies


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_a_copy_is_equal_has_its_mode_and_is_no_other_name_of_the_same_file(tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))

    assert copy_file(str(source), str(target), 0o751).st_size == size

    assert target.read_bytes() == source.read_bytes()
    assert target.stat().st_mode & 0o777 == 0o751
    assert target.stat().st_ino != source.stat().st_ino


def test_a_copy_between_file_systems_is_equal(tmp_path: Path) -> None:
    if not Path("/dev/shm").is_dir() or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    source = Path("/dev/shm") / f"longshore-{os.getpid()}"
    try:
        source.write_bytes(os.urandom(3 << 20))
        copy_file(str(source), str(tmp_path / "target"), 0o600)
        assert (tmp_path / "target").read_bytes() == source.read_bytes()
    finally:
        source.unlink()


def test_what_the_kernel_makes_up_is_copied_too(tmp_path: Path) -> None:
    copy_file("/proc/self/status", str(tmp_path / "target"), 0o600)

    assert (tmp_path / "target").read_text().startswith("Name:")


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")

    with pytest.raises(FileExistsError):
        copy_file(str(tmp_path / "source"), str(tmp_path / "target"), 0o600)
    assert (tmp_path / "target").read_bytes() == b"old"


def test_a_copy_that_fails_leaves_no_target(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as caught:
        copy_file(str(tmp_path), str(tmp_path / "target"), 0o600)
    assert caught.value.errno == errno.EISDIR
    assert not (tmp_path / "target").exists()


# --- into the store


@pytest.mark.parametrize("move", [True, False])
def test_a_file_is_stored_once_read_only_and_whole(tmp_path: Path, store: str, move: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    sha256 = digest_bytes(b"content")

    for _ in range(2):
        put_file(store, str(path), sha256, 7, move=move)
        if not path.exists():
            path.write_bytes(b"content")

    kept = Path(object_path(store, sha256))
    assert kept.read_bytes() == b"content"
    assert kept.stat().st_mode & 0o777 == 0o444
    assert [name for _, _, names in os.walk(store) for name in names] == [sha256]


def test_a_file_with_another_name_is_copied(tmp_path: Path, store: str) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"content")
    os.link(path, other)

    put_file(store, str(path), digest_bytes(b"content"), 7, move=True)
    other.write_bytes(b"changed")

    assert Path(object_path(store, digest_bytes(b"content"))).read_bytes() == b"content"


def test_a_file_that_changed_since_it_was_digested_is_refused(tmp_path: Path, store: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"changed")

    with pytest.raises(StagingProblem, match="changed while it was being stored"):
        put_file(store, str(path), digest_bytes(b"content"), 7)
    assert [name for _, _, names in os.walk(store) for name in names] == []


def test_an_object_that_was_cut_short_is_replaced(tmp_path: Path, store: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    sha256 = digest_bytes(b"content")
    kept = Path(object_path(store, sha256))
    kept.parent.mkdir(parents=True)
    kept.touch()

    put_file(store, str(path), sha256, 7, move=True)

    assert kept.read_bytes() == b"content"


# --- folders, there and back


def test_a_folder_comes_back_as_it_was(tmp_path: Path, store: str, workdir: Path) -> None:
    root = tmp_path / "root"
    (root / "deep" / "empty").mkdir(parents=True)
    (root / "deep" / os.fsdecode(b"\xff odd\n")).write_bytes(b"x")
    (root / "deep" / "program").write_bytes(b"#!")
    (root / "out").symlink_to("/etc")
    (root / "deep" / "program").chmod(0o755)
    (root / "deep" / "empty").chmod(0o500)
    (root / "deep").chmod(0o555)
    folder = digest_folder(str(root))
    put_folder(store, str(root), folder)

    lay_items([Piece("in/it", folder.sha256, folder.size, 0o750, "folder")], store, str(workdir), {})

    laid = workdir / "in" / "it"
    assert digest_folder(str(laid)).listing == folder.listing
    assert laid.stat().st_mode & 0o777 == 0o750
    remove_tree(str(workdir))
    assert not workdir.exists()
    assert Path("/etc/passwd").exists()


def test_a_folder_of_the_project_is_laid_and_checked(tmp_path: Path, store: str, workdir: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "file").write_bytes(b"x")
    (root / "link").symlink_to("sub/file")
    folder = digest_folder(str(root))
    piece = Piece("data", folder.sha256, folder.size, 0o755, "folder", str(root))
    lay_items([piece], store, str(workdir), {})
    assert digest_folder(str(workdir / "data")).sha256 == folder.sha256

    (root / "sub" / "file").write_bytes(b"y")
    (workdir / "other").mkdir()
    with pytest.raises(StagingProblem, match="has changed"):
        lay_items([piece], store, str(workdir / "other"), {})


# --- into a workdir


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ""])
def test_an_input_does_not_leave_the_workdir(store: str, workdir: Path, path: str) -> None:
    with pytest.raises(StagingProblem, match="leads out of the workdir"):
        lay_items([Piece(path, stored(store, b"x"), 1)], store, str(workdir), {})
    with pytest.raises(StagingProblem, match="leads out of the workdir"):
        write_secret(str(workdir), path, b"x")


def test_an_input_does_not_leave_the_workdir_through_a_link_in_another(
    tmp_path: Path, store: str, workdir: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    folder = digest_folder(str(root))
    put_folder(store, str(root), folder)
    pieces = [Piece("a", folder.sha256, folder.size, 0o755, "folder"), Piece("a/out/x", stored(store, b"x"), 1)]

    with pytest.raises(StagingProblem, match="through a link"):
        lay_items(pieces, store, str(workdir), {})
    assert not (tmp_path / "x").exists()


def test_a_file_of_the_project_is_digested_once_unless_it_changed_just_now(
    tmp_path: Path, store: str, workdir: Path
) -> None:
    fresh = tmp_path / "source"
    fresh.write_bytes(b"content")
    settled = os.__file__
    verified: dict[tuple[int, int, int, int, int], str] = {}
    pieces = [Piece(str(n), *digest_file(str(path)), source=str(path)) for n, path in enumerate((fresh, settled))]

    lay_items(pieces, store, str(workdir), verified)

    assert verified == {stat_key(os.stat(settled)): pieces[1].sha256}


def test_a_listing_that_is_damaged_is_refused(store: str, workdir: Path) -> None:
    sha256 = stored(store, b"longshore-folder 1\n")
    kept = Path(object_path(store, sha256))
    kept.chmod(0o644)
    kept.write_bytes(b"longshore-folder 1\nl /etc x\n")

    with pytest.raises(StagingProblem, match="is damaged"):
        lay_items([Piece("a", sha256, 0, 0o755, "folder")], store, str(workdir), {})


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to("folder")

    remove_tree(str(tmp_path / "link"))

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_removing_what_is_not_there_is_silent(tmp_path: Path) -> None:
    remove_tree(str(tmp_path / "nothing"))
