"""What files and folders are known by."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.remote.digest import (
    CHUNK_BYTES,
    Entry,
    NotStorable,
    digest_file,
    digest_folder,
    parse_listing,
    write_listing,
)

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: os.fsdecode(b"/".join(parts)))
MODES = st.integers(0, 0o777)
DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
TARGETS = st.binary(min_size=1, max_size=30).filter(lambda target: 0 not in target).map(os.fsdecode)
ENTRIES = st.one_of(
    st.builds(lambda path, mode: Entry("d", path, mode=mode), PATHS, MODES),
    st.builds(lambda p, m, s, d: Entry("f", p, mode=m, size=s, sha256=d), PATHS, MODES, st.integers(0, 2**60), DIGESTS),
    st.builds(lambda path, target: Entry("l", path, target=target), PATHS, TARGETS),
)


def values(entry: Entry) -> tuple[object, ...]:
    return tuple(getattr(entry, name) for name in Entry.__slots__)


def tree(folder: Path) -> Path:
    """A folder of which everything counts."""
    root = folder / "root"
    (root / "b" / "empty").mkdir(parents=True)
    (root / "b" / "file").write_bytes(b"x")
    (root / "a").write_bytes(b"")
    (root / "link").symlink_to("../outside")
    for path, mode in (
        (root / "b", 0o755),
        (root / "b" / "empty", 0o700),
        (root / "b" / "file", 0o755),
        (root / "a", 0o644),
    ):
        path.chmod(mode)
    return root


@given(st.lists(ENTRIES))
def test_a_listing_is_read_back_as_it_was_written(entries: list[Entry]) -> None:
    listing = write_listing(entries)

    assert [values(entry) for entry in parse_listing(listing)] == [values(entry) for entry in entries]
    assert listing.isascii()


def test_the_listing_is_as_documented(tmp_path: Path) -> None:
    root = tree(tmp_path)
    (root / os.fsdecode(b"\xff %\n")).touch(mode=0o600)
    nothing = hashlib.sha256().hexdigest()

    folder = digest_folder(str(root))

    assert folder.listing.decode().splitlines() == [
        "longshore-folder 1",
        f"f 0644 0 {nothing} a",
        "d 0755 b",
        "d 0700 b/empty",
        f"f 0755 1 {hashlib.sha256(b'x').hexdigest()} b/file",
        "l ../outside link",
        f"f 0600 0 {nothing} %FF%20%25%0A",
    ]
    assert folder.sha256 == hashlib.sha256(folder.listing).hexdigest()
    assert folder.size == 1


@pytest.mark.parametrize("change", ["rename", "mode", "empty folder", "content", "link"])
def test_whatever_changes_in_a_folder_changes_its_digest(tmp_path: Path, change: str) -> None:
    root = tree(tmp_path)
    before = digest_folder(str(root)).sha256
    match change:
        case "rename":
            (root / "a").rename(root / "c")
        case "mode":
            (root / "b" / "file").chmod(0o644)
        case "empty folder":
            (root / "b" / "empty").rmdir()
        case "content":
            (root / "b" / "file").write_bytes(b"y")
        case _:
            (root / "link").unlink()
            (root / "link").symlink_to("elsewhere")

    assert digest_folder(str(root)).sha256 != before


def test_where_a_folder_lies_and_when_it_was_written_do_not_count(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(two / "a", (1, 1))

    assert digest_folder(str(one)).sha256 == digest_folder(str(two)).sha256


def test_a_socket_cannot_be_kept(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))

        with pytest.raises(NotStorable, match="/s is a socket"):
            digest_folder(str(tmp_path))


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"nonsense",
        b"longshore-folder 1\nd 0755 ../x\n",
        b"longshore-folder 1\nd 0755 /x\n",
        b"longshore-folder 1\nf 0644 1 abc\n",
        b"longshore-folder 1\nx 0644 y\n",
        b"longshore-folder 1\nd 0755 a%GG\n",
        b"longshore-folder 1\nd 0755 \xff\n",
    ],
)
def test_a_damaged_or_hostile_listing_is_refused(listing: bytes) -> None:
    with pytest.raises(NotStorable):
        parse_listing(listing)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_files_of_every_size_are_digested_whole(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(content)

    assert digest_file(str(path)) == (hashlib.sha256(content).hexdigest(), size)
