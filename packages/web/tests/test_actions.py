"""What forms do: begin, cancel, resume and retry, each for whoever has the token and a page of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from longshore.runtime.history import RunReader
from longshore.runtime.lock import holder
from longshore_cli.testing.browser import Tab
from longshore_cli.testing.harness import new_project, wait_for, wait_until

from .serving import Reply, Served, serving


def workflow(folder: Path) -> str:
    return (
        f'name = "live"\n[tasks.slow]\ncommand = "echo first; touch {folder}/begun; cat {folder}/gate"\n'
        f'[tasks.stay]\ncommand = "cat {folder}/gate"\n'
    )


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Served]:
    """A project whose workflow waits for somebody to write into a pipe."""
    with new_project(tmp_path) as project:
        os.mkfifo(project.folder / "gate")
        project.write(workflow(project.folder))
        with serving(project) as served:
            yield served


def proof(served: Served) -> str:
    found = re.search(r'name="proof" value="([0-9a-f]+)"', served.see("/"))
    assert found is not None
    return found[1]


def send(served: Served, path: str, **form: str) -> Reply:
    """Send a form as a browser does from a page of ours."""
    words = {"proof": proof(served), **form}
    kind = "application/x-www-form-urlencoded"
    return served.ask(path, method="POST", form=words, cookie=served.cookie(), origin=served.home, content_type=kind)


def begin(served: Served) -> str:
    """Begin a run, and wait for its first task."""
    reply = send(served, "/runs")
    assert reply.code == 303, reply.text
    wait_for(served.project.folder / "begun")
    return reply.headers["location"].removeprefix("/runs/")


def end(served: Served, run: str) -> str:
    """Cancel a run from a terminal, which waits for its end, and say how it stands."""
    served.project.call("cancel", run)
    return state(served, run)


def state(served: Served, run: str) -> str:
    return RunReader(served.project.folder / ".longshore" / "runs" / run).info().state


@pytest.mark.parametrize("path", ["/runs", "/runs/{run}/cancel", "/runs/{run}/resume", "/runs/{run}/task/retry"])
def test_nothing_is_done_without_the_cookie_a_page_of_ours_and_its_proof(served: Served, path: str) -> None:
    run = served.project.call("status", "--json").json["run"]
    before = served.project.call("runs", "--json").out
    to, form = path.format(run=run), {"proof": proof(served), "id": "all", "retry": "yes"}

    assert served.ask(to, method="POST", form=form, origin=served.home).code == 401
    assert served.ask(to, method="POST", form=form, cookie=served.cookie()).code == 403
    evil = {"cookie": served.cookie(), "origin": "http://evil.example"}
    assert served.ask(to, method="POST", form=form, **evil).code == 403
    ours = {"cookie": served.cookie(), "origin": served.home}
    assert served.ask(to, method="POST", form={**form, "proof": "0" * 64}, **ours).code == 400
    assert served.ask(to, method="POST", form={**form, "more": "x" * 100_000}, **ours).code == 400
    assert served.ask(to, cookie=served.cookie()).code in {404, 405}
    assert served.project.call("runs", "--json").out == before


def test_a_run_is_begun_lives_on_without_the_server_and_is_cancelled(live: Served, tab: Tab) -> None:
    tab.screen(1400, 900, dark=False)
    tab.open(live.address)
    tab.value("[...document.querySelectorAll('button')].find(each => each.textContent === 'Begin a new run').click()")
    tab.until("document.querySelector('#stands .state')?.textContent === 'running'")
    wait_for(live.project.folder / "begun")
    run = tab.value("location.pathname").removeprefix("/runs/")
    who = holder(live.project.folder / ".longshore" / "runs" / run)
    assert who is not None
    assert os.getsid(who.process.pid) != os.getsid(live.pid)

    tab.value("document.querySelector('details').open = true")
    tab.value("[...document.querySelectorAll('button')].find(each => each.textContent === 'Cancel the run').click()")

    tab.until("document.querySelector('#stands .state')?.textContent === 'cancelled'")
    assert state(live, run) == "cancelled"


def test_a_task_is_cancelled_and_tried_again(live: Served) -> None:
    run = begin(live)

    assert send(live, f"/runs/{run}/task/cancel", id="slow").headers["location"] == f"/runs/{run}/task?id=slow"
    reader = RunReader(live.project.folder / ".longshore" / "runs" / run)
    with_state(reader, "slow", "cancelled")
    os.remove(live.project.folder / "begun")
    assert send(live, f"/runs/{run}/task/retry", id="slow").code == 303
    wait_for(live.project.folder / "begun")

    with_state(reader, "slow", "running")
    assert end(live, run) == "cancelled"


def with_state(reader: RunReader, task: str, phase: str) -> None:
    """Wait until a task stands so."""

    def holds() -> bool:
        info = reader.task(task)
        return info is not None and info.phase == phase

    wait_until(holds, f"{task} was never {phase}")


def test_what_has_ended_is_resumed_and_tried_again(live: Served) -> None:
    run = begin(live)
    assert end(live, run) == "cancelled"
    page = live.see(f"/runs/{run}")
    assert "Resume, and retry what failed" in page
    refused = send(live, f"/runs/{run}/resume")
    assert (refused.code, "has ended: cancelled" in refused.text) == (400, True)
    os.remove(live.project.folder / "begun")

    assert send(live, f"/runs/{run}/resume", retry="yes").code == 303
    wait_for(live.project.folder / "begun")

    again = send(live, f"/runs/{run}/resume", retry="yes")
    assert "is running already" in again.text
    assert end(live, run) == "cancelled"


def test_two_who_cancel_and_retry_at_once_are_both_answered_and_the_run_goes_on(live: Served) -> None:
    run = begin(live)
    wishes = [f"/runs/{run}/task/{verb}" for verb in ("cancel", "retry") * 8]

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda path: send(live, path, id="slow"), wishes))

    assert {reply.code for reply in replies} == {303}
    live.see(f"/runs/{run}/task?id=slow")
    assert state(live, run) == "running"
    assert end(live, run) == "cancelled"


def test_two_who_resume_at_once_make_one_controller(live: Served) -> None:
    run = begin(live)
    end(live, run)

    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: send(live, f"/runs/{run}/resume", retry="yes"), range(4)))

    assert [reply.code for reply in replies].count(303) == 1
    assert {reply.code for reply in replies} <= {303, 400, 409}
    assert all("Traceback" not in reply.text for reply in replies)
    assert end(live, run) == "cancelled"


def test_a_workflow_that_cannot_run_is_told_in_words_and_leaves_nothing(live: Served) -> None:
    live.project.write('name = "live"\n[tasks.slow]\ncomand = "<b>true"\n')

    reply = send(live, "/runs")

    assert reply.code == 409
    assert "comand" in unescape(reply.text)
    assert not list((live.project.folder / ".longshore").glob("begin-*"))


def test_a_run_of_another_name_and_a_task_that_is_none_are_refused(live: Served) -> None:
    run = begin(live)
    for path in (f"/runs/{run[:8]}/cancel", "/runs/..%2f/cancel", "/runs/x/resume"):
        assert send(live, path).code == 404
    for task in ("", "no", "../slow", "slow[x]", "*"):
        assert send(live, f"/runs/{run}/task/cancel", id=task).code == 404
    assert state(live, run) == "running"
    end(live, run)


def test_another_users_run_is_neither_told_nor_changed(live: Served) -> None:
    """Root may read everything, so the record is one that cannot be read by anybody."""
    run = begin(live)
    end(live, run)
    folder: Path = live.project.folder / ".longshore" / "runs" / run
    record = folder / "run.db"
    hidden = folder / "hidden"
    record.rename(hidden)
    record.mkdir()
    try:
        assert run in live.see("/")
        for path in (f"/runs/{run}", f"/runs/{run}/log?id=slow"):
            assert "cannot be read" in live.see(path, code=500)
        assert send(live, f"/runs/{run}/resume", retry="yes").code == 500
    finally:
        record.rmdir()
        hidden.rename(record)


def test_forms_are_not_shown_where_they_would_do_nothing(served: Served) -> None:
    run = served.project.call("status", "--json").json["run"]
    started = quote(served.project.call("status", "--json").json["started"])
    assert "<button>Cancel" not in served.see(f"/runs/{run}")
    assert 'method="post"' not in served.see(f"/runs/{run}?at={started}")
    assert 'method="post"' not in served.see(f"/runs/{run}/task?id={quote('fit[n=2]')}")
