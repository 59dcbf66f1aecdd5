"""Who may ask: nobody without the token, no other site, no other name, no other user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from longshore_cli.testing.harness import Project

from .serving import Served, serving

PATHS = ["/", "/schedules", "/changes", "/runs/x", "/runs/x/log", "/runs/x/changes", "/nowhere", "/../etc/passwd"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_told_without_the_token(served: Served, path: str) -> None:
    assert served.ask(path).code == 401
    assert served.ask(path, cookie="longshore=0123").code == 401
    assert served.ask(path, cookie=f"longshore={served.token}").code == 401, "the token is not what the cookie has"


def test_who_opens_a_page_without_the_token_is_asked_for_it(served: Served) -> None:
    reply = served.ask("/", accept="text/html")
    assert (reply.code, reply.headers["location"]) == (303, "/enter")
    assert '<input type="password" name="token"' in served.ask("/enter").text


def test_a_wrong_token_is_refused(served: Served) -> None:
    for reply in (served.ask("/enter?token=guess"), served.ask("/enter?token=%C3%A4")):
        assert reply.code == 403
        assert "set-cookie" not in reply.headers


def test_the_cookie_is_for_this_host_alone_and_does_not_have_the_token(served: Served) -> None:
    reply = served.ask(f"/enter?token={served.token}")
    words = reply.headers["set-cookie"].split("; ")
    assert reply.code == 303
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(words)
    assert served.token not in reply.headers["set-cookie"]


def test_a_name_that_was_made_to_mean_this_computer_gets_nothing(served: Served) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "["):
        assert served.ask("/", host=host, cookie=served.cookie()).code == 421
    for host in ("localhost:8088", "127.0.0.1", "[::1]:1"):
        assert served.ask("/", host=host, cookie=served.cookie()).code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", ""])
def test_what_another_site_sends_is_refused(served: Served, origin: str) -> None:
    headers = {"origin": origin} if origin else {"sec_fetch_site": "cross-site"}
    reply = served.ask("/enter", method="POST", form={"token": served.token}, cookie=served.cookie(), **headers)
    assert reply.code == 403
    assert "page of ours" in reply.text


def test_a_form_of_ours_enters(served: Served) -> None:
    reply = served.ask("/enter", method="POST", form={"token": served.token}, origin=served.home)
    assert (reply.code, reply.headers["location"]) == (303, "/")


def test_every_answer_forbids_what_pages_do_not_need(served: Served) -> None:
    for path, cookie in (("/", served.cookie()), ("/", ""), ("/enter", ""), ("/static/page.js", ""), ("/no", "")):
        headers = served.ask(path, cookie=cookie).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_token_is_kept_for_this_user_alone_and_is_the_same_the_next_time(served: Served) -> None:
    kept = Path(served.project.env["XDG_STATE_HOME"], "longshore", "web-token")
    assert kept.read_text().strip() == served.token
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(served.token) == 64


def test_a_token_that_others_could_read_is_not_used(tmp_path: Path, served: Served) -> None:
    kept = tmp_path / "longshore" / "web-token"
    kept.parent.mkdir()
    kept.write_text("0" * 64)
    kept.chmod(0o644)
    other = Project(served.project.folder, served.project.env | {"XDG_STATE_HOME": str(tmp_path)})
    answer = other.call("web", code=2)
    assert answer.err.count("\n") <= 2
    assert "others could read" in answer.err
    os.remove(kept)
    kept.symlink_to(tmp_path / "elsewhere")
    assert "cannot be used" in other.call("web", code=2).err


def test_a_port_that_is_taken_is_named(served: Served) -> None:
    port = served.home.rpartition(":")[2]
    assert f"port {port} cannot be used" in served.project.call("web", "--port", port, code=2).err


def test_only_this_computer_is_listened_to(served: Served) -> None:
    assert served.home.startswith("http://127.0.0.1:")
    port = int(served.home.rpartition(":")[2])
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    [own] = [line[1] for line in listening if line[3] == "0A" and line[1].endswith(f":{port:04X}")]
    assert own.startswith("0100007F:")


def test_another_address_is_listened_to_when_that_is_asked_for_and_only_known_names_are_answered(
    served: Served,
) -> None:
    with serving(served.project, "--bind", "0.0.0.0", "--name", "Runs.example.org") as other:
        port = other.home.rpartition(":")[2]
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert f"00000000:{int(port):04X}" in [line[1] for line in listening if line[3] == "0A"]
        assert other.ask("/enter", host=f"runs.example.org:{port}").code == 200
        assert other.ask("/enter", host=f"evil.example:{port}").code == 421
        assert other.see("/")


def test_what_is_no_address_is_refused(served: Served) -> None:
    assert "is no address" in served.project.call("web", "--bind", "localhost", code=2).err
