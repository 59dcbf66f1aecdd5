"""Ignore files leave out of a folder what git would leave out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.remote.ignoring import Ignoring
from longshore.remote.walking import walk_input

SECONDS = 120
NAMES = st.sampled_from(
    ["a", "b", "ab", "a.o", "ba", "A", "a b", "a ", "!a", "#a", "[a]", "a*", "-", "\\", "é", "]", ".a"]
)
TREES = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=8)
WILD = "/ / * * ** **/ /** *** ? \\* \\ \\a \\/ ! # . \r".split(" ")
SETS = "[ab] [!a] [^b] [a-c] []a] []-a] [a\\] [a\\-c] [c-a] [--a] [/] [!/] [a [a- [".split(" ")
CLASSES = "[[:alpha:]] [[:space:][:punct:]] [[:x:]] [[:] [:a]".split(" ")
PIECES = st.one_of(NAMES, st.sampled_from([*WILD, " ", "\\ ", "\t"]), st.sampled_from([*SETS, *CLASSES]))
LINES = st.builds(
    lambda pieces, start: start + "".join(pieces), st.lists(PIECES, max_size=5), st.sampled_from(["", "", "!"])
)


@st.composite
def lines_about(draw: st.DrawFn, files: list[str]) -> str:
    """Make a rule that is likely to mean one of these files, or a folder that it is in."""
    parts = draw(st.sampled_from(files)).split("/")
    first = draw(st.integers(0, len(parts) - 1))
    parts = parts[first : draw(st.integers(first + 1, len(parts)))]
    changed = [
        draw(st.sampled_from([part, part, "*", "**", f"**/{part}", f"{part}/**", "?" + part[1:]])) for part in parts
    ]
    start, end = draw(st.sampled_from(["", "/", "!", "!/", "**/"])), draw(st.sampled_from(["", "", "/"]))
    return start + "/".join(changed) + end


def is_ignored(path: str, *lines: str, folder: bool = False, **nested: str) -> bool:
    files = {b"": "\n".join(lines).encode(), **{key.encode(): text.encode() for key, text in nested.items()}}
    return Ignoring(files).ignored(path.encode(), folder=folder)


@pytest.mark.parametrize(
    ("rule", "ignored", "kept"),
    [
        ("*.o", ["a.o", "deep/er/a.o"], ["a.c", "a.o.c"]),
        ("/top", ["top"], ["deep/top"]),
        ("deep/a", ["deep/a"], ["x/deep/a"]),
        ("**/a", ["a", "x/a", "x/y/a"], ["ba"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["b", "ab"]),
        ("a/**", ["a/x", "a/x/y"], ["a"]),
        ("a/*", ["a/x"], ["a/x/y"]),
        ("[a-c]?", ["a1", "cc"], ["a", "d1"]),
        ("*ab*c*de/f*g*h", ["abcde/fgh", "xabxcabxde/fxghxh"], ["acde/fgh", "abc/de/fgh", "abcde/fg/h"]),
        ("[!a]", ["b"], ["a"]),
        ("\\#a", ["#a"], ["a"]),
        ("#a", [], ["#a", "a"]),
        ("\\!a", ["!a"], ["a"]),
        ("a\\ ", ["a "], ["a"]),
        ("a   ", ["a"], ["a "]),
        ("a\r", ["a"], ["a\r"]),
        ("a/", [], ["a"]),
    ],
)
def test_a_rule_means_what_it_means_to_git(rule: str, ignored: list[str], kept: list[str]) -> None:
    assert [path for path in (*ignored, *kept) if is_ignored(path, rule)] == ignored


def test_a_rule_that_ends_in_a_slash_is_for_folders() -> None:
    assert is_ignored("deep/build", "build/", folder=True)
    assert not is_ignored("deep/build", "build/")


def test_the_last_rule_that_matches_decides_and_inner_files_come_before_outer_ones() -> None:
    assert not is_ignored("b.csv", "*.csv", "!b.csv")
    assert is_ignored("b.csv", "!b.csv", "*.csv")
    assert not is_ignored("deep/b.csv", "*.csv", deep="!b.csv")
    assert is_ignored("deep/b.csv", "!*.csv", deep="/b.csv")
    assert is_ignored("b.csv", "*.csv", deep="!b.csv")


def test_a_rule_with_many_stars_takes_no_longer_for_a_long_name() -> None:
    assert not is_ignored("a" * 250, "*a" * 20 + "*b")
    assert is_ignored("a" * 250 + "b", "*a" * 20 + "*b")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("git") is None:
        pytest.skip("there is no git to compare with")
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=SECONDS)
    return folder


def planted(top: Path, files: list[str], rules: Mapping[str, str]) -> None:
    """Make a folder anew; a file stands in nobody's way."""
    for entry in os.scandir(top):
        if entry.name != ".git":
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)
    for path in files:
        try:
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).touch()
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
    for folder, content in rules.items():
        if (top / folder).is_dir():
            (top / folder / ".gitignore").write_bytes(content.encode())


@given(st.data())
@settings(
    max_examples=int(os.environ.get("LONGSHORE_IGNORE_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_same_files_are_left_as_git_leaves(repository: Path, data: st.DataObject) -> None:
    files = data.draw(TREES)
    folders = sorted({"", *(path.rpartition("/")[0] for path in files)})
    contents = st.lists(st.one_of(LINES, lines_about(files)), max_size=5).map("\n".join)
    rules = data.draw(st.dictionaries(st.sampled_from(folders), contents, min_size=1, max_size=3))
    planted(repository, files, rules)

    command = ["git", "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"]
    told = subprocess.run(command, cwd=repository, capture_output=True, check=True, timeout=SECONDS).stdout

    found, _ = walk_input(str(repository), str(repository))
    kept = {path for path, entry in found if not entry.is_dir(follow_symlinks=False)}
    assert kept == {os.fsdecode(name) for name in told.split(b"\0") if name}
