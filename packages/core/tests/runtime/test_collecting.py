"""What the members of a task give comes home as one table: a row for each, and a reason for each that has none."""

from __future__ import annotations

import csv
import json
import math
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore import ConfigError, Run, RunOptions, load, resume, start
from longshore.model.events import TableMade
from longshore.runtime.history import RunReader
from longshore.runtime.member_rows import Written
from longshore.runtime.planning import plan
from longshore.runtime.tables import Spool, write_table

Play = Callable[..., Run]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    def run(text: str, **options: object) -> Run:
        (tmp_path / "longshore.toml").write_text(text)
        loaded = load(tmp_path / "longshore.toml")
        with start(loaded.spec, loaded.folder, RunOptions(**options)) as running:  # type: ignore[arg-type]  # test sugar
            running.wait(timeout=120)
        return running

    return run


def table(run: Run, name: str = "fit/results.csv") -> list[dict[str, str]]:
    with (run.results / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def members(*commands: str, output: str = "row.json", collect: str = '"results.csv"') -> str:
    """A task whose members have a command each."""
    cases = " ".join(f"{number}) {command} ;;" for number, command in enumerate(commands, start=1))
    return f"""
        name = "t"
        [tasks.fit]
        for_each.n = {{ range = [1, {len(commands)}] }}
        command = '''case $n in {cases} esac'''
        outputs = ["{output}"]
        collect = {collect}
    """


def says(document: object) -> str:
    """A command that writes a document as its row."""
    return f"printf %s {json.dumps(json.dumps(document))} > row.json"


def test_each_member_has_one_row_with_its_parameters_and_what_it_wrote(play: Play) -> None:
    run = play(members(says({"score": 1.5, "name": "a,b"}), says({"score": 2, "more": True})))

    assert run.state == "succeeded"
    assert table(run) == [
        {"n": "1", "score": "1.5", "name": "a,b", "more": ""},
        {"n": "2", "score": "2", "name": "", "more": "true"},
    ]
    assert table(run, "fit/errors.csv") == []


def test_members_that_failed_were_cancelled_or_never_ran_are_told_with_their_reason(play: Play) -> None:
    run = play(
        members(says({"score": 1}), "echo no licence >&2; exit 3")
        + """
        [tasks.bad]
        command = "false"
        [tasks.late]
        repeat = 2
        after = ["bad"]
        command = "true > row.csv"
        outputs = ["row.csv"]
        collect = "late.csv"
        """
    )

    assert run.state == "failed"
    assert [row["n"] for row in table(run)] == ["1"]
    [failed] = table(run, "fit/errors.csv")
    assert failed == {
        "task": "fit[n=2]",
        "n": "2",
        "state": "failed",
        "class": "user code",
        "reason": "exit code 3: no licence",
    }
    assert table(run, "late/late.csv") == []
    assert [(row["task"], row["state"]) for row in table(run, "late/errors.csv")] == [
        ("late[repeat=1]", "skipped"),
        ("late[repeat=2]", "skipped"),
    ]


def test_a_run_that_stops_at_the_first_failure_says_of_the_others_that_they_never_began(play: Play) -> None:
    run = play("keep_going = false\n" + members("exit 1", says({"a": 1}), says({"a": 2})), jobs=1)

    assert run.state == "failed"
    assert [row["reason"] for row in table(run, "fit/errors.csv")] == [
        "exit code 1",
        "the run ended before it began",
        "the run ended before it began",
    ]


SPOILED = {
    "a list": (says([1, 2]), "a list"),
    "text": (says("a"), "a text"),
    "no JSON": ("echo '{' > row.json".replace("'", '"'), "not JSON"),
    "the same name twice": ('echo "{\\"a\\": 1, \\"a\\": 2}" > row.json', "'a' stands twice"),
    "one name by two ways": (says({"a.b": 1, "a": {"b": 2}}), "'a.b' twice"),
    "half a character": (says({"a": "\ud800"}), "half a character"),
    "not UTF-8": ('printf "{\\"a\\": \\"\\\\351\\"}" > row.json', "byte 0xe9 in line 1"),
    "too long": ("head -c 20000000 /dev/zero > row.json", "a row has at most 16"),
    "too deep": ('head -c 100000 /dev/zero | tr "\\\\0" "[" > row.json', "nested too deeply"),
    "a folder": ("mkdir row.json; touch row.json/x", "is a folder"),
}


@pytest.mark.parametrize(("command", "reason"), SPOILED.values(), ids=SPOILED)
def test_an_output_that_is_no_row_is_an_error_of_its_member_alone_and_fails_the_run(
    play: Play, command: str, reason: str
) -> None:
    run = play(members(says({"a": 1}), command, says({"a": 3})))

    assert run.state == "failed"
    assert [row["n"] for row in table(run)] == ["1", "3"]
    [error] = table(run, "fit/errors.csv")
    assert (error["n"], error["state"], error["class"]) == ("2", "succeeded", "user code")
    assert reason in error["reason"]
    assert (run.results / "fit" / "2" / "row.json").exists(), "what it wrote is not lost"


CSV_ROWS = {
    "values, and no header": ("1.5,2", "no header"),
    "an empty name": ("a,\n1,2", "no header"),
    "two columns of one name": ("a,a\n1,2", "two columns named 'a'"),
    "several lines": ("a\n1\n2", "2 lines of values"),
    "names alone": ("a,b", "0 lines of values"),
    "nothing": ("", "is empty"),
    "too few values": ("a,b\n1", "2 names and 1 values"),
    "an open quote": ('a\n"1', "not CSV"),
}


@pytest.mark.parametrize(("content", "reason"), CSV_ROWS.values(), ids=CSV_ROWS)
def test_csv_that_is_no_row_is_an_error_of_its_member(play: Play, tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "bad").write_text(content)
    run = play(members("printf 'a,b\\n007,x' > row.csv".replace("'", '"'), "cp bad row.csv", output="row.csv"))

    assert table(run) == [{"n": "1", "a": "007", "b": "x"}]
    [error] = table(run, "fit/errors.csv")
    assert reason in error["reason"]


def test_a_file_in_another_encoding_is_read_when_the_workflow_says_so(play: Play) -> None:
    latin = 'printf "name\\\\nCaf\\\\351" > row.csv'

    refused = play(members(latin, output="row.csv"))
    read = play(members(latin, output="row.csv", collect='{ into = "results.csv", encoding = "latin-1" }'))

    assert "latin-1" in table(refused, "fit/errors.csv")[0]["reason"]
    assert table(read) == [{"n": "1", "name": "Café"}]


def test_a_value_called_like_a_parameter_keeps_a_column_of_its_own(play: Play) -> None:
    run = play(members(says({"n": "mine", "output.n": "too"})))

    assert table(run) == [{"n": "1", "output.output.n": "mine", "output.n": "too"}]


def test_what_calls_return_is_collected_with_nested_values_as_columns(play: Play, tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(
        "def area(width, height):\n"
        "    return {'area': float(width) * height, 'size': {'w': width, 'tags': ['a', 1]}}\n"
        "def bare(n): return 7\n"
    )
    run = play("""
        name = "t"
        [tasks.area]
        call = "steps:area"
        for_each.width = ["2", "4"]
        args = [{ "$param" = "width" }, 3]
        collect = "areas.csv"
        [tasks.bare]
        call = "steps:bare"
        repeat = 1
        args = [1]
        collect = "bare.csv"
    """)

    assert table(run, "area/areas.csv") == [
        {"width": "2", "area": "6.0", "size.w": "2", "size.tags": '["a",1]'},
        {"width": "4", "area": "12.0", "size.w": "4", "size.tags": '["a",1]'},
    ]
    assert [row["reason"] for row in table(run, "bare/errors.csv")] == [
        'what the call returned is a number; a row is an object, as in {"score": 1.5}'
    ]


def test_another_task_reads_the_table_and_waits_for_it(play: Play) -> None:
    text = (
        members(says({"a": 1}), says({"a": 2}))
        + """
        [tasks.report]
        command = "tail -n +2 workflow:///fit/results.csv | wc -l > lines.txt"
        outputs = ["lines.txt"]
    """
    )
    run = play(text)
    again = play(text)

    assert (run.results / "report" / "lines.txt").read_text().strip() == "2"
    assert {task.phase for task in again.tasks()} == {"up to date"}, "equal members give an equal table"


def test_a_reader_of_a_table_that_lacks_members_is_skipped_until_it_is_whole(play: Play, tmp_path: Path) -> None:
    (tmp_path / "switch").mkdir()
    broken = f"test -e {tmp_path}/switch/on && {says({'a': 2})} || echo 1 > row.json"
    run = play(
        members(says({"a": 1}), broken)
        + """
        [tasks.report]
        command = "cp workflow:///fit/results.csv all.csv"
        outputs = ["all.csv"]
        """
    )
    skipped = {task.id: task.phase for task in run.tasks()}["report"]
    again = resume(tmp_path, run.id, retry=True)
    again.wait(timeout=120)

    assert (run.state, skipped) == ("failed", "skipped")
    assert again.state == "failed", "the same outputs make the same table"
    made = [event for _, event in RunReader(run.folder).events(kind="TableMade") if isinstance(event, TableMade)]
    assert [(event.edition, event.rows, event.errors) for event in made] == [(0, 1, 1), (1, 1, 1)]


def test_members_that_are_tried_again_and_succeed_come_into_the_table(play: Play, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    flaky = f"test -e {tmp_path}/sub/on || exit 1; {says({'a': 2})}"
    run = play(
        members(says({"a": 1}), flaky)
        + """
        [tasks.report]
        command = "cp workflow:///fit/results.csv all.csv"
        outputs = ["all.csv"]
        """
    )
    assert [row["a"] for row in table(run)] == ["1"]

    (tmp_path / "sub" / "on").touch()
    again = resume(tmp_path, run.id, retry=True)
    again.wait(timeout=120)

    assert again.state == "succeeded"
    assert [row["a"] for row in table(run)] == ["1", "2"]
    assert [row["a"] for row in table(run, "report/all.csv")] == ["1", "2"]
    assert table(run, "fit/errors.csv") == []


def test_members_that_an_earlier_task_finds_are_collected_and_none_is_a_table_without_rows(play: Play) -> None:
    text = """
        name = "t"
        [tasks.find]
        command = "printf '%s' > names.txt"
        outputs = ["names.txt"]
        [tasks.fit]
        for_each.name = { lines_of = "workflow:///find/names.txt" }
        command = 'printf "a\\n$name" > row.csv'
        outputs = ["row.csv"]
        collect = "results.csv"
    """
    some = play(text.replace("%s", "x\\ny"))
    none = play(text.replace("%s", ""))

    assert [row["name"] for row in table(some)] == ["x", "y"]
    assert none.state == "succeeded"
    assert (none.results / "fit" / "results.csv").read_text() == "name\n"


def test_a_member_called_like_the_table_is_refused(play: Play) -> None:
    text = """
        name = "t"
        [tasks.fit]
        for_each.file = ["a", "results.csv"]
        command = "true > row.csv"
        outputs = ["row.csv"]
        collect = "results.csv"
    """
    found = """
        [tasks.names]
        command = "echo errors.csv > names.txt"
        outputs = ["names.txt"]
    """
    with pytest.raises(ConfigError, match=r"a member 'results.csv'"):
        play(text)

    later = '{ lines_of = "workflow:///names/names.txt" }'
    run = play(text.replace('["a", "results.csv"]', later) + found)

    assert run.state == "failed"
    [error] = table(run, "fit/errors.csv")
    assert "a member 'errors.csv'" in error["reason"]


def test_sqlite_keeps_types_and_tells_names_apart_that_differ_in_capitals(play: Play) -> None:
    first = says({"score": 1.5, "Power": 2, "power": "007", "ok": True, "mixed": 1})
    run = play(members(first, says({"score": 2, "Power": 2**60, "ok": None, "mixed": "a"}), collect='"results.sqlite"'))

    with closing(sqlite3.connect(run.results / "fit" / "results.sqlite")) as db:
        rows = db.execute("SELECT n, score, Power, power_2, ok, mixed FROM results").fetchall()

    assert rows == [(1, 1.5, 2, "007", 1, "1"), (2, 2.0, 2**60, None, None, "a")]


def test_parquet_keeps_types(play: Play) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra longshore-core[parquet] is not installed")
    first = says({"score": 1.5, "ok": True, "mixed": 1, "name": "é"})
    run = play(members(first, says({"score": 2, "mixed": "a"}), collect='"results.parquet"'))

    assert parquet.read_table(run.results / "fit" / "results.parquet").to_pylist() == [
        {"n": 1, "score": 1.5, "ok": True, "mixed": "1", "name": "é"},
        {"n": 2, "score": 2.0, "ok": None, "mixed": "a", "name": None},
    ]


WITHOUT_PYARROW = """
from pathlib import Path
from longshore import ConfigError, load
from longshore.runtime.planning import plan
loaded = load(Path("longshore.toml"))
try:
    list(plan(loaded.spec, loaded.folder))
except ConfigError as error:
    print(*(f"{each.key}: {each.message}; {each.remedy}" for each in error.problems), sep="\\n")
"""


def test_parquet_without_pyarrow_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(members(says({"a": 1}), collect='"results.parquet"'))
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for name in ("attr", "attrs", "cattr", "cattrs", "longshore", "pluggy", "typing_extensions"):
        found = find_spec(name)
        if found is not None and found.origin is not None:
            file = Path(found.origin)
            place = file.parent if file.name == "__init__.py" else file
            (libraries / place.name).symlink_to(place)

    code = f"import sys; sys.path.insert(0, {str(libraries)!r})\n{WITHOUT_PYARROW}"
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )

    [line] = said.stdout.splitlines()
    assert line.startswith("tasks.fit.collect: 'results.parquet' is written by pyarrow, which is not installed")
    assert "longshore-core[parquet]" in line


def test_a_plan_says_that_a_table_is_still_to_be_made(play: Play, tmp_path: Path) -> None:
    play(members(says({"a": 1})) + '[tasks.r]\ncommand = "cat workflow:///fit/results.csv"')
    loaded = load(tmp_path / "longshore.toml")

    assert {each.task: each.reason for each in plan(loaded.spec, loaded.folder)}["r"] == "after fit"


CELLS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.builds(Written, st.sampled_from(["", "1", "007", "-3", "1.50", "1e3", "x", "12345678901234567890"]))
)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), CELLS), max_size=5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@given(rows=ROWS)
def test_a_table_in_sqlite_has_every_value_or_the_text_that_csv_has(
    place: Path, rows: Sequence[Mapping[str, bool | int | float | str | Written | None]]
) -> None:
    with (place / "spool").open("w+") as file:
        spool = Spool(file)
        spool.add_columns(["a"])
        for row in rows:
            spool.add(dict(row))
        for name in ("t.csv", "t.sqlite"):
            (place / name).unlink(missing_ok=True)
            write_table(place / name, spool)

    with closing(sqlite3.connect(place / "t.sqlite")) as db:
        cursor = db.execute("SELECT * FROM results")
        names = [column[0] for column in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
    with (place / "t.csv").open(newline="", encoding="utf-8") as file:
        shown = list(csv.DictReader(file))

    assert len(found) == len(shown) == len(rows)
    for row, cells, texts in zip(rows, found, shown, strict=True):
        assert all(_means(row.get(name), cells[name]) and _reads(row.get(name), texts[name]) for name in names)


def _means(value: object, cell: object) -> bool:
    match value:
        case None:
            return cell is None
        case Written(text):
            return (
                cell is None
                if not text
                else str(cell) == text or (isinstance(cell, int | float) and math.isclose(float(text), cell))
            )
        case bool():
            return cell in (int(value), "true" if value else "false")
        case str():
            return cell == value
        case _:
            return cell == value or cell == repr(value)


def _reads(value: object, text: str) -> bool:
    match value:
        case None:
            return text == ""
        case Written(written):
            return text == written
        case bool():
            return text == ("true" if value else "false")
        case str():
            return text == value
        case _:
            return text == repr(value)
