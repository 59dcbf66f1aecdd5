"""What a rented machine does when it boots the first time."""

from __future__ import annotations

import getpass
import os
import re
import select
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from longshore.errors import InvalidRequest
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.plugin.boot import BEAT_FILE, OVER_FILE, WATCH, first_boot

SPEC = MachineSpec(
    offer=Offer(type="small", region="north", resources=Resources()),
    keys=("ssh-ed25519 AAAA me",),
    owner="me",
    ledger="l-1",
    project="pv",
    run="r1",
    pool="cloud",
    ends_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
    unattended=timedelta(minutes=30),
)
_LONG = 1_000_000
_SECONDS = 120


def texts(script: str) -> list[str]:
    """Decode what a script writes into files."""
    return [b64decode(each).decode() for each in re.findall(r"printf %s (\S+) \| base64 -d", script)]


def test_equal_specs_boot_equally_since_a_repeated_request_must_be_identical() -> None:
    assert first_boot(SPEC, user="me") == first_boot(SPEC, user="me")


def test_the_end_time_and_the_unattended_time_are_given_to_the_machines_own_watch() -> None:
    watched = [line for line in first_boot(SPEC, user="me").splitlines() if line.startswith("setsid")]
    assert len(watched) == 1
    assert f" {int(SPEC.ends_at.timestamp())} 1800 /run/longshore/beat " in watched[0]


@given(st.integers(1, 10**6))
def test_a_machine_looks_for_beats_more_often_than_they_come(seconds: int) -> None:
    booted = first_boot(evolve(SPEC, unattended=timedelta(seconds=seconds)), user="me")
    [watched] = [line for line in booted.splitlines() if line.startswith("setsid")]
    every = int(watched.split("/run/longshore/beat ")[1].split()[0])
    assert 1 <= every <= max(1, seconds / 8, 1)
    assert every <= 15


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200))
def test_whatever_a_boot_script_says_arrives_as_it_is_and_is_no_part_of_our_own(script: str) -> None:
    booted = first_boot(evolve(SPEC, boot_script=script), user="me")
    assert script in texts(booted)
    assert all(ord(each) < 128 for each in booted)
    assert subprocess.run(["/bin/sh", "-n"], input=booted.encode(), check=False).returncode == 0


def test_scripts_are_executed_in_their_order_the_executors_last_and_taken_away() -> None:
    booted = first_boot(evolve(SPEC, boot_script="#!/bin/sh\ntwo"), user="me", scripts=("#!/bin/sh\none",))
    assert texts(booted)[-2:] == ["#!/bin/sh\none", "#!/bin/sh\ntwo"]
    assert booted.count("rm -f /var/lib/longshore/boot/") == 2


@pytest.mark.parametrize("user", ["", "root; reboot", "Me", "$(id)", "a" * 40, "a\nb"])
def test_a_login_user_that_cannot_be_is_refused(user: str) -> None:
    with pytest.raises(InvalidRequest, match="login user"):
        first_boot(SPEC, user=user)


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "ssh-ed25519 AAAA me\nssh-ed25519 BBBB other"])
def test_what_is_no_public_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="public key"):
        first_boot(evolve(SPEC, keys=(key,)), user="me")


def test_more_than_a_cloud_takes_is_refused_with_the_numbers() -> None:
    with pytest.raises(InvalidRequest, match="the cloud takes 16384"):
        first_boot(evolve(SPEC, boot_script="x" * 20_000), user="me")


# --- the watch, as a real program


@contextmanager
def watching(folder: Path, *, ends_at: float, unattended: int, notice: str = "", finally_: str = "") -> Iterator[int]:
    """Execute the watch with a ``poweroff`` that writes into a pipe; give the end to read from."""
    pipe = folder / "off"
    os.mkfifo(pipe)
    poweroff = folder / "poweroff"
    poweroff.write_text(f"#!/bin/sh\necho off >{pipe}\nkill $PPID\n")
    poweroff.chmod(0o755)
    (folder / "watch").write_text(WATCH)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    argv = ["/bin/sh", str(folder / "watch"), str(int(ends_at)), str(unattended), str(folder / "run" / "beat"), "0.05"]
    argv += [getpass.getuser(), notice, finally_]
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    with subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield reader
        finally:
            process.kill()
            os.close(reader)


def is_off(reader: int, seconds: float) -> bool:
    return bool(select.select([reader], [], [], seconds)[0]) and os.read(reader, 10) == b"off\n"


def test_a_machine_ends_itself_at_its_end_time(tmp_path: Path) -> None:
    with watching(tmp_path, ends_at=time.time() - 1, unattended=_LONG) as reader:
        assert is_off(reader, _SECONDS)


def test_a_machine_ends_itself_when_nobody_attends_to_it(tmp_path: Path) -> None:
    with watching(tmp_path, ends_at=time.time() + _LONG, unattended=1) as reader:
        assert is_off(reader, _SECONDS)


def test_a_machine_ends_itself_when_a_program_on_it_says_that_nothing_is_left_to_be_done(tmp_path: Path) -> None:
    over = tmp_path / "run" / Path(OVER_FILE).name
    assert Path(OVER_FILE).parent == Path(BEAT_FILE).parent, "in the folder that the login user may write"
    over.parent.mkdir()
    with watching(tmp_path, ends_at=time.time() + _LONG, unattended=_LONG) as reader:
        assert not is_off(reader, 0.3)
        over.touch()
        assert is_off(reader, _SECONDS)


def test_a_machine_that_is_attended_to_stays_and_takes_each_beat_away(tmp_path: Path) -> None:
    beat = tmp_path / "run" / "beat"
    with watching(tmp_path, ends_at=time.time() + _LONG, unattended=4) as reader:
        until = time.monotonic() + 6
        while not beat.parent.exists():
            assert not is_off(reader, 0.05)
        while time.monotonic() < until:
            beat.touch()
            assert not is_off(reader, 0.2)
        assert is_off(reader, _SECONDS)
    assert not beat.exists()


def test_what_a_cloud_announces_is_written_down_once_for_whoever_runs_things_there(tmp_path: Path) -> None:
    asked, told = tmp_path / "asked", tmp_path / "run-notice" / "notice"
    announces = tmp_path / "announces"
    announces.write_text(f"#!/bin/sh\necho x >>{asked}\n[ $(wc -l <{asked}) -gt 2 ] && echo 1767225600\n")
    announces.chmod(0o755)
    with watching(tmp_path, ends_at=time.time() + _LONG, unattended=_LONG, notice=str(announces)) as reader:
        until = time.monotonic() + _SECONDS
        while not told.exists():
            assert time.monotonic() < until
            assert not is_off(reader, 0.05)
        assert told.read_text() == "1767225600\n"
        assert not is_off(reader, 0.3)
    assert asked.read_text() == "x\n" * 3


def test_a_machine_of_a_cloud_that_announces_nothing_asks_nobody() -> None:
    assert "longshore-notice" not in first_boot(SPEC, user="me")
    booted = first_boot(SPEC, user="me", notice="#!/bin/sh\nexit 1\n")
    assert "#!/bin/sh\nexit 1\n" in texts(booted)
    [watched] = [line for line in booted.splitlines() if line.startswith("setsid")]
    assert " 5 me /usr/local/sbin/longshore-notice <" in watched


@pytest.mark.parametrize("code", [0, 1])
def test_what_is_to_be_done_finally_is_done_before_a_machine_powers_itself_off(tmp_path: Path, code: int) -> None:
    done, program = tmp_path / "done", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho done >{done}\nexit {code}\n")
    program.chmod(0o755)
    with watching(tmp_path, ends_at=time.time() - 1, unattended=_LONG, finally_=str(program)) as reader:
        assert is_off(reader, _SECONDS)
        assert done.read_text() == "done\n"


@pytest.mark.parametrize(("notice", "before"), [("", "false"), ("#!/bin/sh\n", "/usr/local/sbin/longshore-notice")])
def test_what_is_done_finally_is_no_notice(notice: str, before: str) -> None:
    booted = first_boot(SPEC, user="me", notice=notice, finally_="#!/bin/sh\nexit 7\n")
    assert "#!/bin/sh\nexit 7\n" in texts(booted)
    [watched] = [line for line in booted.splitlines() if line.startswith("setsid")]
    assert f" me {before} /usr/local/sbin/longshore-finally <" in watched
