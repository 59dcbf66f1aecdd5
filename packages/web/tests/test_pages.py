"""What pages tell of a run that is over; without a browser, so without any script."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from .conftest import HOSTILE
from .serving import Served

RUN_PAGES = ["", "/tasks", "/timeline", "/machines", "/artifacts", "/workflow", "/task?id=all", "/log?id=prepare"]


@pytest.fixture(scope="module")
def run(served: Served) -> str:
    return str(served.project.call("status", "--json").json["run"])


def words(page: str) -> str:
    return unescape(re.sub(r"<[^>]*>", " ", page))


def links(page: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'href="([^"]*)"', page)]


def test_the_history_lists_the_run(served: Served, run: str) -> None:
    page = served.see("/")
    assert f'href="/runs/{run}"' in page
    assert "mixed" in words(page)
    assert "250 succeeded, 1 failed, 1 skipped" in words(page)


def test_the_overview_tells_counts_failures_and_tasks_as_written(served: Served, run: str) -> None:
    page = served.see(f"/runs/{run}")
    text = words(page)
    assert "250 of 252 tasks done" in text
    assert f'href="/runs/{run}/tasks?phase=skipped"' in page
    assert "fit[n=2]" in text
    assert "249 succeeded, 1 failed" in text
    assert 'aria-label="workflow mixed"' in page


def test_tasks_come_in_pages_and_can_be_narrowed(served: Served, run: str) -> None:
    first = served.see(f"/runs/{run}/tasks?name=fit")
    assert "1 to 100 of 250" in words(first)
    [following] = {link for link in links(first) if "skip=100" in link}
    assert "fit[n=101]" in words(served.see(following))
    assert "There is no such task" in served.see(f"/runs/{run}/tasks?search={quote('<script>')}&skip=-5")
    assert "1 of 252 tasks" in words(served.see(f"/runs/{run}/tasks?phase=failed"))


def test_a_task_is_shown_with_its_command_its_attempts_and_their_proof(served: Served, run: str) -> None:
    page = served.see(f"/runs/{run}/task?id={quote('fit[n=2]')}")
    text = words(page)
    assert "test $n != 2" in text
    assert "exit code 3" in text
    assert HOSTILE in text
    assert "prepare" in text, "what it waits for"


def test_artifacts_are_listed_with_their_digests_and_where_they_were_made(served: Served, run: str) -> None:
    page = served.see(f"/runs/{run}/artifacts")
    assert "prepare" in words(page)
    [following] = {link for link in links(page) if "skip=100" in link}
    assert served.see(following) != page
    assert re.search(r"[0-9a-f]{16}", words(page))


def test_the_workflow_is_shown_as_it_was_recorded_and_as_its_file_is(served: Served, run: str) -> None:
    text = words(served.see(f"/runs/{run}/workflow"))
    assert "cat workflow:///fit/*/y" in text
    assert "[tasks.fit]" in text


def test_logs_are_shown_by_their_ends_by_offset_and_whole(served: Served, run: str) -> None:
    last = words(served.see(f"/runs/{run}/log?id=prepare"))
    assert "40000" in last
    assert "so it is" not in last
    first = words(served.see(f"/runs/{run}/log?id=prepare&begin=0"))
    assert "so it is" in first
    assert HOSTILE in first
    assert "\x1b" not in first
    assert "so it is" in words(served.see(f"/runs/{run}/log?id=prepare&stream=err"))
    whole = served.ask(f"/runs/{run}/raw?id=prepare", cookie=served.cookie())
    assert whole.text.splitlines()[-1] == "40000"
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-disposition"].startswith("attachment")
    quiet = quote("fit[n=1]")
    assert "Nothing has been written" in served.see(f"/runs/{run}/log?id={quiet}")


@pytest.mark.parametrize("page", RUN_PAGES)
def test_nothing_that_was_written_is_taken_for_a_part_of_a_page(served: Served, run: str, page: str) -> None:
    text = served.see(f"/runs/{run}{page}")
    assert "<img" not in text
    assert "taken'</script>" not in text
    assert text.count("<script") == 1
    assert "<b>" not in text
    assert "\x1b" not in text
    assert "http://192.0.2.1" not in links(text)


@pytest.mark.parametrize("page", RUN_PAGES)
def test_every_link_of_a_page_leads_to_a_page(served: Served, run: str, page: str) -> None:
    found = {link for link in links(served.see(f"/runs/{run}{page}")) if not link.startswith("#")}
    assert found
    cookie = served.cookie()
    for link in sorted(found)[:40]:
        assert link.startswith("/"), "nothing is loaded from elsewhere"
        assert served.ask(link, cookie=cookie).code == 200, link


HOSTILE_PATHS = [
    "/runs/..",
    "/runs/%2e%2e",
    "/runs/..%2f..%2fhome",
    "/runs/{run}/../../x",
    "/runs/{run}%00",
    "/runs/{run}/log?id=..%2F..%2Frun.db&attempt=1",
    "/runs/{run}/log?id=prepare&attempt=2",
    "/runs/{run}/log?id=prepare&attempt=1&stream=..%2F..%2Frun.db",
    "/runs/{run}/raw?id=%2Fetc%2Fpasswd&attempt=1",
    "/runs/{run}/task?id=fit%5Bn%3D251%5D",
    "/runs/{run}/task",
    "/static/..%2fapp.py",
    "/static/__init__.py",
]


@pytest.mark.parametrize("path", HOSTILE_PATHS)
def test_a_name_that_is_none_of_ours_is_no_path(served: Served, run: str, path: str) -> None:
    reply = served.ask(path.format(run=run), cookie=served.cookie())
    assert reply.code == 404
    assert "root:" not in reply.text


@pytest.mark.parametrize("query", ["skip=99999999999999999999", "skip=x", "skip=-1", "phase=%00", "search=%25%27%22"])
def test_senseless_wishes_are_answered_by_a_page(served: Served, run: str, query: str) -> None:
    served.see(f"/runs/{run}/tasks?{query}")
    served.see(f"/runs/{run}/artifacts?{query}")


def test_a_moment_that_is_none_is_refused_in_words(served: Served, run: str) -> None:
    for text in ("noon", "2001-01-01%2000:00", "%3Cb%3E"):
        assert "is no moment" in served.see(f"/runs/{run}?at={text}", code=400)


def test_a_past_moment_is_shown_on_every_page_and_is_kept_by_links(served: Served, run: str) -> None:
    info = served.project.call("status", "--json").json
    at = quote(info["started"])
    page = served.see(f"/runs/{run}?at={at}")
    assert "As it stood at" in words(page)
    assert f"/runs/{run}/tasks?at=" in page
    assert "252 waiting" in words(page) or "staging" in words(page) or "queued" in words(page)
    assert "data-changes" not in page, "what is past does not change"


def test_a_record_that_cannot_be_read_does_not_hide_the_others(served: Served, run: str) -> None:
    folder = served.project.folder / ".longshore" / "runs" / "20000101-000000-0000"
    folder.mkdir()
    (folder / "run.db").write_bytes(b"this is no journal")
    try:
        page = served.see("/")
        assert "damaged" in words(page)
        assert run in page
        assert "is damaged" in served.see(f"/runs/{folder.name}", code=500)
    finally:
        (folder / "run.db").unlink()
        folder.rmdir()
