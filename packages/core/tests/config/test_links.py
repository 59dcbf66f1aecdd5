"""What a task reads of other tasks and of the project is found in what was written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from longshore.config.load import Loaded
from longshore.errors import ConfigError
from longshore.model.task import (
    FileInput,
    FilesMatching,
    OutputFiles,
    OutputLines,
    Parameter,
    Reference,
    TaskSpec,
    UrlInput,
)

Read = Callable[..., Loaded]


def task(loaded: Loaded, name: str) -> TaskSpec:
    found = loaded.spec.task(name)
    assert found is not None
    return found


def replaced(spec: TaskSpec, text: str) -> list[tuple[str, str]]:
    """Show what of a text would be replaced, and the path that is meant."""
    return [(text[each.start : each.prefix_end], each.path) for each in spec.references]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cat workflow:///a/x.txt", [("workflow:///a/", "x.txt")]),
        ('cat "workflow:///a/x.txt"', [("workflow:///a/", "x.txt")]),
        ("cat 'workflow:///a/x.txt'", [("workflow:///a/", "x.txt")]),
        ("cat workflow:///a/x.txt; true", [("workflow:///a/", "x.txt")]),
        ("(cat workflow:///a/x.txt)", [("workflow:///a/", "x.txt")]),
        ("cat workflow:///a/x.txt|sort", [("workflow:///a/", "x.txt")]),
        ("cat workflow:///a/d/*.csv", [("workflow:///a/", "d/*.csv")]),
        ("cp -r workflow:///a/d/ .", [("workflow:///a/", "d")]),
        ("cat workflow:///a/$x", [("workflow:///a/", "**")]),
        ("ls workflow:///a/", [("workflow:///a/", "**")]),
        ("ls workflow:///a", [("workflow:///a", "**")]),
        ("cmp workflow:///a/x.txt workflow:///a/d/y", [("workflow:///a/", "x.txt"), ("workflow:///a/", "d/y")]),
        ("cat workflow://w/a/x.txt", [("workflow://w/a/", "x.txt")]),
        ("python -c \"open('workflow:///a/x.txt')\"", [("workflow:///a/", "x.txt")]),
        ('cat workflow:///a/d/"my file"', [("workflow:///a/", "d/my file")]),
        ('cat "workflow:///a/d/a[1].csv"', [("workflow:///a/", "d/a[[]1].csv")]),
        ('cat "workflow:///a/d/*.csv"', [("workflow:///a/", "d/*.csv")]),
        ("x=$(wc -l < workflow:///a/x.txt)", [("workflow:///a/", "x.txt")]),
        ("cat <<END\nworkflow:///a/x.txt\nEND\n", [("workflow:///a/", "x.txt")]),
    ],
)
def test_a_reference_in_a_command_is_found_with_what_is_to_be_replaced(
    read: Read, command: str, expected: list[tuple[str, str]]
) -> None:
    loaded = read(f"""
name = "w"
[tasks.a]
command = "make"
outputs = ["x.txt", "d/"]
[tasks.b]
command = '''{command}'''
""")

    b = task(loaded, "b")
    assert replaced(b, command) == expected
    assert {(each.task, each.workflow, each.member) for each in b.references} == {("a", "", "")}


FIT = 'name = "w"\n[tasks.fit]\nfor_each.year = [2001, 2002]\ncommand = "true"\noutputs = ["m"]\n'


@pytest.mark.parametrize(
    ("command", "prefix", "member"),
    [
        ("cat workflow:///fit/2001/m", "workflow:///fit/", "2001"),
        ("cat workflow:///fit/*/m", "workflow:///fit/", "*"),
        ("cat workflow:///fit/200?/m", "workflow:///fit/", "200?"),
        ("cat workflow:///fit/$year/m", "workflow:///fit/$year", "$year"),
        ('cat "workflow:///fit/${year}/m"', "workflow:///fit/${year}", "$year"),
        ("cat workflow:///fit/${year}9/m", "workflow:///fit/${year}9", "${year}9"),
        ("cat workflow:///fit/$year,$repeat/m", "workflow:///fit/$year,$repeat", "$year,$repeat"),
    ],
)
def test_a_member_is_named_by_itself_by_a_glob_or_by_parameters(
    read: Read, command: str, prefix: str, member: str
) -> None:
    loaded = read(f"{FIT}[tasks.b]\nfor_each.year = [2001]\nrepeat = 2\ncommand = '''{command}'''\n")

    (reference,) = task(loaded, "b").references
    assert command[reference.start : reference.prefix_end] == prefix
    assert (reference.member, reference.path, reference.glob) == (member, "m", False)


def test_a_reference_in_a_list_of_arguments_says_which_argument(read: Read) -> None:
    loaded = read(f'{FIT}[tasks.b]\ncommand = ["cat", "--in=workflow:///fit/*/m"]\n')

    assert task(loaded, "b").references == (
        Reference(task="fit", path="m", member="*", argument=1, start=5, prefix_end=21),
    )


def test_a_reference_in_inputs_stands_in_no_command_and_is_listed_once(read: Read) -> None:
    loaded = read(f"""{FIT}
[tasks.b]
inputs = ["workflow:///fit/2001/m", "workflow:///fit/2002/m", "workflow://other/scan/x.csv"]
command = "cat workflow:///fit/2001/m"
""")

    assert task(loaded, "b").references == (
        Reference(task="fit", path="m", member="2001", start=4, prefix_end=20),
        Reference(task="fit", path="m", member="2002"),
        Reference(task="scan", path="x.csv", workflow="other"),
    )


def test_files_and_results_in_the_arguments_of_a_call_are_read_of_others(read: Read) -> None:
    loaded = read("""
name = "w"
[tasks.a]
call = "json:dumps"
outputs = ["x.txt"]
[tasks.b]
call = "json:dumps"
args = [{ "$file" = "workflow:///a/x.txt" }, ["workflow:///a/x.txt"]]
kwargs = { obj = { "$result" = "a" } }
""")

    b = task(loaded, "b")
    (reference,) = b.references
    assert (reference.path, reference.task, b.after) == ("x.txt", "a", ("a",))
    arguments = getattr(b.command, "arguments", "")
    assert arguments[reference.start :].startswith('workflow:///a/x.txt"}')


def test_values_of_for_each_may_come_from_outputs(read: Read) -> None:
    loaded = read("""
name = "w"
[tasks.scan]
command = "make"
[tasks.b]
command = "echo $name $part"
for_each.name = { lines_of = "workflow:///scan/names.txt" }
for_each.part = { glob = "workflow:///scan/parts/*", first = 3 }
""")

    assert task(loaded, "b").for_each == (
        Parameter("name", OutputLines(Reference(task="scan", path="names.txt"))),
        Parameter("part", OutputFiles(reference=Reference(task="scan", path="parts/*", glob=True), first=3)),
    )
    assert task(loaded, "scan").outputs == ("names.txt", "parts/*")


def test_a_task_that_declares_no_outputs_has_those_that_others_read(read: Read) -> None:
    loaded = read("""
name = "w"
[tasks.a]
command = "mkdir d; touch d/x d/y z"
[tasks.b]
command = "cat workflow:///a/d/x workflow:///a/z"
[tasks.c]
command = "ls workflow:///a/d/"
inputs = ["workflow:///a/*.csv"]
""")

    assert task(loaded, "a").outputs == ("*.csv", "d/", "z")


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ("d/", "d/x"),
        ("d/", "d"),
        ("d/", "d/*.csv"),
        ("d/x", "d"),
        ("d/x", "d/"),
        ("*.csv", "a.csv"),
        ("a.csv", "*.csv"),
        ("d/*.csv", "d/a*"),
        ("**/*.csv", "a/b/c.csv"),
        ("d*", "d1/x"),
    ],
)
def test_a_declared_output_covers_what_it_may_be(read: Read, output: str, path: str) -> None:
    read(
        f'name = "w"\n[tasks.a]\ncommand = "x"\noutputs = ["{output}"]\n[tasks.b]\ncommand = "cat workflow:///a/{path}"\n'
    )


@pytest.mark.parametrize(
    ("output", "path"), [("d/", "e/x"), ("*.csv", "a.txt"), ("d/*.csv", "e/*.csv"), ("x", "xy"), ("*.csv", "d/a.csv")]
)
def test_a_declared_output_does_not_cover_what_it_cannot_be(read: Read, output: str, path: str) -> None:
    with pytest.raises(ConfigError, match="has no output"):
        read(
            f'name = "w"\n[tasks.a]\ncommand = "x"\noutputs = ["{output}"]\n'
            f'[tasks.b]\ncommand = "cat workflow:///a/{path}"\n'
        )


def test_project_files_that_a_command_shows_are_inputs(read: Read) -> None:
    loaded = read(
        """
name = "w"
[tasks.a]
command = "python ./src/fit.py data.csv 'my file' none.txt old.txt src"
inputs = ["data.csv", "src", "*.txt", "https://example.org/x"]
outputs = ["old.txt"]
""",
        {"src/fit.py": "", "data.csv": "", "my file": "", "old.txt": "", "other.txt": ""},
    )

    assert task(loaded, "a").inputs == (
        FileInput("data.csv"),
        FileInput("src"),
        FileInput("*.txt"),
        UrlInput("https://example.org/x"),
        FileInput("src/fit.py", guessed=True),
        FileInput("my file", guessed=True),
    )


def test_what_a_command_writes_is_no_input_though_it_is_there(read: Read) -> None:
    loaded = read(
        """
name = "w"
[tasks.a]
command = "sort < raw.txt > out.txt; cat out.txt 2>> log.txt"
""",
        {"raw.txt": "", "out.txt": "", "log.txt": ""},
    )

    assert task(loaded, "a").inputs == (FileInput("raw.txt", guessed=True),)


@pytest.mark.parametrize(
    "command",
    [
        "cat data.csv",
        "cat ./data.csv",
        "cat .//data.csv",
        "cat 'data.csv'",
        "cat da'ta'.csv",
        r"cat dat\a.csv",
        "(cat<data.csv)",
        "x $(cat data.csv)",
        'cat "$x" data.csv',
    ],
)
def test_a_file_is_seen_however_the_shell_is_told_of_it(read: Read, command: str) -> None:
    loaded = read(f"name = 'w'\n[tasks.a]\ncommand = '''{command}'''\n", {"data.csv": ""})

    assert task(loaded, "a").inputs == (FileInput("data.csv", guessed=True),)


def test_what_must_not_be_kept_is_never_guessed(read: Read) -> None:
    loaded = read(
        """
name = "w"
env_file = "keys.env"
[tasks.a]
command = "cat keys.env key.pem deep/lic"
secrets = { "key.pem" = { file = "key.pem" }, "lic" = { file = "deep/lic" } }
""",
        {"keys.env": "A=1\n", "key.pem": "", "deep/lic": ""},
    )

    assert task(loaded, "a").inputs == ()


def test_a_file_that_for_each_found_is_an_input_of_its_member(read: Read) -> None:
    loaded = read(
        """
name = "w"
[tasks.a]
for_each.file = { glob = "*.csv", first = 1 }
command = "wc $file"
[tasks.b]
for_each.name = ["x"]
command = "wc $name.csv"
inputs = ["$name.csv"]
""",
        {"x.csv": ""},
    )

    assert task(loaded, "a").for_each == (Parameter("file", FilesMatching(glob="*.csv", first=1)),)
    assert task(loaded, "a").inputs == (FileInput("$file"),)
    assert task(loaded, "b").inputs == (FileInput("$name.csv"),)


def test_the_code_of_a_call_is_an_input_with_all_that_it_imports_of_the_project(read: Read) -> None:
    loaded = read(
        'name = "w"\n[tasks.a]\ncall = "lib.fit:run"\n',
        {
            "lib/__init__.py": "",
            "lib/fit.py": "import json\nfrom . import tools\n\ndef run():\n    import settings\n",
            "lib/tools.py": "from lib.deep import thing\n",
            "lib/deep.py": "thing = 1\n",
            "lib/unused.py": "",
            "settings.py": "this is no Python",
        },
    )

    assert [item.path for item in task(loaded, "a").inputs if isinstance(item, FileInput)] == [
        "lib/__init__.py",
        "lib/deep.py",
        "lib/fit.py",
        "lib/tools.py",
        "settings.py",
    ]


def test_a_misspelt_function_is_refused_with_the_one_that_is_there(read: Read) -> None:
    with pytest.raises(ConfigError) as raised:
        read('name = "w"\n[tasks.a]\ncall = "fit:rum"\n', {"fit.py": "def run(): pass\n"})

    (problem,) = raised.value.problems
    assert problem.message == "fit.py has no function 'rum'"
    assert "'run'" in problem.remedy
