"""The cloud's books: its state in an SQLite file, so that it forgets nothing when its process ends."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import cattrs
from cattrs.preconf.json import make_converter

from longshore.testing.fake_cloud_parts import CloudMachine, CloudState
from longshore.testing.faults import Fault

__all__ = ["Books", "converter"]

_SCHEMA = "CREATE TABLE IF NOT EXISTS book (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID"
_PAIRS = ("sides", "images", "admitted", "keys")


def converter() -> cattrs.Converter:
    """Turn what the cloud knows into JSON, and back."""
    made = make_converter()
    made.register_unstructure_hook(Decimal, str)
    made.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    made.register_unstructure_hook(timedelta, timedelta.total_seconds)
    made.register_structure_hook(timedelta, lambda value, _: timedelta(seconds=value))
    return made


class Books:
    """An open file. Used by one thread at a time, whichever."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_SCHEMA)
        self._converter = converter()
        self._written: dict[str, object] = {}
        """What was written last of each row, or what changes whenever the row does."""

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def load(self) -> CloudState | None:
        """Give what was kept; None when the cloud is new."""
        rows = {name: json.loads(body) for name, body in self._connection.execute("SELECT name, body FROM book")}
        if not rows:
            return None
        self._written = dict.fromkeys(rows)  # all of it is written anew with the first change
        state = self._converter.structure({**rows["meta"], "arranged": []}, CloudState)
        state.arranged = [(Fault(fault), on) for fault, on in rows["meta"]["arranged"]]
        machines = [
            self._converter.structure(body, CloudMachine) for name, body in rows.items() if name.startswith("i-")
        ]
        state.machines = {each.id: each for each in sorted(machines, key=lambda each: int(each.id[2:]))}
        for part in _PAIRS:
            for name, body in rows.get(part, {}).items():
                account, key = json.loads(name)
                getattr(state, part)[account, key] = (body[0], body[1]) if part == "keys" else body
        return state

    def save(self, state: CloudState) -> None:
        """Write down what has changed, as one transaction."""
        rows: dict[str, str] = {}
        for machine in state.machines.values():
            known = (machine.ended, machine.stopped, machine.ends_at, machine.reclaimed_at, (*machine.tags.items(),))
            if self._written.get(machine.id) != known:
                rows[machine.id] = json.dumps(self._converter.unstructure(machine))
                self._written[machine.id] = known
        others: dict[str, Any] = {
            "meta": {
                "began": state.began.isoformat(),
                "asked": state.asked,
                "count": state.count,
                "reclaimed": state.reclaimed,
                "arranged": state.arranged,
            }
        }
        for part in _PAIRS:
            others[part] = {json.dumps(pair): body for pair, body in getattr(state, part).items()}
        for name, body in others.items():
            text = json.dumps(body)
            if self._written.get(name) != text:
                rows[name] = self._written[name] = text
        gone = [name for name in self._written if name.startswith("i-") and name not in state.machines]
        for name in gone:
            del self._written[name]
        if rows or gone:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("DELETE FROM book WHERE name = ?", [(name,) for name in gone])
            self._connection.executemany("INSERT OR REPLACE INTO book VALUES (?, ?)", rows.items())
            self._connection.execute("COMMIT")
