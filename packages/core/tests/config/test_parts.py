"""The small parts of reading a workflow keep their rules."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longshore.config.cycles import find_cycles
from longshore.config.env_file import read_env_file
from longshore.config.globs import matches, may_meet
from longshore.config.load import Loaded
from longshore.config.places import TomlPlaces, key_lines
from longshore.config.problems import Mistakes
from longshore.config.resolve import resolve
from longshore.errors import ConfigError
from longshore.model.task import FilesMatching, LinesOf, OutputLines, Parameter, Range, Reference, Values

Read = Callable[..., Loaded]


def test_every_key_of_a_toml_text_has_its_line() -> None:
    text = '''# a comment
name = "w" # another
"quoted key".'and more'.x = 1

list = [
  "a ] b", # ]
  [1, 2],
]
text = """
[not.a.table]
no = "key" \\"""
"""
raw = \'\'\'
also = 'nothing' \'\'\'
table = { a = 1, b = { c = [
  3,
] } }
[ tasks . fit ]
for_each.year = [2001]
[[many]]
x = "\\"]"
y = 2
'''

    assert key_lines(text) == {
        ("name",): 2,
        ("quoted key",): 3,
        ("quoted key", "and more"): 3,
        ("quoted key", "and more", "x"): 3,
        ("list",): 5,
        ("text",): 9,
        ("raw",): 13,
        ("table",): 15,
        ("tasks",): 18,
        ("tasks", "fit"): 18,
        ("tasks", "fit", "for_each"): 19,
        ("tasks", "fit", "for_each", "year"): 19,
        ("many",): 20,
        ("many", "x"): 21,
        ("many", "y"): 22,
    }


def test_a_key_in_an_inline_table_stands_where_the_table_does() -> None:
    places = TomlPlaces("x.toml", "a = 1\nneeds = { cpus = 1 }\n")

    assert places(("needs", "cpus")) == "x.toml:2"
    assert places(("none",)) == "x.toml"


@example('"\\="=')
@given(st.text(alphabet="ab[]{}\"'=#.\n \\", max_size=60))
def test_any_text_can_be_looked_through_for_keys(text: str) -> None:
    lines = key_lines(text)

    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "d/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "d/e/a.csv", True),
        ("d/**", "d/e/a", True),
        ("?.txt", "a.txt", True),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("[]x].txt", "].txt", True),
        ("[z-a]", "b", False),
        ("a[", "a[", True),
        ("a.b", "axb", False),
        ("x\n*", "x\ny", True),
    ],
)
def test_a_glob_means_what_a_shell_means(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@given(pattern=st.text(alphabet="ab?*.-[]!", max_size=8), name=st.text(alphabet="ab.-[]!", min_size=1, max_size=6))
def test_a_glob_of_one_name_agrees_with_fnmatch(pattern: str, name: str) -> None:
    assert matches(pattern.replace("**", "*"), name) == fnmatch.fnmatchcase(name, pattern.replace("**", "*"))


SEGMENT = st.text(alphabet="ab", min_size=1, max_size=2)
PATH = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)
GLOB = st.lists(st.text(alphabet="ab*?", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@given(one=GLOB, other=GLOB, path=PATH)
def test_two_globs_that_mean_one_path_meet(one: str, other: str, path: str) -> None:
    if matches(one, path) and matches(other, path):
        assert may_meet(one, other)
    if matches(one, path):
        assert may_meet(one, path)
        assert may_meet(path, one)


def test_each_knot_of_waiting_tasks_is_shown_once() -> None:
    waits = {"a": ["c"], "b": ["a"], "c": ["b"], "d": ["a", "e"], "e": ["e"], "f": ["d", "none"], "g": []}

    assert sorted(find_cycles(waits)) == [["a", "b", "c", "a"], ["e", "e"]]


def test_a_long_chain_is_no_cycle_and_a_long_circle_is_one() -> None:
    chain = {f"t{number}": [f"t{number - 1}"] for number in range(1, 50_000)}

    assert find_cycles(chain) == []
    (circle,) = find_cycles({**chain, "t0": ["t49999"]})
    assert len(circle) == 50_001


@given(st.dictionaries(st.integers(0, 8).map(str), st.lists(st.integers(0, 8).map(str), max_size=3)))
def test_what_is_called_a_cycle_is_one(waits: dict[str, list[str]]) -> None:
    for circle in find_cycles(waits):
        assert circle[0] == circle[-1]
        assert all(before in waits[after] for before, after in pairwise(circle))


def test_an_env_file_is_read_as_shells_do(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(
        b"\xef\xbb\xbf# comment\r\nA=1\nexport B = two words # comment\n"
        b"C='a \"b\" $x # c'\n\n"
        b'  D="x\\ty\\n\\"q\\" \\d" # c\n'
        b"E=\nF='two\nlines'\nG=a#b\nA=again\nH=# nothing"
    )

    assert read_env_file(file) == {
        "A": "again",
        "B": "two words",
        "C": 'a "b" $x # c',
        "D": 'x\ty\n"q" \\d',
        "E": "",
        "F": "two\nlines",
        "G": "a#b",
        "H": "",
    }


def test_mistakes_in_an_env_file_are_said_with_lines_and_never_with_values(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nhunter2\nB='hunter2\n")

    with pytest.raises(Mistakes) as raised:
        read_env_file(file)

    assert [mistake.message for mistake in raised.value.mistakes] == [
        "line 2 of '.env' is no NAME=value",
        "line 3 of '.env' gives B a value with an open or misplaced quote",
    ]
    assert "hunter2" not in repr(raised.value.mistakes)


def test_what_the_project_holds_becomes_the_values(read: Read, folder: Path) -> None:
    loaded = read(
        """
name = "w"
[tasks.a]
command = "true"
for_each.n = { range = [1, 7, 3] }
for_each.f = { glob = "**/*.csv" }
for_each.g = { glob = "d/*", first = 1 }
for_each.l = { lines_of = "names" }
for_each.o = { lines_of = "workflow:///b/x" }
[tasks.b]
command = "true"
""",
        {
            "d/b.csv": "",
            "d/a.csv": "",
            "c.csv": "",
            "results/r/x.csv": "",
            ".longshore/x.csv": "",
            "d/e/f.txt": "",
            "names": " one \n\ntwo words\n",
        },
    )

    a, b = resolve(loaded.spec, folder).tasks

    assert a.for_each == (
        Parameter("n", Values(("1", "4", "7"))),
        Parameter("f", Values(("c.csv", "d/a.csv", "d/b.csv"))),
        Parameter("g", Values(("d/a.csv",))),
        Parameter("l", Values(("one", "two words"))),
        Parameter("o", OutputLines(Reference(task="b", path="x"))),
    )
    assert b is loaded.spec.tasks[1]
    assert resolve(resolve(loaded.spec, folder), folder) == resolve(loaded.spec, folder)


@pytest.mark.parametrize(
    ("source", "says", "remedy"),
    [
        ('{ glob = "*.nothing" }', "'*.nothing'", "mend the glob"),
        ('{ lines_of = "none" }', "'none'", "one value per line"),
        ('{ lines_of = "empty" }', "'empty' has no lines", "one value per line"),
        ('{ lines_of = "double" }', "'a' stands twice in 'double', in lines 1 and 3", "repeat"),
        ('{ lines_of = "binary" }', "not UTF-8", "readable text"),
        ('{ lines_of = "long" }', "'long' has a line 2 with more than 120 KiB", "one value per line"),
        ('{ lines_of = "nul" }', "'nul' has a line 1 with a NUL character", "one value per line"),
    ],
)
def test_a_source_without_good_values_is_a_problem_with_its_place(
    read: Read, folder: Path, source: str, says: str, remedy: str
) -> None:
    loaded = read(
        f'name = "w"\n[tasks.a]\ncommand = "true"\nfor_each.x = {source}\n', {"empty": "\n \n", "double": "a\nb\na\n"}
    )
    (folder / "binary").write_bytes(b"\xff\n")
    (folder / "long").write_text(f"a\n{'x' * (1 << 20)}\nb\n")
    (folder / "nul").write_text("a\0b\n")

    with pytest.raises(ConfigError) as raised:
        resolve(loaded.spec, folder, loaded.place)

    (problem,) = raised.value.problems
    assert (problem.place, problem.key) == ("longshore.toml:4", "tasks.a.for_each.x")
    assert says in problem.message
    assert remedy in problem.remedy


def test_a_file_name_that_no_list_can_show_is_refused(read: Read, folder: Path) -> None:
    loaded = read('name = "w"\n[tasks.a]\ncommand = "true"\nfor_each.x = { glob = "data*" }\n')
    (folder / "data\n1").write_text("")

    with pytest.raises(ConfigError, match="rename the file"):
        resolve(loaded.spec, folder)


def test_sources_are_kept_until_they_are_resolved(read: Read) -> None:
    loaded = read(
        'name = "w"\n[tasks.a]\ncommand = "true"\nfor_each.x = { glob = "*" }\nfor_each.y = { lines_of = "y" }\n'
        "for_each.z = { range = [3, 3, 9] }\n"
    )

    assert loaded.spec.tasks[0].for_each == (
        Parameter("x", FilesMatching(glob="*")),
        Parameter("y", LinesOf("y")),
        Parameter("z", Range(first=3, last=3)),
    )
