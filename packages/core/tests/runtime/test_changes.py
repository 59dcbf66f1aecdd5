from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

from longshore.runtime.changes import Changes


def waited(changes: Changes, also: list[int]) -> list[int] | None:
    """Wait for changes, but not for good; None when none came."""
    answers: list[list[int]] = []
    thread = Thread(target=lambda: answers.append(changes.wait(also)), daemon=True)
    thread.start()
    thread.join(120)
    return answers[0] if answers else None


def test_a_new_file_a_longer_file_and_a_renamed_file_are_told(tmp_path: Path) -> None:
    with Changes([tmp_path]) as changes:
        (tmp_path / "a").touch()
        assert waited(changes, []) == []
        with (tmp_path / "a").open("a") as file:
            file.write("more")
        assert waited(changes, []) == []
        (tmp_path / "a").rename(tmp_path / "b")
        assert waited(changes, []) == []


def test_a_descriptor_that_becomes_readable_is_told_though_no_file_changes(tmp_path: Path) -> None:
    read, write = os.pipe()
    try:
        with Changes([tmp_path]) as changes:
            os.write(write, b"x")
            assert waited(changes, [read]) == [read]
    finally:
        os.close(read)
        os.close(write)
