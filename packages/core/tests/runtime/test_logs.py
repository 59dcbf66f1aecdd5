"""Logs of runs of many tasks become one file, and are read as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.runtime.logs import LogPart, log_paths, pack, read_part


def write(folder: Path, names: range) -> None:
    (folder / "logs").mkdir(exist_ok=True)
    for number in names:
        (folder / "logs" / f"t[n={number}].1.out").write_text(f"out {number}")


def test_many_logs_become_one_file_and_each_can_still_be_read(tmp_path: Path) -> None:
    write(tmp_path, range(1500))

    pack(tmp_path)

    assert list((tmp_path / "logs").iterdir()) == []
    out, err = log_paths(tmp_path, "t[n=7]", 1)
    assert out.read_text() == "out 7"
    assert not err.exists()


def test_a_run_that_went_on_keeps_the_logs_of_before(tmp_path: Path) -> None:
    write(tmp_path, range(1500))
    pack(tmp_path)
    write(tmp_path, range(1400, 2700))

    pack(tmp_path)

    assert [log_paths(tmp_path, f"t[n={n}]", 1)[0].read_text() for n in (0, 1450, 2600)] == [
        "out 0",
        "out 1450",
        "out 2600",
    ]


@pytest.mark.parametrize("count", [0, 3])
def test_few_logs_stay_files(tmp_path: Path, count: int) -> None:
    write(tmp_path, range(count))

    pack(tmp_path)

    assert len(list((tmp_path / "logs").iterdir())) == count


def test_a_run_without_logs_is_none_the_worse(tmp_path: Path) -> None:
    pack(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_part_is_read_from_an_offset_or_is_the_end_from_a_lines_beginning_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")

    assert read_part(path, most=9) == LogPart(begin=8, data=b"three\n", size=14, most=9)
    assert read_part(path, most=100).data == b"one\ntwo\nthree\n"
    assert read_part(path, 2, most=4) == LogPart(begin=2, data=b"e\ntw", size=14, most=4)
    assert read_part(path, 99, most=4) == LogPart(begin=14, data=b"", size=14, most=4)
    assert read_part(tmp_path / "none", 3, most=4) == LogPart(begin=0, data=b"", size=0, most=4)


def test_the_end_of_a_line_that_is_too_long_is_shown_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 20 + b"\n")

    assert read_part(path, most=5) == LogPart(begin=16, data=b"xxxx\n", size=21, most=5)
