"""The documentation is executed: each file of a page is written, each command run, each line of output looked for.

A page is a sequence of fenced blocks. ``title="NAME"`` writes a file. In ``console`` blocks a line that begins with
``$ `` is typed into one bash for the whole page, and the lines below it must come out of it in this order, perhaps
with others in between. ``…`` stands for any text, and what differs from run to run (run ids, times, sizes) is the same
as any other of its kind. A command must exit with 0, unless the next one is ``echo $?``. ``<!-- not run: reason -->``
before a block excepts it. What a page asks for around it is in `surroundings`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from select import select

import pytest
from attrs import evolve, field, frozen

from longshore.config import environment_fields, for_each, rented, sections, sketch
from longshore.config.problems import Problems
from longshore.model.outcome import FailureClass
from longshore.scheduler.state import TaskPhase

from .harness import end_marked
from .surroundings import REGISTRY, surroundings

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
INSTALL = DOCS / "tutorial" / "index.md"
EXAMPLES = ROOT / "examples"

_FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+) *(?P<language>[\w-]*)(?P<attributes>[^\n]*)$")
_TITLE = re.compile(r'title="([^"]+)"')
_VARYING = [
    (re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b"), "<run>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?: UTC)?"), "<moment>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<clock>"),
    (re.compile(r"\b(?:\d+ h )?(?:\d+ min )?\d+(?:\.\d+)? (?:us|ms|s|min)\b"), "<time>"),
    (re.compile(r"\bjust now\b|\b\d+ (?:second|minute)s? ago\b"), "<ago>"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:[KMGT]i)?B\b"), "<size>"),
    (re.compile(r"\b[0-9a-f]{8,64}\b"), "<digest>"),
    (re.compile(r"[ \t]+"), " "),
]
_COMMAND_SECONDS = 300.0
"""What takes so long hangs: the slowest command needs a tenth of it on a quiet computer."""
_NEEDED = {
    "cluster-for-the-run": ("longshore_aws", "longshore_k8s", "moto"),
    "bucket": ("longshore_fsspec", "s3fs", "moto"),
    "bucket-k8s": ("longshore_fsspec", "longshore_k8s", "s3fs", "moto"),
    "mixed": ("longshore_sandbox",),
    "reports": ("vl_convert",),
    "see-everything": ("longshore_web",),
    "solar": ("pvlib", "vl_convert"),
}
"""What pages need that is not installed in each environment in which this is executed; `make demo` runs solar."""


@frozen
class Step:
    """One thing that a page asks for: a file (with a name) or a command (without)."""

    place: str
    text: str
    file: str = ""
    expected: tuple[str, ...] = field(default=())


def steps_of(page: Path) -> Iterator[Step]:
    """Read what a page asks for, in its order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        fence = _FENCE.match(lines[number])
        number += 1
        if fence is None:
            continue
        start, indent = number, len(fence["indent"])
        while lines[number].strip() != fence["ticks"]:
            number += 1
        block = [line[indent:] for line in lines[start:number]]
        number += 1
        excepted = start >= 2 and lines[start - 2].strip().startswith("<!-- not run:")
        title = _TITLE.search(fence["attributes"])
        if excepted:
            continue
        place = f"{page.relative_to(ROOT)}:{start}"
        if title is not None:
            yield Step(place, "\n".join(block) + "\n", file=title[1])
        elif fence["language"] == "console":
            yield from _commands(block, page, start)


def _commands(block: list[str], page: Path, start: int) -> Iterator[Step]:
    assert block, f"{page}:{start}: an empty block"
    assert block[0].startswith("$ "), f"{page}:{start}: a console block begins with a command"
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block):
        if line.startswith("$ "):
            found.append((start + number + 1, line[2:], []))
        elif line.strip() not in {"", "..."}:
            found[-1][2].append(line)
    for number, command, expected in found:
        yield Step(f"{page.relative_to(ROOT)}:{number}", command, expected=tuple(expected))


def normal(line: str) -> str:
    """Make lines equal that differ only in what differs from run to run."""
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line.strip()


def missing_line(expected: tuple[str, ...], output: str) -> str | None:
    """Find the first expected line that does not follow, in the output, upon those before it."""
    remaining = iter([normal(line) for line in output.splitlines()])
    for line in expected:
        pattern = re.compile(".*".join(map(re.escape, normal(line).split("…"))))
        if not any(pattern.fullmatch(candidate) for candidate in remaining):
            return line
    return None


class Terminal:
    """One bash, into which commands are typed one after another."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        read, self._script = os.pipe()
        # Commands come by a descriptor of their own, so that what they start cannot read them as its input.
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", f"/dev/fd/{read}"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[read],
            start_new_session=True,
        )
        os.close(read)
        self._held = b""

    def type(self, command: str) -> tuple[int, str]:
        """Run a command; give its exit code and what it, and what runs beside it, wrote."""
        mark = f"end-{uuid.uuid4().hex}"
        script = f'{command}\n__code=$?; printf \'\\n%s %s\\n\' {mark} "$__code"; (exit "$__code")\n'
        os.write(self._script, script.encode())
        end = re.compile(rb"\n" + mark.encode() + rb" (\d+)\n")
        deadline = time.monotonic() + _COMMAND_SECONDS
        while (found := end.search(self._held)) is None:
            self._held += self._read(command, deadline)
        output, self._held = self._held[: found.start()], self._held[found.end() :]
        return int(found[1]), output.decode(errors="replace")

    def _read(self, command: str, deadline: float) -> bytes:
        assert self._process.stdout is not None
        ready, _, _ = select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(self._process.stdout.fileno(), 65536) if ready else b""
        assert data, f"{command!r} did not come to an end; so far:\n{self._held.decode(errors='replace')}"
        return data

    def close(self) -> None:
        """End bash; what it left behind is `ended` with the folder."""
        os.close(self._script)
        self._process.kill()
        self._process.wait(timeout=120)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def terminal(folder: Path, home: Path, **more: str) -> Iterator[Terminal]:
    """Open a terminal as a new user has it, with the command on the PATH; end all that was started in it."""
    mark = uuid.uuid4().hex
    environment = {
        "PATH": f"{home}/bin{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        "LONGSHORE_TEST_MARK": mark,
        **offline(),
        **more,
    }
    opened = Terminal(folder, environment)
    try:
        yield opened
    finally:
        opened.close()
        end_marked(f"LONGSHORE_TEST_MARK={mark}")


def offline() -> dict[str, str]:
    """Let pip build packages with what this environment has, when it has that; else it fetches what it needs."""
    return {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"} if find_spec("hatchling") else {}


def follow(page_steps: list[Step], typed: Terminal, folder: Path) -> None:
    """Do what a page says, and compare."""
    for number, step in enumerate(page_steps):
        if step.file:
            path = folder / step.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
            continue
        code, output = typed.type(step.text)
        asked_for = number + 1 < len(page_steps) and page_steps[number + 1].text == "echo $?"
        assert code == 0 or asked_for, f"{step.place}: `{step.text}` ended with {code}:\n{output}"
        line = missing_line(step.expected, output)
        assert line is None, (
            f"{step.place}: `{step.text}` did not write (or not in this order)\n  {line}\nbut\n{output}"
        )


def pages() -> list[Path]:
    """List the pages, and the examples' own, on which something is executed."""
    parts = ("tutorial", "how-to", "explanation")
    found = [
        *(page for part in parts for page in sorted(DOCS.glob(f"{part}/*.md"))),
        *sorted(EXAMPLES.glob("*/README.md")),
    ]
    return [page for page in found if any(steps_of(page))]


def test_every_page_of_the_tutorial_is_executed() -> None:
    assert set(DOCS.glob("tutorial/*.md")) - set(pages()) == set()


@pytest.mark.parametrize("page", pages(), ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_a_page_works_as_it_is_written(page: Path, tmp_path: Path) -> None:
    for module in _NEEDED.get(page.parent.name if page.stem == "README" else page.stem, ()):
        if find_spec(module) is None:
            pytest.skip(f"this page needs {module}, which is not installed here")
    text = page.read_text(encoding="utf-8")
    steps = [step for step in steps_of(page) if page != INSTALL or not is_installing(step)]
    folder, home, plugins = tmp_path / "work", tmp_path / "home", str(tmp_path / "plugins")
    home.mkdir()
    if page.is_relative_to(EXAMPLES):
        shutil.copytree(page.parent, folder, ignore=shutil.ignore_patterns(".longshore", "results"))
    else:
        folder.mkdir()
    # What a page installs is for this page alone.
    own = {"PIP_TARGET": plugins, "PYTHONPATH": plugins}
    with surroundings(text, home) as more, terminal(folder, home, **own, **more) as typed:
        registry = re.search(r"^<!-- registry: (\S+) -->$", text, re.MULTILINE)
        if registry:
            steps = [_elsewhere(step, registry[1], more[REGISTRY]) for step in steps]
            for path in folder.glob("*.toml"):
                path.write_text(path.read_text(encoding="utf-8").replace(registry[1], more[REGISTRY]), encoding="utf-8")
        follow(steps, typed, folder)


def _elsewhere(step: Step, name: str, real: str) -> Step:
    expected = tuple(line.replace(name, real) for line in step.expected)
    return evolve(step, text=step.text.replace(name, real), expected=expected)


def is_installing(step: Step) -> bool:
    """Say whether a step of the first page is to be done in the source tree."""
    return not step.file and any(word in step.text for word in ("pip install", "-m venv", "bin/activate"))


def test_the_install_commands_give_a_command_that_runs(tmp_path: Path) -> None:
    steps = [step for step in steps_of(INSTALL) if is_installing(step)]
    # The new environment sees what this one has, so that nothing has to be fetched.
    site = str(Path(pytest.__file__).parents[1])
    with terminal(ROOT, tmp_path, PYTHONPATH=site) as typed:
        follow(steps, typed, ROOT)
        _, where = typed.type("command -v longshore")
        assert str(tmp_path) in where
        assert typed.type("longshore --version")[0] == 0


def test_the_tutorial_shows_the_examples_as_they_are() -> None:
    shown = {step.file: step.text for page in DOCS.glob("tutorial/*.md") for step in steps_of(page) if step.file}
    real = {"diamond/longshore.toml": EXAMPLES / "diamond" / "longshore.toml"}
    real |= {f"waves/{path.name}": path for path in (EXAMPLES / "python").glob("*.py")}
    assert {name: shown[name] for name in real} == {
        name: path.read_text(encoding="utf-8") for name, path in real.items()
    }


def test_the_page_of_prefect_and_dagster_shows_the_examples_as_they_are() -> None:
    page = (DOCS / "how-to" / "prefect-and-dagster.md").read_text(encoding="utf-8")
    for example in (EXAMPLES / "prefect" / "flow.py", EXAMPLES / "dagster" / "assets.py"):
        assert f"```python\n{example.read_text(encoding='utf-8')}```\n" in page


def test_the_reference_has_every_key_of_a_workflow_file() -> None:
    page = (DOCS / "reference" / "config.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE))
    known = {
        *sketch._KEYS,
        *sections.TASK_KEYS,
        *sections._POOL_KEYS,
        *sections._PROVIDER_KEYS,
        *sections._NEEDS_KEYS,
        *sections._RETRY_KEYS,
        *rented.RENTED_KEYS,
        *environment_fields.ENVIRONMENT_KEYS,
    }
    known |= set(for_each._SOURCE_KEYS) | {"on", "file", "variable"}
    assert known - {"(call)"} - described == set()


def test_the_page_of_states_has_every_state_and_class_of_failure() -> None:
    page = (DOCS / "reference" / "states.md").read_text(encoding="utf-8")
    assert [phase for phase in TaskPhase if f"\n| `{phase}` |" not in page] == []
    assert [failure for failure in FailureClass if not re.search(rf"^\| [^|]*\b{failure}\b", page, re.MULTILINE)] == []


def fragments() -> Iterator[tuple[str, str]]:
    """List what the pages show of workflow files without naming a file, each with its place."""
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield f"{page.relative_to(DOCS)}:{text.count(chr(10), 0, found.start()) + 1}", found[1]


@pytest.mark.parametrize("fragment", [pytest.param(text, id=place) for place, text in fragments()])
def test_what_is_shown_of_a_workflow_file_is_accepted(fragment: str) -> None:
    # A fragment without a table shows alternatives for keys of one task, each on its line.
    alone = not re.search(r"^(\[|max_tasks)", fragment, re.MULTILINE)
    for part in fragment.splitlines() if alone else [fragment]:
        raw = tomllib.loads(part)
        workflow = {"tasks": {"task": {"command": "true", **raw}}} if alone else raw
        problems = Problems(lambda _: "")
        sketch.read_sketch({"name": "shown", "tasks": {"task": {"command": "true"}}, **workflow}, problems)
        assert problems.found == []
