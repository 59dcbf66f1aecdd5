from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from longshore.model.events import StopAsked
from longshore.scheduler.state import TaskPhase
from longshore_cli.text import clean
from longshore_cli.view.live import LiveDisplay
from longshore_cli.view.words import Rank

from .harness import Project, wait_for

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)
TWO = """\
name = "two"

[tasks.bad]
command = "exit 3"

[tasks.slow]
for_each.n = [1, 2]
command = "touch {folder}/running; while ! test -e {folder}/gate; do sleep 0.02; done"
"""


def test_a_terminal_shows_counts_running_tasks_and_failures(project: Project) -> None:
    project.write(TWO.format(folder=project.folder))
    terminal = project.terminal("run")
    wait_for(project.folder / "running")
    shown = terminal.until(r"slow\[n=2\]")
    assert "bad failed after" in clean(shown)
    lines = clean(terminal.until(r"1/3(.|\n)*?1 failed")).splitlines()
    assert lines[-2].strip() == "━" * 60
    (project.folder / "gate").touch()
    code, shown = terminal.end()
    assert code == 1
    last = clean(shown).splitlines()
    assert any("2 succeeded, 1 failed" in line for line in last)


def test_names_wider_than_the_terminal_do_not_break_the_view(project: Project) -> None:
    name = "a-very-long-name-of-a-task-" * 3
    project.write(TWO.format(folder=project.folder).replace("tasks.slow", f"tasks.{name}"))
    terminal = project.terminal("run", rows=8, columns=40)
    wait_for(project.folder / "running")
    terminal.until("…")
    (project.folder / "gate").touch()
    assert terminal.end()[0] == 1


class Screen(io.StringIO):
    """Takes what is shown as a terminal does."""

    def isatty(self) -> bool:
        return True


def displayed(seconds: float) -> str:
    """Give what is shown of a run of one task that ends so long after it began."""
    now = [0.0]
    stream = Screen()
    display = LiveDisplay(
        stream, "r", lambda: {TaskPhase.FAILED: 1}, Rank.ALWAYS, lambda _: False, clock=lambda: now[0]
    )
    now[0] += seconds
    display.take([StopAsked(at=AT)])
    display.close()
    return stream.getvalue()


def test_a_short_run_draws_nothing_that_has_to_be_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    assert displayed(seconds=0.25) == ""
    assert "1 failed" in displayed(seconds=0.35)


def test_a_run_says_at_its_end_how_it_went(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "true"\n')
    code, shown = project.terminal("run").end()
    assert code == 0
    assert "1 succeeded" in clean(shown)


def test_colour_is_not_used_when_no_color_is_set(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "false"\n')
    project.env["NO_COLOR"] = "1"
    _, shown = project.terminal("run").end()
    assert "\x1b[3" not in shown
