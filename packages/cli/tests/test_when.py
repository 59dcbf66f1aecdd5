"""Times are what people write, and the same for systemd, for cron and for us; whatever a name holds is quoted."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.errors import UsageError
from longshore_cli.scheduling.cron import cron_line
from longshore_cli.scheduling.entry import Entry
from longshore_cli.scheduling.systemd import service_text, timer_text
from longshore_cli.scheduling.when import When, parse_when

FRIDAY = datetime(2026, 3, 13, 17, 59, 30, tzinfo=UTC)

DAYS = ["Mon-Fri", "Sat,Sun", "Fri-Mon", "wed"]
TEXTS = st.one_of(
    st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59)),
    st.builds("{} {}:{:02}".format, st.sampled_from(DAYS), st.integers(0, 23), st.integers(0, 59)),
    st.builds("every {} min".format, st.sampled_from([1, 5, 15, 30, 60])),
    st.builds("every {} h".format, st.sampled_from([1, 2, 6, 12, 24])),
)  # fmt: skip
WORDS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" '\"\\$%`;&|~*"), min_size=1)


@pytest.mark.parametrize(
    ("text", "calendar", "cron", "then"),
    [
        ("18:00", "*-*-* 18:00:00", "0 18 * * *", "Fri 18:00"),
        ("Mon-Fri 17:30", "Mon,Tue,Wed,Thu,Fri *-*-* 17:30:00", "30 17 * * 1,2,3,4,5", "Mon 17:30"),
        ("sat,Sun 9:15", "Sat,Sun *-*-* 09:15:00", "15 9 * * 0,6", "Sat 09:15"),
        ("Fri-Mon 00:00", "Mon,Fri,Sat,Sun *-*-* 00:00:00", "0 0 * * 0,1,5,6", "Sat 00:00"),
        ("every 1 h", "*-*-* *:00:00", "0 * * * *", "Fri 18:00"),
        ("every 6 h", "*-*-* 00,06,12,18:00:00", "0 0,6,12,18 * * *", "Fri 18:00"),
        ("every 20 min", "*-*-* *:00,20,40:00", "0,20,40 * * * *", "Fri 18:00"),
    ],
)
def test_a_time_is_the_same_for_everybody(text: str, calendar: str, cron: str, then: str) -> None:
    when = parse_when(text)
    assert (when.calendar(), when.cron()) == (calendar, cron)
    assert f"{when.after(FRIDAY):%a %H:%M}" == then


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at noon", "write it as in"),
        ("24:00", "there is no 24:00"),
        ("Mon-Fry 10:00", "'Fry' in 'Mon-Fry 10:00' is no day"),
        ("every 7 min", "does not go evenly into an hour; use 1, 2, 3, 4, 5, 6, 10"),
        ("every 0 h", "does not go evenly"),
        ("18:00\n* * * * * rm -rf /", "is no time"),
    ],
)
def test_what_is_no_time_is_refused_with_how_it_is_written(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_when(text)


@given(TEXTS, st.integers(0, 7 * 24 * 3600))
def test_the_next_time_is_the_first_minute_that_fits(text: str, seconds: int) -> None:
    when = parse_when(text)
    moment = FRIDAY + timedelta(seconds=seconds)
    minute = moment.replace(second=0) + timedelta(minutes=1)
    while not (minute.weekday() in when.days and minute.hour in when.hours and minute.minute in when.minutes):
        minute += timedelta(minutes=1)
    assert when.after(moment) == minute


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
@pytest.mark.parametrize("text", ["18:00", "Mon-Fri 17:30", "Fri-Mon 00:00", "every 6 h", "every 20 min"])
def test_systemd_reads_a_time_as_we_do(text: str) -> None:
    when = parse_when(text)
    words = ["systemd-analyze", "calendar", f"--base-time={FRIDAY:%Y-%m-%d %H:%M:%S} UTC", f"{when.calendar()} UTC"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    assert f"{when.after(FRIDAY):%a %Y-%m-%d %H:%M:%S} UTC" in done.stdout


def entry(*words: str, folder: str = "/home/me/pv", path: str = "/usr/bin") -> Entry:
    when = parse_when("18:00")
    return Entry(name="x", when=when, words=words, folder=Path(folder), environment={"PATH": path})


@given(st.lists(WORDS, max_size=4), WORDS)
def test_hostile_words_are_words_to_the_shell_that_cron_starts(words: list[str], folder: str) -> None:
    line = cron_line(entry("gc", *words, folder=f"/{folder}", path=folder))
    assert "\n" not in line
    command = line.split(" ", 5)[5]
    assert re.search(r"(?<!\\)%", command) is None  # cron would end the line there
    cd, place, then, path, *rest = shlex.split(command.replace("\\%", "%"))
    assert (cd, Path(place), then, path) == ("cd", Path(f"/{folder}"), "&&", f"PATH={folder}")
    assert rest == [sys.executable, "-m", "longshore_cli", "gc", *words]


@given(st.lists(WORDS, max_size=4), WORDS)
def test_hostile_words_are_words_to_systemd(words: list[str], value: str) -> None:
    text = service_text(entry("gc", *words, path=value))
    [start] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    [setting] = re.findall(r"^Environment=(.*)$", text, re.MULTILINE)
    assert unquoted(start.replace("$$", "$")) == [sys.executable, "-m", "longshore_cli", "gc", *words]
    assert re.search(r"(?<!\$)\$(?:\$\$)*(?!\$)", start) is None
    assert unquoted(setting) == [f"PATH={value}"]


def unquoted(text: str) -> list[str]:
    """Read words as systemd.syntax(7) and systemd.unit(5) say: quotes, backslashes, and doubled specifiers."""
    found = re.findall(r'"((?:\\.|[^"\\])*)"', text)
    assert " ".join(f'"{word}"' for word in found) == text
    return [re.sub(r"\\(.)", r"\1", word.replace("%%", "%")) for word in found]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    hostile = entry("machines", "down", "a b", '"; rm -rf ~ #', "$HOME", "100%", "back\\slash", folder=str(tmp_path))
    (tmp_path / "longshore-x.service").write_text(service_text(hostile))
    (tmp_path / "longshore-x.timer").write_text(timer_text(hostile))
    words = ["systemd-analyze", "verify", "--user", "--man=no", "longshore-x.timer", "longshore-x.service"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if "longshore-x" in line] == []


@pytest.mark.parametrize("word", ["two\nlines", "a\0b", "bell\a"])
def test_what_would_end_a_line_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="control character"):
        entry("machines", "down", word).check()


@given(TEXTS, st.lists(WORDS, max_size=3))
def test_what_is_written_of_a_schedule_is_read_back(text: str, words: list[str]) -> None:
    written = Entry(name="x", when=parse_when(text), words=tuple(words), folder=Path("/home/me"))
    line = written.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert Entry.from_json(line) == written
    assert isinstance(written.when, When)


def test_when_a_computer_starts_is_a_time_that_nobody_can_tell_before() -> None:
    when = parse_when("at boot")
    assert (when.systemd(), when.cron(), when.after(FRIDAY)) == ("OnStartupSec=5", "@reboot", None)
