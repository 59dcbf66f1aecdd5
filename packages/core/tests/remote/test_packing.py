"""Objects arrive as they were, whole or not at all, however the stream cuts them."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from longshore.remote.arriving import Damaged, Part, part_size, receive_body
from longshore.remote.digest import digest_bytes, digest_file
from longshore.remote.packing import Broken, Reader, Writer, send_body
from longshore.remote.store import StagingProblem, has_object, object_path

MIB = 1 << 20


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def packed(path: Path, offset: int = 0, size: int | None = None) -> bytes:
    """Give the body of a file as it travels."""
    out: list[bytes] = []
    writer = Writer(lambda content: out.append(bytes(content)))
    handle = os.open(path, os.O_RDONLY)
    try:
        send_body(writer, handle, path.stat().st_size if size is None else size, offset)
    finally:
        os.close(handle)
    writer.flush()
    return b"".join(out)


def in_pieces(content: bytes, most: int = MIB) -> Callable[[int], bytes]:
    """Give what a stream of these bytes gives, at most so many at once."""
    stream = io.BytesIO(content)
    return lambda size: stream.read(min(size, most))


@settings(deadline=None)
@given(content=some.binary(max_size=3000), most=some.integers(1, 700))
def test_a_file_arrives_as_it_was_however_it_is_cut(content: bytes, most: int) -> None:
    folder = Path(tempfile.mkdtemp())
    (folder / "f").write_bytes(content)
    sha256 = digest_bytes(content)

    receive_body(Reader(in_pieces(packed(folder / "f"), most)), str(folder), sha256, len(content), 0)

    assert Path(object_path(str(folder), sha256)).read_bytes() == content
    assert list(folder.glob("tmp/*")) == []
    shutil.rmtree(folder)


@settings(deadline=None, max_examples=40)
@given(some.integers(0, 5 * MIB), some.data())
def test_what_was_broken_off_goes_on_where_it_was(size: int, data: some.DataObject) -> None:
    folder = Path(tempfile.mkdtemp())
    with (folder / "f").open("wb") as file:
        file.write(os.urandom(min(size, 3 * MIB)))
        file.truncate(size)
    sha256, _ = digest_file(str(folder / "f"))
    body = packed(folder / "f")
    cut = data.draw(some.integers(0, max(0, len(body) - 1)))

    if body:
        with pytest.raises(Broken):
            receive_body(Reader(in_pieces(body[:cut])), str(folder), sha256, size, 0)
    offset = part_size(str(folder), sha256, size)
    assert offset <= size
    receive_body(Reader(in_pieces(packed(folder / "f", offset))), str(folder), sha256, size, offset)

    assert digest_file(object_path(str(folder), sha256)) == (sha256, size)
    shutil.rmtree(folder)


def test_holes_travel_as_holes_and_arrive_as_holes(folder: Path) -> None:
    with (folder / "f").open("wb") as file:
        file.seek(64 * MIB)
        file.write(b"in the middle")
        file.truncate(128 * MIB)
    sha256, size = digest_file(str(folder / "f"))
    body = packed(folder / "f")

    receive_body(Reader(in_pieces(body)), str(folder), sha256, size, 0)

    assert len(body) < MIB
    stored = object_path(str(folder), sha256)
    assert digest_file(stored) == (sha256, size)
    assert os.stat(stored).st_blocks * 512 < 2 * MIB


def test_what_is_not_what_its_digest_says_is_not_kept(folder: Path) -> None:
    (folder / "f").write_bytes(b"hell")

    with pytest.raises(Damaged):
        receive_body(Reader(in_pieces(packed(folder / "f"))), str(folder), digest_bytes(b"hello"), 4, 0)

    assert not has_object(str(folder), digest_bytes(b"hello"))
    assert list(folder.glob("tmp/*")) == []


def test_a_file_that_becomes_shorter_meanwhile_voids_the_object(folder: Path) -> None:
    (folder / "f").write_bytes(b"hell")
    body = packed(folder / "f", size=5)

    with pytest.raises(StagingProblem, match="shorter"):
        receive_body(Reader(in_pieces(body)), str(folder), digest_bytes(b"hello"), 5, 0)


@pytest.mark.parametrize("body", [b"q" + bytes(8), b"d" + (2**60).to_bytes(8, "big"), b"d" + bytes(8), b"h"])
def test_what_makes_no_sense_is_no_object(folder: Path, body: bytes) -> None:
    with pytest.raises(Broken):
        receive_body(Reader(in_pieces(body)), str(folder), digest_bytes(b"hello"), 5, 0)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "x" * 64 + "/", "", "abc"])
def test_what_is_no_digest_names_no_file(folder: Path, name: str) -> None:
    with pytest.raises(Damaged, match="is no digest"):
        Part(str(folder), name, 1, 0)


def test_two_who_bring_the_same_are_not_in_each_others_way(folder: Path) -> None:
    sha256 = digest_bytes(b"hello")
    one, other = Part(str(folder), sha256, 5, 0), Part(str(folder), sha256, 5, 0)
    one.write(b"hel")
    other.write(b"hello")
    other.finish()
    one.write(b"lo")
    one.finish()

    assert Path(object_path(str(folder), sha256)).read_bytes() == b"hello"
    assert os.listdir(folder / "tmp") == []


@given(some.binary(max_size=400))
def test_any_bytes_are_a_line_or_refused(content: bytes) -> None:
    reader = Reader(in_pieces(content))
    try:
        while reader.line() is not None:
            pass
    except Broken:
        return
