"""The core's own observers, told by real runs: a file, a web hook, a mail, a notice on the desktop."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from longshore import Workflow
from longshore.builtin.observers import EventLines, EventLinesConfig
from longshore.errors import ConfigError, PluginMissing
from longshore.plugin import Observer
from longshore.runtime.history import RunReader
from longshore.testing import ObserverContract


class TestEventLines(ObserverContract):
    """The laws, on the file of events."""

    @pytest.fixture
    def observer(self, tmp_path: Path) -> Observer:
        """Give one."""
        return EventLines(EventLinesConfig(), {"run": "r", "workflow": "w", "folder": str(tmp_path)})


def _run(folder: Path, observers: Mapping[str, Mapping[str, Any]]) -> RunReader:
    workflow = Workflow("seen", observers=observers)
    workflow.shell("good", "echo yes")
    workflow.shell("bad", "exit 3")
    with workflow.start(folder=folder) as run:
        run.wait()
    return run.reader()


@contextmanager
def _web() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    taken: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204 if self.path != "/broken/hush" else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the standard library
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", taken
        server.shutdown()


class _Post(socketserver.StreamRequestHandler):
    """A server for mail, as far as a mail without a login needs it."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        content = False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if content:
                content = line != "."
                self.server.lines.append(line)  # type: ignore[attr-defined]
                answer = b"" if content else b"250 taken\r\n"
            elif line.upper() == "DATA":
                content, answer = True, b"354 go on\r\n"
            else:
                answer = b"221 bye\r\n" if line.upper() == "QUIT" else b"250 fine\r\n"
            self.wfile.write(answer)


def test_each_event_of_the_journal_is_a_line_of_the_file(tmp_path: Path) -> None:
    reader = _run(tmp_path, {"events-file": {"file": "told.jsonl"}})

    lines = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]

    assert [line["kind"] for line in lines] == [type(event).__name__ for _, event in reader.events()]
    assert {line["run"] for line in lines} == {reader.folder.name}
    ends = {line["task"]: line["outcome"] for line in lines if line["kind"] == "AttemptEnded"}
    assert ends == {"good": {"kind": "Exited", "code": 0}, "bad": {"kind": "Exited", "code": 3}}
    assert (tmp_path / "told.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_web_hook_is_told_once_how_a_run_ended(tmp_path: Path) -> None:
    with _web() as (address, taken):
        reader = _run(tmp_path, {"chat": {"plugin": "webhook", "url": f"{address}/hook"}})

    [told] = taken
    assert (told["run"], told["workflow"], told["state"]) == (reader.folder.name, "seen", "failed")
    assert told["failed"] == {"bad": "user code"}
    assert "bad: user code" in told["text"]


def test_the_address_of_a_web_hook_can_be_a_secret_and_is_told_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with _web() as (address, taken):
        monkeypatch.setenv("HOOK", f"{address}/broken/hush")
        reader = _run(tmp_path, {"webhook": {"url_env": "HOOK"}})

    assert len(taken) == 1
    assert "the web hook was not taken: 500" in caplog.text
    assert "hush" not in caplog.text
    assert all("hush" not in path.read_text(errors="replace") for path in reader.folder.rglob("*") if path.is_file())


def test_a_mail_says_how_a_run_ended(tmp_path: Path) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Post) as server:
        server.lines = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        reader = _run(tmp_path, {"email": {"to": "ann@example.org", "host": "127.0.0.1", "port": port}})
        server.shutdown()
        lines: list[str] = server.lines  # type: ignore[attr-defined]

    assert "To: ann@example.org" in lines
    assert f"seen: run {reader.folder.name} has failed" in " ".join(lines)
    assert "bad: user code" in lines


def test_a_notice_is_shown_by_the_program_of_the_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "notify-send"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/shown\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    reader = _run(tmp_path, {"desktop": {}})

    shown = (tmp_path / "shown").read_text().splitlines()
    assert f"seen: run {reader.folder.name} has failed" in shown
    assert "--urgency=critical" in shown


def test_only_failures_are_told_to_whoever_wants_no_more(tmp_path: Path) -> None:
    with _web() as (address, taken):
        workflow = Workflow("seen", observers={"webhook": {"url": address, "when": "failed"}})
        workflow.shell("good", "true")
        with workflow.start(folder=tmp_path) as run:
            run.wait()
    assert taken == []


def test_one_that_cannot_be_made_is_told_and_the_run_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = _run(tmp_path, {"webhook": {"url_env": "NOBODY_HAS_SET_THIS"}})
    assert reader.info().state == "failed"
    assert "NOBODY_HAS_SET_THIS" in caplog.text


@pytest.mark.parametrize(
    ("observers", "error", "said"),
    [
        ({"webhook": {"url": "ftp://x"}}, ConfigError, "observers.webhook"),
        ({"webhook": {"wehn": "failed"}}, ConfigError, "wehn"),
        ({"email": {}}, ConfigError, "observers.email"),
        ({"webhok": {}}, PluginMissing, "webhook"),
    ],
)
def test_what_is_wrong_with_an_observer_is_said_before_anything_runs(
    tmp_path: Path, observers: Mapping[str, Mapping[str, Any]], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        _run(tmp_path, observers)
    assert not (tmp_path / ".longshore" / "runs").exists()
