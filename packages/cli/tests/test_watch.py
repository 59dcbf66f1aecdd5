"""`longshore watch`: the real screen, steered by keys, of runs that go on, are over, and were."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.runtime.history import RunReader
from longshore.runtime.project import Project as Folder
from longshore_cli.full_screen import reader_at

from .harness import SECONDS, Project, new_project, wait_for

pytest.importorskip("textual", reason="what draws full screens is not installed here")
from textual.pilot import Pilot
from textual.widgets import DataTable, Log, Static

from longshore_cli.screen.app import Watch

HOSTILE = "\x1b]0;taken\x07\x1b[31mred [bold]words[/bold] \x1b[2J"
WORKFLOW = """\
name = "mixed"
[tasks.prepare]
command = "cat words"
inputs = ["words"]
[tasks.fit]
for_each.n = { range = [1, 450] }
command = "test $n != 2 || { echo no >&2; exit 3; }"
after = ["prepare"]
[tasks.all]
command = "true"
after = ["fit"]
"""

Steps = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A run that is over, in which one task failed."""
    with new_project(tmp_path_factory.mktemp("ran")) as project:
        project.write(WORKFLOW)
        project.write(f"{HOSTILE}\nend\n", "words")
        project.call("run", "-q", code=1)
        yield project


def latest(project: Project) -> Path:
    folder = Folder(project.folder)
    return folder.run_folder(folder.find_run(None))


def see(project: Project, steps: Steps, *, at: str | None = None) -> None:
    """Open the screen, do something, and close it."""
    app = Watch(Folder(project.folder), reader_at(latest(project), at))

    async def play() -> None:
        async with app.run_test(size=(140, 45)) as pilot:
            await steps(pilot)

    asyncio.run(asyncio.wait_for(play(), SECONDS))


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Wait for something on the screen; the whole test has a deadline."""
    while not holds():
        await pilot.pause(0.02)


def table(pilot: Pilot[None], name: str) -> list[list[str]]:
    found: DataTable[Any] = pilot.app.query_one(f"#{name}", DataTable)
    return [[str(cell) for cell in found.get_row_at(number)] for number in range(found.row_count)]


def head(pilot: Pilot[None]) -> str:
    return str(pilot.app.query_one("#head", Static).content)


def log(pilot: Pilot[None]) -> str:
    return "\n".join(pilot.app.query_one("#log", Log).lines)


def title(pilot: Pilot[None], name: str) -> str:
    return str(pilot.app.query_one(f"#{name}").border_title)


def test_a_run_that_is_over_is_told_with_its_graph_its_tasks_and_the_log_of_the_chosen_one(
    ran: Project, tmp_path: Path
) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "end" in log(pilot))
        pilot.app.save_screenshot(str(tmp_path / "watch.svg"))
        assert "failed" in head(pilot)
        assert "450 succeeded, 1 failed, 1 skipped" in head(pilot)
        assert table(pilot, "graph") == [
            ["prepare", "1", "1 succeeded", ""],
            ["  fit", "450", "449 succeeded, 1 failed", "prepare"],
            ["    all", "1", "1 skipped", "fit"],
        ]
        assert table(pilot, "tasks")[0][:2] == ["prepare", "succeeded"]
        assert table(pilot, "machines")[0][0] == "local"

    see(ran, steps)


def test_what_a_task_wrote_steers_nothing(ran: Project) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "end" in log(pilot))
        assert log(pilot).splitlines()[:2] == ["red [bold]words[/bold] ", "end"]

    see(ran, steps)


def test_keys_narrow_the_tasks_and_turn_their_pages(ran: Project) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "1 to 200 of 452" in title(pilot, "tasks"))
        await pilot.press("n")
        await until(pilot, lambda: "201 to 400 of 452" in title(pilot, "tasks"))
        await pilot.press("n", "n")
        await until(pilot, lambda: "401 to 452 of 452" in title(pilot, "tasks"))
        await pilot.press("a", "slash", *"n=2]", "enter")
        await until(pilot, lambda: [row[0] for row in table(pilot, "tasks")] == ["fit[n=2]"])
        await until(pilot, lambda: "fit" in title(pilot, "log"))
        await pilot.press("e")
        await until(pilot, lambda: log(pilot).strip() == "no")
        await pilot.press("a")
        await until(pilot, lambda: "452" in title(pilot, "tasks"))
        pilot.app.query_one("#graph").focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: "fit (1 to 200 of 450)" in title(pilot, "tasks"))

    see(ran, steps)


def test_a_past_moment_is_shown_and_cannot_be_changed(ran: Project) -> None:
    begun = reader_at(latest(ran), None).info().started.isoformat()

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: bool(table(pilot, "tasks")))
        assert "as it stood at" in head(pilot)
        assert "running" in head(pilot)
        assert any(row[1] == "waiting" for row in table(pilot, "tasks"))
        await pilot.press("C")
        await until(pilot, lambda: any("past" in each.message for each in pilot.app._notifications))

    see(ran, steps, at=begun)


def test_a_moment_before_the_run_and_a_pipe_are_refused_in_words(ran: Project) -> None:
    assert "is no moment of this run" in ran.call("watch", "--at", "2001-01-01 00:00", code=2).err
    assert "needs a terminal" in ran.call("watch", code=2).err


def test_a_run_that_goes_on_is_followed_and_its_tasks_are_cancelled_and_tried_again(project: Project) -> None:
    gate, begun = project.folder / "gate", project.folder / "begun"
    os.mkfifo(gate)
    project.write(
        f'name = "live"\n[tasks.slow]\ncommand = "echo first; touch {begun}; cat {gate}"\n'
        f'[tasks.other]\ncommand = "touch {begun}2; cat {gate}"\n'
    )
    process = project.begin("run", "-q")
    wait_for(begun)
    wait_for(Path(f"{begun}2"))

    def phase(pilot: Pilot[None], name: str) -> str:
        return dict(row[:2] for row in table(pilot, "tasks")).get(name, "")

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: phase(pilot, "slow") == "running")
        await until(pilot, lambda: log(pilot).strip() == "first")
        await pilot.press("c")
        await until(pilot, lambda: phase(pilot, "slow") == "cancelled")
        await pilot.press("r")
        await until(pilot, lambda: phase(pilot, "slow") == "running")
        await until(pilot, lambda: bool(table(pilot, "machines")) and "/" in table(pilot, "machines")[0][2])
        await pilot.press("C")
        await until(pilot, lambda: ": cancelled" in head(pilot))

    see(project, steps)
    process.communicate(timeout=SECONDS)
    assert RunReader(latest(project)).info().state == "cancelled"


def test_the_command_draws_on_a_terminal_and_leaves_it_as_it_was(ran: Project) -> None:
    terminal = ran.terminal("watch", rows=40, columns=120)
    terminal.until("prepare")
    terminal.until("Quit")
    terminal.type("q")
    code, rest = terminal.end()
    assert code == 0
    assert "\x1b[?1049l" in rest, "the other screen is left"
    assert "Traceback" not in rest


def test_without_what_it_needs_it_names_the_remedy(ran: Project) -> None:
    blocked = ran.folder / "textual.py"
    blocked.write_text("raise ImportError('none', name='textual')\n")
    try:
        other = Project(ran.folder, ran.env | {"PYTHONPATH": str(ran.folder)})
        terminal = other.terminal("watch")
        terminal.until(r"pip install 'longshore\[watch\]'")
        assert terminal.end()[0] == 2
    finally:
        blocked.unlink()
