"""Which files declared outputs mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from longshore.remote.collecting import OutputProblem, collect_outputs, find_outputs
from longshore.remote.digest import digest_bytes
from longshore.remote.store import has_object

FILES = ["a.txt", "b.txt", ".hidden", "d/c.txt", "d/deep/e.txt", "d/deep/.secret", "odd[1].txt"]


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.txt", ["a.txt"]),
        ("./a.txt", ["a.txt"]),
        ("d/", ["d"]),
        ("d", ["d"]),
        ("*.txt", ["a.txt", "b.txt", "odd[1].txt"]),
        ("?.txt", ["a.txt", "b.txt"]),
        ("[!a].txt", ["b.txt"]),
        ("odd[[]1].txt", ["odd[1].txt"]),
        ("*/*.txt", ["d/c.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "d/c.txt", "d/deep/e.txt", "odd[1].txt"]),
        ("d/**", ["d/c.txt", "d/deep/e.txt"]),
        (".h*", [".hidden"]),
        ("*/", ["d"]),
    ],
)
def test_patterns_mean_what_they_mean_in_a_shell(workdir: Path, pattern: str, expected: list[str]) -> None:
    assert find_outputs(str(workdir), [pattern]).paths == expected


@pytest.mark.parametrize("pattern", ["nothing", "*.csv", "a.txt/", "a.txt/x", "nothing/*"])
def test_a_pattern_without_a_match_is_named(workdir: Path, pattern: str) -> None:
    with pytest.raises(OutputProblem) as caught:
        find_outputs(str(workdir), ["a.txt", pattern])
    assert str(caught.value).startswith(
        f"the output {pattern!r} was not written; in the workdir there is .hidden, a.txt"
    )


def test_what_several_patterns_mean_is_taken_once(workdir: Path) -> None:
    assert find_outputs(str(workdir), ["*.txt", "a.txt", "b.txt"]).paths == ["a.txt", "b.txt", "odd[1].txt"]


def test_links_to_inside_are_followed_once_and_loops_are_not(workdir: Path) -> None:
    (workdir / "link.txt").symlink_to("a.txt")
    (workdir / "d" / "loop").symlink_to(".")

    assert "link.txt" in find_outputs(str(workdir), ["*.txt"]).paths
    assert find_outputs(str(workdir), ["d/**/*.txt"]).paths == ["d/c.txt", "d/deep/e.txt"]


def test_a_pipe_is_no_output(workdir: Path) -> None:
    os.mkfifo(workdir / "pipe")

    with pytest.raises(OutputProblem, match="pipe is a socket, pipe or device"):
        find_outputs(str(workdir), ["pipe"])
    os.rename(workdir / "pipe", workdir / "d" / "pipe")
    with pytest.raises(OutputProblem, match="pipe is a socket, pipe or device"):
        collect_outputs(str(workdir), find_outputs(str(workdir), ["d/"]), str(workdir.parent / "store"), move=True)


@pytest.mark.parametrize("move", [True, False])
def test_a_file_may_be_an_output_by_itself_and_in_a_folder(workdir: Path, move: bool) -> None:
    store = str(workdir.parent / "store")
    (workdir / "link.txt").symlink_to("a.txt")
    found = find_outputs(str(workdir), ["d/", "d/c.txt", "d/deep/", "link.txt", "a.txt"])

    rows = collect_outputs(str(workdir), found, store, move=move)

    assert [(row[0], row[4]) for row in rows] == [
        ("d", "folder"),
        ("d/c.txt", "file"),
        ("d/deep", "folder"),
        ("link.txt", "file"),
        ("a.txt", "file"),
    ]
    assert all(has_object(store, row[1]) for row in rows)
    assert [rows[index][1] for index in (1, 3, 4)] == [digest_bytes(name) for name in (b"d/c.txt", b"a.txt", b"a.txt")]
    assert (workdir / "d" / "deep" / "e.txt").exists() is not move
