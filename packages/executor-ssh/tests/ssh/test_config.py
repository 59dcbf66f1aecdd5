"""What may be said of hosts, and how mistakes are told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from longshore.remote.patience import Patience
from longshore_ssh.config import HostConfig, SshConfig, split_address
from longshore_ssh.errors import plain_text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("h1", ("", "h1", None)),
        ("me@h1:2222", ("me", "h1", 2222)),
        ("me@10.0.0.1", ("me", "10.0.0.1", None)),
        ("[::1]:22", ("", "::1", 22)),
        ("fe80::1", ("", "fe80::1", None)),
        ("a.b@c-d.example:1", ("a.b", "c-d.example", 1)),
    ],
)
def test_a_host_is_a_name_with_a_user_and_a_port(text: str, parts: tuple[str, str, int | None]) -> None:
    assert split_address(text) == parts


@pytest.mark.parametrize("text", ["", "-oProxyCommand=x", "h;rm", "a b", "me@", "h:0", "h:65536", "h:x", "$(x)", "hé"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (host|port)"):
        split_address(text)


@given(some.text())
def test_what_passes_as_a_host_is_harmless_in_a_shell(text: str) -> None:
    try:
        parts = split_address(text)
    except ValueError:
        return
    assert not set("".join(map(str, parts))) & set(" \t\n;&|<>()`\"'\\*?#~!{}")
    assert not text.startswith("-")


def test_hosts_are_texts_and_tables() -> None:
    config = SshConfig(hosts=["h1", {"host": "me@h2", "cpus": 4, "memory": "8 GiB", "labels": {"disk": "fast"}}])

    assert config.hosts == (
        HostConfig(host="h1"),
        HostConfig(host="me@h2", cpus=4, memory=8 << 30, labels={"disk": "fast"}),
    )


def test_every_mistake_in_hosts_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="is no host") as caught:
        SshConfig(hosts=["h 1", {"host": "h2", "prot": 22}, {"cpus": 4}, {"host": "h3", "port": "22"}, "h4", "h4"])

    told = str(caught.value)
    for mistake in ("host 1: 'h 1'", "host 2:", "did you mean port", '"host" is missing', "host 4: port", "2 times"):
        assert mistake in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth": "pasword"}, "is no way to log in"),
        ({"password_env": "hunter 2"}, "the secret itself must not stand here"),
        ({"port": 0}, "is no port"),
        ({"jump": "a,b c"}, "is no host"),
        ({"reconnect": timedelta(0)}, "reconnect must be longer"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SshConfig(**options)  # type: ignore[arg-type]


@given(some.text())
def test_what_strangers_say_is_one_bounded_line_without_control_characters(text: str) -> None:
    plain = plain_text(text, 50)

    assert len(plain) <= 50
    assert plain == "" or plain.isprintable()


def test_tries_are_further_and_further_apart_until_the_budget_is_used_up() -> None:
    patience = Patience(budget=3.0)

    assert patience.lost(100.0) == 0.0
    assert [patience.failed(100.0 + n) for n in range(4)] == [0.1, 0.2, 0.4, None]


def test_the_last_try_is_at_the_end_of_the_budget() -> None:
    patience = Patience(budget=10.0)
    patience.lost(0.0)
    for _ in range(8):
        patience.failed(0.0)

    assert patience.failed(9.5) == 0.5


def test_a_link_that_breaks_again_at_once_is_not_made_again_at_once() -> None:
    patience = Patience(budget=60.0)
    waits = []
    for now in range(5):
        waits.append(patience.lost(float(now)))
        patience.linked(float(now))

    assert waits == [0.0, 0.1, 0.2, 0.4, 0.8]


def test_a_good_link_lets_what_was_before_be_forgotten() -> None:
    patience = Patience(budget=60.0)
    patience.lost(0.0)
    patience.failed(1.0)
    patience.linked(2.0)

    assert patience.lost(50.0) == 0.0
    assert patience.failed(109.0) == 0.1


def test_only_hosts_that_are_listed_share_a_file_system() -> None:
    assert SshConfig(hosts=["h1"], shared_fs=True).shared_fs

    with pytest.raises(ValueError, match="shared_fs is for hosts that are listed"):
        SshConfig(shared_fs=True)
