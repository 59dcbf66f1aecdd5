"""The journal keeps what it was given, says what is wrong with it, and is never overwritten."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from longshore.errors import JournalError
from longshore.model.events import AttemptIntended, CancelAsked, Event, RunContinued
from longshore.runtime.history import RunReader
from longshore.runtime.journal import Journal
from longshore.runtime.schema import MIGRATIONS, SCHEMA_VERSION

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def test_what_is_committed_is_read_back_in_order(tmp_path: Path) -> None:
    events: list[Event] = [RunContinued(at=NOW, fence=1), AttemptIntended(at=NOW, task="a", attempt=1, machine="m")]
    journal = Journal.create(tmp_path, {"name": "w"})
    journal.write(events, [(0, "a", "queued", 1, "m", "")])
    journal.commit()
    journal.close()

    again = Journal.open(tmp_path)

    assert list(again.events()) == events
    assert again.meta() == {"name": "w"}
    again.close()


def test_what_was_not_committed_is_gone(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, {})
    journal.write([CancelAsked(at=NOW)], [])
    journal.close()

    again = Journal.open(tmp_path)

    assert list(again.events()) == []
    again.close()


def test_a_commit_survives_sigkill(tmp_path: Path) -> None:
    program = f"""
import os, signal
from datetime import UTC, datetime
from pathlib import Path
from longshore.model.events import CancelAsked
from longshore.runtime.journal import Journal
journal = Journal.create(Path({str(tmp_path)!r}), {{}})
for number in range(100):
    journal.write([CancelAsked(at=datetime.now(UTC), tasks=(str(number),))], [])
    journal.commit()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False, timeout=120)

    journal = Journal.open(tmp_path)

    tasks = [event.tasks for event in journal.events() if isinstance(event, CancelAsked)]
    assert tasks == [(str(number),) for number in range(100)]
    journal.close()


def test_sync_leaves_nothing_for_a_power_cut(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, {})
    journal.write([CancelAsked(at=NOW)], [])
    states = [journal.unsynced]
    journal.commit()
    states.append(journal.unsynced)
    journal.sync()
    states.append(journal.unsynced)

    assert states == [False, True, False]
    journal.close()


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    Journal.create(tmp_path, {}).close()

    with pytest.raises(JournalError, match="never overwritten"):
        Journal.create(tmp_path, {})


def test_a_journal_of_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    Journal.create(tmp_path, {}).close()
    with sqlite3.connect(tmp_path / "run.db") as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")

    with pytest.raises(JournalError, match="use a newer Longshore"):
        Journal.open(tmp_path)
    with pytest.raises(JournalError, match="use a newer Longshore"):
        RunReader(tmp_path).info()


def test_every_older_version_is_migrated_and_what_never_was_one_is_refused_in_words(tmp_path: Path) -> None:
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))
    Journal.create(tmp_path, {}).close()
    with sqlite3.connect(tmp_path / "run.db") as db:
        db.execute("PRAGMA user_version = 0")

    with pytest.raises(JournalError, match="is no journal of a run"):
        Journal.open(tmp_path)


def test_an_unknown_event_is_refused_in_words(tmp_path: Path) -> None:
    Journal.create(tmp_path, {}).close()
    with sqlite3.connect(tmp_path / "run.db") as db:
        db.execute("INSERT INTO events (kind, at, body) VALUES ('Teleported', 0, '{}')")
    journal = Journal.open(tmp_path)

    with pytest.raises(JournalError, match="Teleported"):
        list(journal.events())
    journal.close()


@pytest.mark.parametrize("damage", [b"", b"this is no database, not at all, but it is long enough to be read" * 100])
def test_a_damaged_journal_is_refused_in_words(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "run.db").write_bytes(damage)

    with pytest.raises(JournalError, match=r"damaged|no journal"):
        Journal.open(tmp_path)


def test_a_journal_with_a_broken_page_is_refused_in_words(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, {})
    journal.write([CancelAsked(at=NOW, tasks=(str(number) * 50,)) for number in range(2000)], [])
    journal.commit()
    journal.close()
    path = tmp_path / "run.db"
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 12] = os.urandom(4096 * 7)
    path.write_bytes(content)

    with pytest.raises(JournalError, match="damaged"):
        Journal.open(tmp_path)


def fill(journal: Journal) -> None:
    for _ in range(100):
        journal.write([CancelAsked(at=NOW, tasks=("x" * 10_000,))], [])
        journal.commit()


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system can be mounted by root only")
def test_a_full_disk_stops_the_journal_with_words(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], check=True)
    try:
        journal = Journal.create(tmp_path, {})
        with pytest.raises(JournalError, match="no room left"):
            fill(journal)
        journal.close()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    Journal.create(tmp_path, {}).close()

    assert (tmp_path / "run.db").stat().st_mode & 0o777 == 0o600


def test_a_run_is_readable_from_the_moment_it_exists(tmp_path: Path) -> None:
    program = f"""
import os, signal, sqlite3
from pathlib import Path
import longshore.runtime.journal as journal

class Killed(sqlite3.Connection):
    def __init__(self, path, **words):
        if path != ":memory:":
            os.kill(os.getpid(), signal.SIGKILL)
        super().__init__(path, **words)

connect = sqlite3.connect
sqlite3.connect = lambda path, **words: connect(path, factory=Killed, **words)
journal.Journal.create(Path({str(tmp_path)!r}), dict(name="w", total="0", created="2026-01-01T00:00:00+00:00"))
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL

    info = RunReader(tmp_path).info()

    assert (info.workflow, info.state) == ("w", "unfinished")


def test_no_rollback_journal_is_ever_made(tmp_path: Path) -> None:
    journal = Journal.create(tmp_path, {})
    journal.write([CancelAsked(at=NOW)], [])
    journal.commit()

    mode = sqlite3.connect(tmp_path / "run.db").execute("PRAGMA journal_mode").fetchone()[0]

    assert mode == "wal"
    assert (tmp_path / "run.db").read_bytes()[18:20] == b"\x02\x02"
    journal.close()
