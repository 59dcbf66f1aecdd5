"""What nobody needs goes, and what somebody may need stays."""

from __future__ import annotations

import threading
from pathlib import Path

from longshore.remote.digest import digest_bytes, digest_folder
from longshore.remote.discards import Discards
from longshore.remote.forgetting import discard
from longshore.remote.protocol import encode
from longshore.remote.store import has_object, put_bytes, put_folder


def keep(store: Path, content: bytes) -> str:
    sha256 = digest_bytes(content)
    put_bytes(str(store), content, sha256)
    return sha256


def ended(sha256: str, kind: str = "file") -> bytes:
    return encode({"event": "ended", "id": "r/a/1", "code": 0, "outputs": [("o", sha256, 1, 0o644, kind)]})


def test_what_is_discarded_goes_and_what_is_gone_is_no_trouble(tmp_path: Path) -> None:
    one, other = keep(tmp_path, b"1"), keep(tmp_path, b"2")

    for _ in range(2):
        discard(str(tmp_path), [one, digest_bytes(b"never here"), "../../etc"], [])

    assert [has_object(str(tmp_path), sha256) for sha256 in (one, other)] == [False, True]


def test_what_an_unreleased_attempt_has_written_stays(tmp_path: Path) -> None:
    written = keep(tmp_path, b"1")

    discard(str(tmp_path), [written], [ended(written)])

    assert has_object(str(tmp_path), written)


def test_files_of_a_folder_that_an_unreleased_attempt_has_written_stay(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"1")
    folder = digest_folder(str(tmp_path / "d"))
    put_folder(str(tmp_path), str(tmp_path / "d"), folder)

    discard(str(tmp_path), [digest_bytes(b"1")], [ended(folder.sha256, "folder")])

    assert has_object(str(tmp_path), digest_bytes(b"1"))


def test_what_an_attempt_claims_is_not_asked_to_go_until_it_is_released() -> None:
    discards = Discards()
    discards.claim("r/a/1", ["x"])

    assert discards.ask(["x", "y"]) == ["y"]
    discards.release("r/a/1")
    assert discards.ask(["x", "y"]) == ["x", "y"]


def test_data_wait_until_every_request_is_answered() -> None:
    discards = Discards()
    settled = threading.Event()

    def wait() -> None:
        discards.settle()
        settled.set()

    discards.ask(["x"])
    discards.ask(["y"])
    thread = threading.Thread(target=wait)
    thread.start()
    discards.answered()
    assert not settled.is_set()
    discards.answered()
    thread.join(120)
    assert settled.is_set()


def test_nobody_waits_for_answers_of_a_link_that_has_ended() -> None:
    discards = Discards()
    discards.ask(["x"])

    discards.reset()

    discards.settle()
