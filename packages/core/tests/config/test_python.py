"""A workflow built by calls is the workflow that a file says, and its mistakes are said with the lines of the calls."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.config.load import Loaded, load
from longshore.config.python import Param, Workflow
from longshore.errors import ConfigError
from longshore.model.command import Call
from longshore.model.shell import problem
from longshore.model.task import FileInput, Range, Values

Read = Callable[..., Loaded]
HERE = Path(__file__).name


def line_of(call: str) -> str:
    """The place of a line of this file."""
    lines = Path(__file__).read_text().splitlines()
    return str(next(number for number, text in enumerate(lines, start=1) if call in text))


def test_the_same_in_python_and_in_toml_is_the_same_value(read: Read, folder: Path) -> None:
    loaded = read(
        """
name = "pv"
max_tasks = 3
strategy = { name = "random", seed = 7 }
[pools.small]
tasks = 2
[environments.sci]
pip = ["numpy"]
before = "prepare.sh"
[tasks.prepare]
command = "python prepare.py > clean.csv"
inputs = ["raw.csv"]
outputs = ["clean.csv"]
[tasks.fit]
for_each.year = { range = [2001, 2020] }
for_each.model = ["a", "b"]
command = ["python", "fit.py", "workflow:///prepare/clean.csv"]
needs = { cpus = 2, memory = "4 GiB" }
retry = { attempts = 3 }
timeout = "2 h"
env = { MODE = "fast" }
outputs = ["model.json"]
[tasks.report]
command = "cat workflow:///fit/*/model.json"
after = ["prepare"]
""",
        {"raw.csv": "", "prepare.py": "", "fit.py": ""},
    )
    wf = Workflow("pv", max_tasks=3, strategy={"name": "random", "seed": 7})
    wf.pool("small", tasks=2)
    wf.environment("sci", pip=["numpy"], before=Path("prepare.sh"))
    prepare = wf.shell("prepare", "python prepare.py > clean.csv", inputs=[Path("raw.csv")], outputs={"clean.csv"})
    fit = wf.shell(
        "fit",
        ["python", "fit.py", prepare.output("clean.csv")],
        for_each={"year": range(2001, 2021), "model": (letter for letter in "ab")},
        needs={"cpus": 2, "memory": 4 * 2**30},
        retry=3,
        timeout=timedelta(hours=2),
        env={"MODE": "fast"},
        outputs=["model.json"],
        pool=None,
    )
    wf.shell("report", f"cat {fit.output('model.json', member='*')}", after=[prepare])

    assert wf.spec(folder) == loaded.spec


def test_a_table_is_added_as_a_file_has_it(read: Read, folder: Path) -> None:
    loaded = read('name = "w"\n[tasks.a]\ncall = "json:dumps"\nargs = [1]\nrepeat = 2\n')
    wf = Workflow("w")
    wf.add("a", {"call": "json:dumps", "args": [1], "repeat": 2})

    assert wf.spec(folder) == loaded.spec


def test_handles_stand_for_files_results_and_parameters(folder: Path) -> None:
    wf = Workflow("w")
    one = wf.call(json.dumps, 1, name="one", outputs=["x.txt"])
    wf.call(
        json.dumps,
        [one, one.output("x.txt"), {"year": Param("year")}],
        name="two",
        kwargs={"obj": one.result},
        for_each={"year": [2001]},
    )

    two = wf.spec(folder).task("two")

    assert two is not None
    assert isinstance(two.command, Call)
    assert json.loads(two.command.arguments) == {
        "args": [[{"$result": "one"}, {"$file": "workflow:///one/x.txt"}, {"year": {"$param": "year"}}]],
        "kwargs": {"obj": {"$result": "one"}},
    }
    assert (two.after, [reference.path for reference in two.references]) == (("one",), ["x.txt"])


def test_what_the_caller_changes_later_is_not_in_the_workflow(folder: Path) -> None:
    outputs, values = ["x"], ["1"]
    wf = Workflow("w")
    wf.shell("a", "true", outputs=outputs, for_each={"v": values})
    outputs.append("y")
    values.append("2")

    (task,) = wf.spec(folder).tasks

    assert task.outputs == ("x",)
    assert task.for_each[0].source == Values(("1",))


def test_a_function_of_a_module_goes_by_its_name_and_any_other_as_a_pickle(folder: Path) -> None:
    pytest.importorskip("cloudpickle")
    wf = Workflow("w")
    wf.call(math.sqrt, 2)
    wf.call(lambda: 1, name="inner")

    by_name, pickled = (task.command for task in wf.spec(folder).tasks)

    assert by_name == Call(function="math:sqrt", arguments='{"args": [2], "kwargs": {}}')
    assert isinstance(pickled, Call)
    assert pickled.pickle


def test_a_mistake_is_said_with_the_line_of_the_call(folder: Path) -> None:
    wf = Workflow("w", max_tasks=0)
    wf.shell("a", "true", timeout="2")  # the line of a
    wf.shell("b", "cat workflow:///c/x")  # the line of b
    wf.pool("p", tasks="many")  # the line of p

    with pytest.raises(ConfigError) as raised:
        wf.spec(folder)

    assert [(Path(problem.place).name, problem.key) for problem in raised.value.problems] == [
        (f"{HERE}:{line_of('max_tasks=0')}", "max_tasks"),
        (f"{HERE}:{line_of('# the line of p')}", "pools.p.tasks"),
        (f"{HERE}:{line_of('# the line of a')}", "tasks.a.timeout"),
        (f"{HERE}:{line_of('# the line of b')}", "tasks.b.command"),
    ]


def test_an_unknown_word_is_a_mistake_like_any_other(folder: Path) -> None:
    wf = Workflow("w")
    wf.shell("a", "true", output=["x"])  # type: ignore[call-arg]

    with pytest.raises(ConfigError, match="did you mean 'outputs'"):
        wf.spec(folder)


def test_a_name_that_is_taken_is_refused_with_both_lines() -> None:
    wf = Workflow("w")
    wf.shell("a", "true")  # the first a

    with pytest.raises(ConfigError) as raised:
        wf.shell("a", "true")

    assert f"{HERE}:{line_of('# the first a')}" in str(raised.value)


@pytest.mark.parametrize("argument", [object(), math.nan, {1: "x"}, b"bytes"])
def test_an_argument_that_json_cannot_say_is_refused(folder: Path, argument: Any) -> None:
    wf = Workflow("w")
    wf.call(json.dumps, argument, name="a")

    with pytest.raises(ConfigError) as raised:
        wf.spec(folder)

    (problem,) = raised.value.problems
    assert problem.key.startswith("tasks.a.args")


def test_what_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="without brackets"):
        Workflow("w").call(3, name="a")  # type: ignore[arg-type]


def test_a_script_that_defines_a_workflow_is_a_workflow_file(folder: Path) -> None:
    (folder / "tools.py").write_text("def double(x):\n    return 2 * x\n")
    (folder / "pv.py").write_text(
        "import tools\nfrom longshore.config.python import Workflow\n\ndef half(x):\n    return x / 2\n\n"
        "workflow = Workflow('pv')\nworkflow.call(tools.double, 2)\nworkflow.call(half, 2, for_each={'i': range(3)})\n"
    )

    loaded = load(folder / "pv.py", ("tasks.half.timeout=1 min",))

    double, half = loaded.spec.tasks
    assert double.command == Call(function="tools:double", arguments='{"args": [2], "kwargs": {}}')
    assert double.inputs == (FileInput("tools.py", guessed=True),)
    assert half.command == Call(function="pv:half", arguments='{"args": [2], "kwargs": {}}')
    assert half.inputs == (FileInput("pv.py", guessed=True), FileInput("tools.py", guessed=True))
    assert half.for_each[0].source == Range(first=0, last=2)
    assert half.timeout == timedelta(minutes=1)


def test_two_projects_may_have_modules_of_one_name(tmp_path: Path) -> None:
    names = []
    for project in ("one", "two"):
        (tmp_path / project).mkdir()
        (tmp_path / project / "tools.py").write_text(f"NAME = {project!r}\n")
        script = tmp_path / project / "flow.py"
        script.write_text(
            "import tools\nfrom longshore.config.python import Workflow\n"
            "workflow = Workflow(tools.NAME)\nworkflow.shell('a', 'true')\n"
        )
        names.append(load(script).spec.name)

    assert names == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("x = 1\n", "flow.py", "defines no 'workflow'"),
        ("workflow = 3\n", "flow.py", "of the type int"),
        ("x = 1\nraise RuntimeError('boom')\n", "flow.py:2", "RuntimeError: boom"),
        ("x = 1\ny = (\n", "flow.py:2:5", "this is not Python"),
        ("import sys\nsys.exit(3)\n", "flow.py:2", "SystemExit: 3"),
        ("import no_such_module_at_all\n", "flow.py:1", "ModuleNotFoundError"),
    ],
)
def test_a_script_that_fails_is_a_problem_with_its_line(folder: Path, text: str, place: str, says: str) -> None:
    (folder / "flow.py").write_text(text)

    with pytest.raises(ConfigError) as raised:
        load(folder / "flow.py")

    (problem,) = raised.value.problems
    assert problem.place == place
    assert says in problem.message


def test_a_script_named_like_a_module_of_python_is_refused(folder: Path) -> None:
    (folder / "json.py").write_text("")

    with pytest.raises(ConfigError, match="another name"):
        load(folder / "json.py")


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=10)
PATHS = st.from_regex(r"[a-h][a-z ]{0,5}(/[a-z]{1,3})?", fullmatch=True)
DURATIONS = st.builds("{} {}".format, st.integers(1, 99), st.sampled_from(["s", "min", "h"]))
WORDS = st.fixed_dictionaries(
    {
        "command": TEXT.filter(lambda text: problem(text) is None and "workflow:" not in text)
        | st.lists(TEXT, min_size=1, max_size=3)
    },
    optional={
        "outputs": st.lists(PATHS, max_size=1),
        "needs": st.fixed_dictionaries({}, optional={"cpus": st.integers(0, 9), "memory": st.just("3 GiB")}),
        "retry": st.integers(1, 5) | st.fixed_dictionaries({}, optional={"attempts": st.just(2), "delay": DURATIONS}),
        "timeout": DURATIONS,
        "env": st.dictionaries(st.from_regex(r"[A-K][A-Z]{0,3}", fullmatch=True), TEXT, max_size=2),
        "keep": st.booleans(),
        "for_each": st.dictionaries(
            st.sampled_from(["year", "x"]),
            st.lists(TEXT | st.integers(), min_size=1, max_size=3, unique_by=str)
            | st.fixed_dictionaries({"range": st.just([1, 9, 2])}),
            min_size=1,
        ),
        "repeat": st.integers(1, 9),
        "priority": st.integers(-9, 9),
    },
)


def toml(value: Any) -> str:
    """Write a value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
    return json.dumps(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(tasks=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.-]{0,5}", fullmatch=True), WORDS, min_size=1, max_size=4))
def test_any_workflow_is_the_same_in_toml_and_in_python(read: Read, folder: Path, tasks: dict[str, Any]) -> None:
    text = "".join(
        f"[tasks.{toml(name)}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in words.items())
        for name, words in tasks.items()
    )
    wf = Workflow("w")
    for name, words in tasks.items():
        wf.shell(name, **words)

    assert wf.spec(folder) == read(f'name = "w"\n{text}').spec
