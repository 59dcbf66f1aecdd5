"""The page of a report in a real browser, on a phone and on a wide screen, by day and by night."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore_cli.testing.browser import Tab, browser

from .harness import new_project

WIDE, PHONE = (1400, 900), (390, 844)
HOSTILE = "</script><script>document.title = 'taken'</script><img src=http://192.0.2.1/x onerror=alert(1)>"
WORKFLOW = """\
name = "mixed"

[tasks.fit]
for_each.n = [1, 2, 3, 4]
command = "sleep 0.$n; test $n != 2 || { cat words >&2; exit 3; }; echo > x"
inputs = ["words"]
outputs = ["x"]
retry = { attempts = 2 }

[tasks.all]
command = "cat workflow:///fit/*/x"
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The report of a run in which something hostile has failed."""
    pytest.importorskip("vl_convert", reason="what draws reports is not installed here")
    with new_project(tmp_path_factory.mktemp("page")) as project:
        project.write(WORKFLOW)
        project.write(f"\x1b]0;taken\x07so it is\n{HOSTILE}\n", "words")
        project.call("run", "--repeat", "2", code=1)
        [page, *_] = project.call("report").out.splitlines()
        yield project.folder / page


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def open_page(tab: Tab, page: Path, screen: tuple[int, int], *, dark: bool = False) -> None:
    tab.problems.clear()
    tab.requests.clear()
    tab.screen(*screen, dark=dark)
    tab.open(page.as_uri())
    scheme = "dark" if dark else "light"
    tab.until(f"document.querySelector('#gantt')?.dataset.drawn === '{scheme}'")


@pytest.mark.parametrize("dark", [False, True], ids=["day", "night"])
@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_page_draws_itself_without_the_network_and_fits_its_screen(
    tab: Tab, page: Path, screen: tuple[int, int], dark: bool, tmp_path: Path
) -> None:
    open_page(tab, page, screen, dark=dark)
    tab.picture(tmp_path / "page.png", whole=True)
    assert tab.requests == [page.as_uri()]
    assert tab.problems == []
    assert tab.value("document.documentElement.scrollWidth") <= screen[0]
    assert tab.value("document.querySelector('#gantt canvas').width") > screen[0] / 2
    paper = tab.value("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")


def test_what_a_task_wrote_is_shown_and_does_nothing(tab: Tab, page: Path) -> None:
    open_page(tab, page, WIDE)
    assert tab.value("document.title").startswith("mixed, run ")
    assert tab.value("document.querySelectorAll('img').length") == 0
    proof = tab.value("document.querySelector('#trouble details pre').textContent")
    assert HOSTILE in proof
    assert "\x1b" not in proof


def test_a_script_that_got_into_the_page_would_not_be_run(tab: Tab, page: Path, tmp_path: Path) -> None:
    harmed = tmp_path / "harmed.html"
    harmed.write_text(page.read_text().replace("<h1", "<script>document.title = 'taken'</script><h1", 1))
    open_page(tab, harmed, WIDE)
    assert tab.value("document.title").startswith("mixed, run ")
    assert any("Content Security Policy" in problem for problem in tab.problems)


def test_a_screen_reader_is_told_the_sections_the_tables_and_the_chart(tab: Tab, page: Path) -> None:
    open_page(tab, page, WIDE)
    levels = tab.value("[...document.querySelectorAll('h1, h2, h3')].map(each => each.tagName)")
    assert levels == ["H1", *["H2"] * (len(levels) - 1)]
    assert tab.value("document.documentElement.lang") == "en"
    assert tab.value("[...document.querySelectorAll('table')].every(each => each.caption.textContent)")
    assert tab.value("[...document.querySelectorAll('main th')].every(each => each.scope)")
    assert {"Figures", "When and where", "Slowest tasks", "Failures and retries"} <= set(tab.named("heading"))
    assert [name.rpartition(" ")[0] for name in tab.named("slider")] == ["from (seconds)", "until (seconds)"]
    assert tab.named("searchbox") == ["find a task"]
    assert any("ran, and on which machine" in name for name in tab.named("graphics-document"))
    assert any(name == "workflow mixed" for name in tab.named("image"))


def picture(tab: Tab) -> str:
    return str(tab.value("document.querySelector('#gantt canvas').toDataURL()"))


def test_the_chart_is_zoomed_by_keyboard(tab: Tab, page: Path) -> None:
    open_page(tab, page, WIDE)
    before = picture(tab)
    tab.value("document.querySelector('.wide .chart').scrollIntoView()")
    tab.press_until("Tab", "document.activeElement.type === 'range'")
    tab.press_until("ArrowRight", "Number(document.activeElement.value) > 0.1")
    zoomed = picture(tab)
    assert zoomed != before
    tab.press("Home")
    assert picture(tab) == before


def test_a_part_of_a_name_makes_tasks_stand_out(tab: Tab, page: Path) -> None:
    open_page(tab, page, WIDE)
    before = picture(tab)
    tab.value("document.querySelector('input[type=search]').focus()")
    tab.ask("Input.insertText", text="N=4")
    tab.until(f"document.querySelector('#gantt canvas').toDataURL() !== {before!r}")


def test_a_bar_says_more_under_the_pointer(tab: Tab, page: Path) -> None:
    open_page(tab, page, WIDE)
    tab.value("document.querySelector('#gantt').scrollIntoView()")
    box = tab.value("JSON.stringify(document.querySelector('#gantt canvas').getBoundingClientRect())")
    place = json.loads(box)
    tip = "document.querySelector('#vg-tooltip-element.visible')"
    for part in range(20, 80):
        x, y = place["left"] + place["width"] * part / 100, place["top"] + place["height"] / 2
        tab.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if tab.value(f"{tip} !== null"):
            break
    assert tab.value(f"{tip}.textContent.includes('attempt 1')")
    assert tab.value(f"getComputedStyle({tip}).visibility") == "visible"
    assert tab.problems == []


def test_the_tables_can_be_scrolled_by_keyboard_on_a_phone(tab: Tab, page: Path) -> None:
    open_page(tab, page, PHONE)
    wide = "document.querySelector('#tasks .wide')"
    assert tab.value(f"{wide}.scrollWidth > {wide}.clientWidth")
    tab.value(f"{wide}.focus()")
    tab.press_until("ArrowRight", f"{wide}.scrollLeft > 0")


def test_a_phone_shows_without_scrolling_how_long_the_slowest_took_and_what_failed(tab: Tab, page: Path) -> None:
    open_page(tab, page, PHONE)

    for section, heading in (("slowest", "time"), ("trouble", "proof")):
        cell = f"[...document.querySelectorAll('#{section} th')].find(each => each.textContent === '{heading}')"
        assert tab.value(f"{cell}.getBoundingClientRect().left") < PHONE[0] - 100
