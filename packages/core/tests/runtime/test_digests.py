"""Digests of the project's files: told once, remembered, and never believed of a file that may have changed."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from longshore.errors import InputMissing
from longshore.model.attempt import Item
from longshore.remote.digest import Entry, FolderDigest, digest_folder
from longshore.remote.store import object_path
from longshore.runtime.digests import Digested, Digests


def later() -> int:
    """Tell the time as if a minute had passed since anything was written."""
    return time.time_ns() + 60 * 10**9


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path / "cache", later)


def written(path: Path, content: bytes = b"content") -> Path:
    path.write_bytes(content)
    return path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_known_by_its_bytes_and_mode(tmp_path: Path, digests: Digests) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    path.chmod(0o755)

    assert digests.of([str(path)]) == [Digested(sha256(b"content"), 7, 0o755, "file")]


def test_an_empty_file_has_a_digest(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "a").touch()

    assert digests.of([str(tmp_path / "a")])[0].sha256 == sha256(b"")


def test_a_folder_is_known_by_its_listing(tmp_path: Path, digests: Digests) -> None:
    folder = tmp_path / "data"
    (folder / "empty").mkdir(parents=True)
    (folder / "a").write_bytes(b"aa")

    (found,) = digests.of([str(folder)])

    assert found == Digested(digest_folder(str(folder)).sha256, 2, folder.stat().st_mode & 0o777, "folder")


def test_what_was_digested_is_remembered_by_the_next_process(tmp_path: Path, digests: Digests) -> None:
    path = written(tmp_path / "a")
    (first,) = digests.of([str(path)])
    digests.close()

    again = Digests(tmp_path / "cache")

    assert again.known(str(path)) == first


def test_a_remembered_digest_is_believed_without_reading(tmp_path: Path, digests: Digests) -> None:
    path = written(tmp_path / "a")
    digests.of([str(path)])
    digests.close()
    with sqlite3.connect(tmp_path / "cache" / "digests.db") as db:
        db.execute("UPDATE digests SET sha256 = ?", ("0" * 64,))
    db.close()

    assert Digests(tmp_path / "cache").of([str(path)])[0].sha256 == "0" * 64


def test_remembered_digests_of_the_files_in_a_folder_are_believed_without_reading(
    tmp_path: Path, digests: Digests
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    first, second = written(folder / "a"), written(folder / "b")
    digests.of([str(folder)])
    digests.close()
    with sqlite3.connect(tmp_path / "cache" / "digests.db") as db:
        db.execute("UPDATE digests SET sha256 = ? WHERE inode = ?", ("0" * 64, first.stat().st_ino))
    second.write_bytes(b"new content")

    again = Digests(tmp_path / "cache", later)
    (found,) = again.of([str(folder)])

    rows = [Entry("f", "a", 0o644, 7, "0" * 64), Entry("f", "b", 0o644, 11, sha256(b"new content"))]
    for row, path in zip(rows, (first, second), strict=True):
        row.mode = path.stat().st_mode & 0o777
    assert found.sha256 == FolderDigest(rows).sha256


def test_what_is_in_a_folder_that_is_sent_is_kept_as_it_was_seen(tmp_path: Path, digests: Digests) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    written(folder / "a")
    (found,) = digests.of([str(folder)])
    listing = digest_folder(str(folder)).listing
    item = Item(path="data", sha256=found.sha256, size=found.size, mode=0o755, kind="folder", source=str(folder))
    assert not (tmp_path / "cache" / "objects").exists()

    digests.sending([item])

    assert Path(object_path(str(tmp_path / "cache"), found.sha256)).read_bytes() == listing


@pytest.mark.parametrize("seconds", [-10, 0, 1.9])
def test_a_file_changed_just_before_it_was_read_is_read_again(tmp_path: Path, seconds: float) -> None:
    path = written(tmp_path / "a")
    digests = Digests(tmp_path / "cache", lambda: path.stat().st_ctime_ns + int(seconds * 1e9))
    digests.of([str(path)])

    assert digests.known(str(path)) is None


def test_a_file_changed_two_seconds_before_it_was_read_is_remembered(tmp_path: Path) -> None:
    path = written(tmp_path / "a")
    digests = Digests(tmp_path / "cache", lambda: path.stat().st_ctime_ns + 2 * 10**9 + 1)
    digests.of([str(path)])

    assert digests.known(str(path)) is not None


def test_a_change_that_keeps_size_and_modification_time_is_seen(tmp_path: Path, digests: Digests) -> None:
    path = written(tmp_path / "a", b"before")
    os.utime(path, (1, 1))
    digests.of([str(path)])
    written(path, b"behind")
    os.utime(path, (1, 1))

    assert digests.of([str(path)])[0].sha256 == sha256(b"behind")


@pytest.mark.parametrize("name", ["with space", "quo'te\"", "new\nline", "ümlaut", os.fsdecode(b"\xff\xfe")])
def test_names_may_be_odd(tmp_path: Path, digests: Digests, name: str) -> None:
    path = written(tmp_path / name)

    digests.of([str(path)])

    assert digests.known(str(path)) is not None


@pytest.mark.parametrize(("name", "words"), [("nothing", "does not exist"), ("pipe", "socket, pipe or device")])
def test_what_cannot_be_an_input_is_told(tmp_path: Path, digests: Digests, name: str, words: str) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InputMissing, match=words):
        digests.of([str(tmp_path / name)])


def test_a_pipe_in_a_folder_is_told_by_its_path(tmp_path: Path, digests: Digests) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data" / "pipe")

    with pytest.raises(InputMissing, match="data/pipe is a socket, pipe or device"):
        digests.of([str(tmp_path / "data")])


def test_many_threads_may_ask_for_one_file(tmp_path: Path, digests: Digests) -> None:
    path = written(tmp_path / "a", b"x" * 5_000_000)

    with ThreadPoolExecutor(8) as pool:
        found = {digest.sha256 for (digest,) in pool.map(lambda _: digests.of([str(path)]), range(32))}

    assert found == {sha256(b"x" * 5_000_000)}


def test_a_damaged_memory_is_moved_aside_with_one_warning(
    tmp_path: Path, digests: Digests, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "digests.db").write_bytes(b"no database" * 1000)

    assert digests.of([str(path)])[0].sha256 == sha256(b"content")
    assert digests.known(str(path)) is not None
    (record,) = caplog.records
    place = tmp_path / "cache" / "digests.db"
    moved = f"{place} was damaged; it has been moved to {place}.damaged-1 and begins anew."
    assert record.getMessage() == f"{moved} Files that have not changed are read again."


def test_without_a_place_to_remember_everything_still_works(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "a")
    (tmp_path / "cache").write_text("a file where the folder should be")
    digests = Digests(tmp_path / "cache", later)

    assert digests.of([str(path)])[0].sha256 == sha256(b"content")
    assert "cannot be used" in caplog.text
