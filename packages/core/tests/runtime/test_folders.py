"""What ignore files leave out of a folder of the project counts nowhere; what is heavy is said before it is sent."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from longshore.errors import InputMissing
from longshore.model.attempt import Item
from longshore.remote.digest import digest_folder
from longshore.remote.laying import lay_items
from longshore.runtime.digests import Digests
from longshore.runtime.folders import Folders, heaviest

from .test_inputs import Bench, inputs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def laid(bench: Bench, *paths: str) -> list[str]:
    """Lay what a task reads; give the files that its command finds."""
    items = bench.resolve(inputs(*paths)).items
    target = bench.folder / "workdir"
    target.mkdir()
    lay_items(items, str(bench.project.store), str(target), {})
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())


def identity(bench: Bench, *paths: str) -> str:
    return bench.resolve(inputs(*paths)).identity


def test_what_is_ignored_is_not_laid_and_does_not_count_for_the_identity(bench: Bench) -> None:
    bench.put("src/.longshoreignore", b"*.o\n/build/\n")
    for path in ("src/a.c", "src/a.o", "src/deep/b.o", "src/build/x/y", "src/deep/build"):
        bench.put(path)
    before = identity(bench, "src")

    assert laid(bench, "src") == ["src/.longshoreignore", "src/a.c", "src/deep/build"]
    bench.put("src/a.o", b"changed")
    bench.put("src/build/new")
    assert identity(bench, "src") == before
    bench.put("src/a.c", b"changed")
    assert identity(bench, "src") != before


def test_a_changed_ignore_file_counts_at_once_with_digests_remembered(bench: Bench) -> None:
    for path in ("src/a", "src/b"):
        bench.put(path)
        os.utime(bench.folder / path, (0, 0))
    digests = Digests(bench.folder / "cache", lambda: 1 << 62)
    place = str(bench.folder / "src")
    whole = digests.of([place])

    bench.put(".longshoreignore", b"b\n")

    (less,) = digests.of([place], str(bench.folder))
    assert [less] != whole
    assert less.size == 1
    (bench.folder / ".longshoreignore").unlink()
    assert digests.of([place], str(bench.folder)) == whole


def test_ignore_files_between_the_project_and_the_folder_count(bench: Bench) -> None:
    bench.put(".gitignore", b"*.log\n!keep.log\n/packages/one/x\n")
    bench.put("packages/.gitignore", b"one/y\n")
    for name in ("x", "y", "z", "a.log", "keep.log"):
        bench.put(f"packages/one/{name}")

    assert laid(bench, "packages/one") == ["packages/one/keep.log", "packages/one/z"]


def test_one_file_of_our_own_takes_the_place_of_all_gitignores(bench: Bench) -> None:
    bench.put(".gitignore", b"a\n")
    bench.put("src/.gitignore", b"b\n")
    bench.put("src/deep/.longshoreignore", b"c\n")
    for name in ("a", "b", "c", "deep/c"):
        bench.put(f"src/{name}")

    assert laid(bench, "src") == ["src/.gitignore", "src/a", "src/b", "src/c", "src/deep/.longshoreignore"]


def test_what_belongs_to_git_is_never_an_input(bench: Bench) -> None:
    bench.put("src/.git/HEAD")
    bench.put("src/module/.git")
    bench.put("src/a")

    assert laid(bench, "src") == ["src/a"]


def test_what_is_named_is_there_whatever_ignore_files_say(bench: Bench) -> None:
    bench.put(".gitignore", b"src\n*.csv\nbuild/\n")
    for path in ("src/a", "src/b.csv", "src/c.csv", "src/build/x", "src/build/y"):
        bench.put(path)

    assert laid(bench, "src/build", "src/b.csv", "src") == ["src/a", "src/b.csv", "src/build/x", "src/build/y"]


def test_a_folder_of_which_nothing_is_left_is_no_input(bench: Bench) -> None:
    bench.put("venv/.gitignore", b"*\n")
    bench.put("venv/a")

    with pytest.raises(InputMissing, match=r"leave out all that is in .*venv; a \.longshoreignore in it"):
        bench.resolve(inputs("venv"))

    bench.put("venv/.longshoreignore", b"")
    assert laid(bench, "venv") == ["venv/.gitignore", "venv/.longshoreignore", "venv/a"]


def test_an_ignored_folder_that_cannot_be_stored_harms_nobody(bench: Bench) -> None:
    bench.put(".longshoreignore", b"/src/run/\n")
    bench.put("src/a")
    (bench.folder / "src/run").mkdir()
    os.mkfifo(bench.folder / "src/run/pipe")

    assert laid(bench, "src") == ["src/a"]


def test_the_heaviest_come_first() -> None:
    sizes = [("a/x", 1 << 10), ("b/x", 1 << 20), ("b/y/z", 1 << 20), ("c", 5), ("d/x", 7)]

    assert heaviest(sizes) == "b 2 MiB, a 1 KiB, d 7 B"


def test_a_heavy_folder_is_told_of_once_with_its_heaviest_parts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "data"
    for name, size in (("raw/a", 3000), ("raw/b", 2000), ("small", 10)):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"x" * size)
    digested = digest_folder(str(place))
    item = Item(path="data", sha256=digested.sha256, size=digested.size, kind="folder", source=str(place))

    with caplog.at_level(logging.WARNING, "longshore"):
        for most in (digested.size, digested.size - 1):
            folders = Folders(most)
            folders.seen(str(place), digested, ())
            folders.sending([item])
            folders.sending([item])

    [record] = caplog.records
    assert record.getMessage() == (
        "the input folder data, which is sent to machines, has 4.89 KiB: raw 4.88 KiB, small 10 B; a file "
        ".longshoreignore in it leaves out what tasks do not need, as .gitignore does"
    )
