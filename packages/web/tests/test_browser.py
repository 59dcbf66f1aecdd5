"""The pages in a real browser: on small and wide screens, by day and night, by keyboard, live, and without scripts."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from longshore.runtime.lock import holder
from longshore_cli.testing.browser import Tab
from longshore_cli.testing.harness import SECONDS, new_project, wait_for

from .conftest import HOSTILE
from .serving import Served, serving

WIDE, PHONE = (1400, 900), (390, 844)
PAGES = [
    "",
    "/tasks",
    "/task?id=fit%5Bn%3D2%5D",
    "/timeline",
    "/machines",
    "/artifacts",
    "/workflow",
    "/log?id=prepare",
]

OUTLINE = """(() => {
    const all = (what) => [...document.querySelectorAll(what)];
    return {
        levels: all("h1, h2, h3").map((each) => Number(each.tagName[1])),
        current: all("nav [aria-current=page]").length,
        unnamed: [
            ...all("table").filter((each) => !each.caption.textContent),
            ...all("main th").filter((each) => !each.scope),
            ...all("input:not([type=hidden]), select").filter((each) => !each.labels.length),
            ...all("a, button").filter((each) => !each.textContent.trim()),
        ].map((each) => each.outerHTML),
    };
})()"""


@pytest.fixture(scope="module")
def run(served: Served) -> str:
    return str(served.project.call("status", "--json").json["run"])


def enter(tab: Tab, served: Served) -> None:
    tab.screen(*WIDE, dark=False)
    tab.open(served.address)
    tab.problems.clear()
    tab.requests.clear()


@pytest.mark.parametrize(("screen", "dark"), [(WIDE, False), (PHONE, True)], ids=["wide-day", "phone-night"])
def test_every_page_fits_its_screen_and_loads_nothing_from_elsewhere(
    tab: Tab, served: Served, run: str, screen: tuple[int, int], dark: bool, pictures: Path
) -> None:
    enter(tab, served)
    tab.screen(*screen, dark=dark)
    for page in PAGES:
        tab.open(f"{served.home}/runs/{run}{page}")
        name = page.partition("?")[0].strip("/") or "overview"
        tab.picture(pictures / f"{name}-{screen[0]}-{'night' if dark else 'day'}.png")
        assert tab.value("document.documentElement.scrollWidth") <= screen[0], page
        paper = tab.value("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
    assert all(request.startswith(f"{served.home}/") for request in tab.requests)
    assert tab.problems == []


def test_what_a_task_wrote_is_shown_and_does_nothing(tab: Tab, served: Served, run: str) -> None:
    enter(tab, served)
    tab.open(f"{served.home}/runs/{run}/log?id=prepare&stream=err")
    assert HOSTILE in tab.value("document.querySelector('pre.log').textContent")
    assert tab.value("document.querySelectorAll('img').length") == 0
    assert tab.value("document.title").startswith("Log of prepare")


def test_a_script_that_got_into_a_page_would_not_be_run(tab: Tab, served: Served, run: str) -> None:
    enter(tab, served)
    tab.open(f"{served.home}/runs/{run}")
    inserted = "Object.assign(document.createElement('script'), {textContent: 'document.title = 2'})"
    tab.value(f"document.querySelector('main').append({inserted})")
    assert tab.value("document.title").startswith("Overview")
    assert any("Content Security Policy" in problem for problem in tab.problems)


def test_a_screen_reader_is_told_headings_tables_and_where_it_is(tab: Tab, served: Served, run: str) -> None:
    enter(tab, served)
    for page in ("", "/log?id=prepare", "/tasks"):
        tab.open(f"{served.home}/runs/{run}{page}")
        told = tab.value(OUTLINE)
        assert told["levels"][:2] == [1, 2]
        assert all(after - before <= 1 for before, after in pairwise(told["levels"]))
        assert told["unnamed"] == []
        assert told["current"] == 1
    assert "Run" in tab.named("navigation")


def test_all_can_be_reached_by_keyboard_beginning_with_the_content(tab: Tab, served: Served, run: str) -> None:
    enter(tab, served)
    tab.open(f"{served.home}/runs/{run}")
    tab.press("Tab")
    assert tab.value("document.activeElement.textContent") == "Skip to the content"
    assert tab.value("document.activeElement.getBoundingClientRect().left") >= 0
    tab.press_until("Tab", "document.activeElement.textContent === 'Tasks'")
    tab.press("Enter")
    tab.until("document.title.startsWith('Tasks')")


def test_pages_can_be_read_without_scripts(tab: Tab, served: Served, run: str) -> None:
    enter(tab, served)
    tab.scripts(False)
    try:
        for page in PAGES:
            tab.open(f"{served.home}/runs/{run}{page}")
            assert tab.value("document.querySelector('main').innerText").strip()
            assert tab.value("document.documentElement.dataset.live") is None
    finally:
        tab.scripts(True)


@contextmanager
def going_on(folder: Path) -> Iterator[tuple[Served, Path]]:
    """Serve a run whose task waits for somebody to write into a pipe."""
    with new_project(folder) as project:
        gate = project.folder / "gate"
        os.mkfifo(gate)
        begun = project.folder / "begun"
        project.write(f'name = "live"\n[tasks.slow]\ncommand = "echo first; touch {begun}; cat {gate}; echo last"\n')
        with serving(project) as served:
            process = project.begin("run", "-q")
            try:
                wait_for(begun)
                yield served, gate
            finally:
                project.call("cancel", code=None)
                process.communicate(timeout=SECONDS)


def test_a_page_follows_its_run_and_keeps_what_is_focused(tab: Tab, tmp_path: Path) -> None:
    with going_on(tmp_path) as (served, gate):
        enter(tab, served)
        tab.value("document.querySelector('th a').click()")
        tab.until("document.title.startsWith('Overview') && document.documentElement.dataset.live === 'yes'")
        tab.until("document.querySelector('#stands .state').textContent === 'running'")
        tab.value("globalThis.same = document.querySelector('main th a'); same.focus()")

        gate.write_text("go\n")

        tab.until("document.querySelector('#stands .state').textContent === 'succeeded'")
        assert tab.value("document.activeElement === same && same.isConnected"), "it was not loaded anew"
        assert tab.value("document.querySelector('#news').textContent") == "The run is succeeded now."
        assert "1 of 1 task done" in tab.value("document.querySelector('main').innerText")
        assert tab.problems == []


def test_a_log_is_shown_while_it_is_written(tab: Tab, tmp_path: Path) -> None:
    with going_on(tmp_path) as (served, gate):
        enter(tab, served)
        run = served.project.call("status", "--json").json["run"]
        tab.open(f"{served.home}/runs/{run}/log?id=slow")
        tab.until("document.querySelector('pre.log').textContent === 'first\\n'")
        tab.until("document.documentElement.dataset.live === 'yes'")

        gate.write_text("middle\n")

        tab.until("document.querySelector('pre.log').textContent === 'first\\nmiddle\\nlast\\n'")


def test_the_history_shows_a_new_run_and_the_end_of_a_controller_by_itself(tab: Tab, tmp_path: Path) -> None:
    with going_on(tmp_path) as (served, _):
        enter(tab, served)
        tab.until("document.documentElement.dataset.live === 'yes'")
        tab.until("document.querySelectorAll('tbody tr').length === 1")
        runs = served.project.folder / ".longshore" / "runs"
        [run] = runs.iterdir()
        tab.open(f"{served.home}/runs/{run.name}")
        tab.until("document.documentElement.dataset.live === 'yes'")
        who = holder(run)
        assert who is not None

        os.kill(who.process.pid, signal.SIGKILL)

        tab.until("document.querySelector('#stands .state').textContent === 'unfinished'")


def test_what_machines_use_is_shown_while_somebody_looks(tab: Tab, tmp_path: Path) -> None:
    with going_on(tmp_path) as (served, _):
        enter(tab, served)
        run = served.project.call("status", "--json").json["run"]
        tab.open(f"{served.home}/runs/{run}/machines")
        tab.until("document.querySelector('main').innerText.includes('What runs')")
        assert "slow" in tab.value("document.querySelector('main').innerText")
