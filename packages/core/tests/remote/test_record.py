"""What survives a supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from longshore.remote.protocol import MAX_LINE, Lines, LineTooLong, decode_lines, encode
from longshore.remote.record import Record


def line(event: str, **fields: Any) -> bytes:
    return encode({"event": event, **fields})


INTENT = line("intent", id="a", at=1.0, workdir="/w")
PID = line("pid", id="a", pid=7, at=2.0)
ENDED = line("ended", id="a", code=0)


def written(path: Path, *lines: bytes) -> Record:
    record = Record(str(path))
    record.open()
    for entry in lines:
        record.add(entry)
    record.flush()
    return record


def test_what_was_begun_and_what_ended_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "record"
    written(path, line("supervisor", boot="b", pid=1), INTENT, PID, line("intent", id="b", at=3.0, workdir="/x"), ENDED)

    memory = Record(str(path)).open()

    assert memory.boot == "b"
    assert memory.ended == {"a": ENDED}
    assert memory.begun == {"b": {"event": "intent", "id": "b", "at": 3.0, "workdir": "/x"}}


def test_a_process_that_was_noted_is_known_again(tmp_path: Path) -> None:
    written(tmp_path / "record", INTENT, PID)

    begun = Record(str(tmp_path / "record")).open().begun["a"]
    assert (begun["pid"], begun["at"], begun["workdir"]) == (7, 2.0, "/w")


def test_what_was_released_is_forgotten(tmp_path: Path) -> None:
    written(tmp_path / "record", INTENT, ENDED, line("released", ids=["a", "unknown"]))

    memory = Record(str(tmp_path / "record")).open()
    assert (memory.ended, memory.begun) == ({}, {})


@pytest.mark.parametrize("cut", range(1, len(ENDED)))
def test_a_line_that_was_cut_short_teaches_nothing_and_is_gone(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "record"
    written(path, INTENT, ENDED)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - cut)

    again = Record(str(path))
    assert again.open().ended == {}
    again.add(ENDED)
    again.flush()

    assert path.read_bytes() == INTENT + ENDED


def test_damage_in_the_middle_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_bytes(b"\x00\xff{]\n" + b'{"event": "ended"}\n[]\n7\n' + INTENT + ENDED)

    assert Record(str(path)).open().ended == {"a": ENDED}


def test_a_record_is_rewritten_with_what_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "record"
    record = written(path, INTENT, ENDED)

    record.rewrite([PID])
    record.add(ENDED)
    record.flush()

    assert path.read_bytes() == PID + ENDED


def test_lines_are_cut_out_of_a_stream_however_it_comes() -> None:
    lines = Lines()

    taken = [lines.take(piece) for piece in (b'{"a"', b': 1}\n{"b": 2}\n{', b"}\n", b"")]

    assert [decode_lines(whole) for whole in taken if whole] == [[{"a": 1}, {"b": 2}], [{}]]


def test_a_line_without_end_is_refused() -> None:
    lines = Lines()
    assert lines.take(bytes(MAX_LINE)) == b""

    with pytest.raises(LineTooLong):
        lines.take(b"x")


@pytest.mark.parametrize("content", [b"nonsense\n", b"[]\n", b"1\n", b"{}\n7\n", b"\xff\n"])
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_lines(content)
