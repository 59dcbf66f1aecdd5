"""The full-screen view: tables that follow a run, the log of the chosen task, and keys that change the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from attrs import evolve
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Input, Log, Static

from longshore.errors import LongshoreError
from longshore.runtime.history import RunReader
from longshore.runtime.overview import Overview
from longshore.runtime.project import Project
from longshore_cli import acting
from longshore_cli.noticing import Loads, Noticing
from longshore_cli.screen.look import MOST_TASKS, PHASES, Choice, Look, look
from longshore_cli.screen.rows import GRAPH, MACHINES, TASKS, graph_rows, headline, machine_rows, task_rows
from longshore_cli.screen.table import RowTable
from longshore_cli.text import moment

__all__ = ["Watch"]


class Watch(App[None]):
    """One run, live, over, or at a past moment."""

    TITLE = "longshore watch"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: auto; padding: 0 1; background: $primary; color: $text; }
    #upper { height: 2fr; }
    #left { width: 3fr; }
    #right { width: 2fr; }
    #graph { height: 1fr; border: round $primary; }
    #machines { height: 1fr; border: round $primary; }
    #tasks { height: 1fr; border: round $primary; }
    #log { height: 1fr; border: round $primary; }
    #search { display: none; }
    #search.shown { display: block; }
    DataTable:focus, Log:focus { border: round $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("s", "phase", "State"),
        Binding("slash", "search", "Search"),
        Binding("a", "all", "All tasks"),
        Binding("n", "turn(1)", "Next page"),
        Binding("p", "turn(-1)", "Page before"),
        Binding("e", "stream", "stdout/stderr"),
        Binding("c", "cancel", "Cancel task"),
        Binding("r", "retry", "Retry task"),
        Binding("C", "cancel_run", "Cancel run"),
        Binding("R", "resume", "Resume run"),
    ]

    def __init__(self, project: Project, reader: RunReader) -> None:
        super().__init__()
        self._project = project
        self._reader = reader
        self._choice = Choice()
        self._seen: Look | None = None
        self._noticing: Noticing | None = None
        self._loads: Loads | None = None
        self._again = False
        self._reading = False

    def compose(self) -> ComposeResult:
        """Lay the parts out."""
        yield Static(id="head", markup=False)
        with Horizontal(id="upper"):
            with Vertical(id="left"):
                yield Input(placeholder="a part of a task's id", id="search")
                yield RowTable(TASKS, "tasks")
            with Vertical(id="right"):
                yield RowTable(GRAPH, "graph")
                yield RowTable(MACHINES, "machines")
        yield Log(id="log", highlight=False)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to follow the run."""
        self.query_one("#graph").border_title = "Graph"
        self.query_one("#machines").border_title = "Machines"
        self.query_one("#tasks").focus()
        if self._reader.until is None:
            logs = self._reader.folder / "logs"
            folders = [self._reader.folder, *([logs] if logs.is_dir() else [])]
            self._noticing = Noticing(folders, self._reader.folder, self._noticed)
            self._loads = Loads(self._reader.folder, self._noticing.soon)
        self._changed()

    def on_unmount(self) -> None:
        """Follow it no more."""
        if self._noticing is not None:
            self._noticing.close()
        if self._loads is not None:
            self._loads.close()

    def _noticed(self) -> None:
        if self._loads is not None:
            self._loads.renew()
        self._changed()

    def _changed(self) -> None:
        """Read what has changed, in a thread, so that keys are answered meanwhile."""
        if self._reading:
            self._again = True
            return
        self._reading, self._again = True, False
        choice, before = self._choice, self._seen.overview if self._seen is not None else None
        self.run_worker(lambda: self._read(choice, before), thread=True, exit_on_error=False)

    def _read(self, choice: Choice, before: Overview | None) -> None:
        try:
            seen = look(self._reader, choice, before)
        except LongshoreError as error:
            self.call_from_thread(self._failed, str(error))
        else:
            self.call_from_thread(self._show, seen)

    def _failed(self, words: str) -> None:
        self._reading = False
        self.notify(words, severity="error", markup=False)

    def _show(self, seen: Look) -> None:
        self._reading = False
        self._seen = seen
        past = f"as it stood at {moment(self._reader.until)}\n" if self._reader.until is not None else ""
        self.query_one("#head", Static).update(past + headline(seen.overview, seen.until))
        used = self._loads.moment if self._loads is not None else None
        self._table("graph").fill(graph_rows(seen.overview))
        self._table("machines").fill(machine_rows(seen.overview, used, seen.until))
        self._table("tasks").fill(task_rows(seen.tasks))
        self._table("tasks").border_title = self._narrowed(seen)
        self._show_log(seen)
        if self._again:
            self._changed()

    def _narrowed(self, seen: Look) -> str:
        choice = self._choice
        words = [word for word in (choice.phase, choice.name, choice.search and f"with {choice.search}") if word]
        last = choice.skip + len(seen.tasks)
        page = f"{choice.skip + 1:,} to {last:,} of {seen.total:,}" if seen.total > MOST_TASKS else f"{seen.total:,}"
        return f"Tasks: {', '.join(words) or 'all'} ({page})".replace("[", "\\[")

    def _show_log(self, seen: Look) -> None:
        log = self.query_one("#log", Log)
        task = self._choice.task
        log.border_title = f"std{self._choice.stream} of {task}".replace("[", "\\[") if task else "Log"
        shown = "\n".join(log.lines)
        if seen.log.rstrip("\n") != shown.rstrip("\n"):
            log.clear()
            log.write(seen.log)

    def _table(self, name: str) -> RowTable:
        return self.query_one(f"#{name}", RowTable)

    def _choose(self, choice: Choice) -> None:
        self._choice = choice
        self._changed()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the log of the task that the cursor is on."""
        if event.data_table.id == "tasks" and event.row_key.value != self._choice.task:
            self._choose(evolve(self._choice, task=event.row_key.value or ""))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show the members of the task as written on which Enter was pressed."""
        if event.data_table.id == "graph":
            self._choose(evolve(self._choice, name=event.row_key.value or "", skip=0))
            self.query_one("#tasks").focus()

    def action_phase(self) -> None:
        """Show the tasks of the next state."""
        self._choose(evolve(self._choice, phase=PHASES[(PHASES.index(self._choice.phase) + 1) % len(PHASES)], skip=0))

    def action_all(self) -> None:
        """Show all tasks."""
        self._choose(evolve(self._choice, phase="", name="", search="", skip=0))

    def action_turn(self, step: int) -> None:
        """Show another page."""
        skip = self._choice.skip + step * MOST_TASKS
        if self._seen is not None and 0 <= skip < self._seen.total:
            self._choose(evolve(self._choice, skip=skip))

    def action_stream(self) -> None:
        """Show the other stream."""
        self._choose(evolve(self._choice, stream="err" if self._choice.stream == "out" else "out"))

    def action_search(self) -> None:
        """Ask for a part of an id."""
        field = self.query_one("#search", Input)
        field.add_class("shown")
        field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Show the tasks with this in their ids."""
        event.input.remove_class("shown")
        self.query_one("#tasks").focus()
        self._choose(evolve(self._choice, search=event.value, skip=0))

    def action_cancel(self) -> None:
        """Cancel the chosen task."""
        self._change_task(acting.cancel_tasks)

    def action_retry(self) -> None:
        """Try the chosen task again."""
        self._change_task(acting.retry_tasks)

    def _change_task(self, change: Callable[[Path, Sequence[str]], str]) -> None:
        task = self._choice.task
        if task:
            self._act(lambda: change(self._reader.folder, [task]))

    def action_cancel_run(self) -> None:
        """Cancel the run."""
        self._act(lambda: acting.cancel_run(self._project, self._reader.folder.name))

    def action_resume(self) -> None:
        """Continue the run, with what did not succeed."""
        self._act(lambda: acting.resume_run(self._project, self._reader.folder.name, retry=True))

    def _act(self, act: Callable[[], str]) -> None:
        """Change the run, in a thread, and tell what came of it."""
        if self._reader.until is not None:
            self.notify("What is past cannot be changed.", severity="warning")
            return

        def worker() -> None:
            try:
                words, severity = act(), "information"
            except LongshoreError as error:
                words, severity = str(error), "error"
            self.call_from_thread(self.notify, words, severity=severity, markup=False)

        self.run_worker(worker, thread=True, exit_on_error=False)
