"""Big objects come to a machine without Python by themselves, and are kept only when they are what their names say."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from longshore.model.attempt import Item
from longshore.model.command import Shell as ShellCommand
from longshore.model.outcome import Exited
from longshore.remote.shim_session import shim_program

from .bench import SHELLS, Bench, Shell

_PIECE = 16 << 20
"""What the shim digests at once."""
_SIZES = (4 << 20, _PIECE - 1, _PIECE, 2 * _PIECE + 12345)

_content = os.urandom(max(_SIZES))


@pytest.fixture(params=SHELLS, ids=lambda shell: str(shell.name))
def shell(request: pytest.FixtureRequest) -> Shell:
    """Each shell in turn."""
    found = request.param
    assert isinstance(found, Shell)
    return found


def answers(folder: Path, shell: Shell, said: Sequence[bytes]) -> list[dict[str, Any]]:
    """Say something to an exchange, all at once, and give what it answers until it has ended."""
    program = folder / "shim.sh"
    program.write_bytes(shim_program())
    words = [*shell.words, str(program), "exchange", str(folder / "store")]
    ended = subprocess.run(words, input=b"".join(said), capture_output=True, env=dict(shell.env(folder)), check=False)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def named(content: bytes) -> str:
    """Give the name of an object."""
    return sha256(content).hexdigest()


def kept(folder: Path) -> dict[str, bytes]:
    """Give what is in the store, by name."""
    return {path.name: path.read_bytes() for path in (folder / "store").rglob("*") if path.is_file()}


def test_a_big_object_is_taken_to_its_last_byte_and_not_one_more(tmp_path: Path, shell: Shell) -> None:
    objects = {named(_content[:size]): _content[:size] for size in _SIZES}
    said = [part for name, each in objects.items() for part in (b"whole %s %d\n" % (name.encode(), len(each)), each)]

    told = answers(tmp_path, shell, [*said, b"lack\n", *(b"%s 1 file\n" % name.encode() for name in objects), b".\n"])

    assert told == [{"taken": 1}] * len(objects) + [{"end": "lack"}]
    assert kept(tmp_path) == objects


def test_a_big_object_that_was_damaged_is_named_and_not_kept(tmp_path: Path, shell: Shell) -> None:
    name, size = named(_content[: _SIZES[0]]), _SIZES[0]

    [told] = answers(tmp_path, shell, [b"whole %s %d\n" % (name.encode(), size), b"!", _content[1:size]])

    assert (told["kind"], told["object"]) == ("damaged", name)
    assert kept(tmp_path) == {}


def test_a_big_object_whose_rest_never_comes_is_not_kept(tmp_path: Path, shell: Shell) -> None:
    name, size = named(_content), len(_content)

    [told] = answers(tmp_path, shell, [b"whole %s %d\n" % (name.encode(), size), _content[: _PIECE + 1]])

    assert told["kind"] == "damaged"
    assert kept(tmp_path) == {}


@pytest.mark.parametrize("name", ["../../evil", "0", "", "g" * 64])
def test_a_big_object_without_a_digest_for_its_name_is_refused(tmp_path: Path, shell: Shell, name: str) -> None:
    [told] = answers(tmp_path, shell, [f"whole {name} 4\n".encode(), b"evil"])

    assert "no digest" in told["problem"]
    assert kept(tmp_path) == {}


def test_a_task_reads_big_files_and_small_ones_as_they_were_sent(tmp_path: Path, shell: Shell) -> None:
    bench = Bench(tmp_path, shell)
    try:
        sizes = {"big": _SIZES[-1], "small": 5}
        items = []
        for name, size in sizes.items():
            (tmp_path / name).write_bytes(_content[:size])
            digest = named(_content[:size])
            items.append(Item(path=name, sha256=digest, size=size, source=str(tmp_path / name)))

        ended = bench.execute("t", ShellCommand("sha256sum big small"), inputs=tuple(items))

        assert ended.outcome == Exited(0), ended.evidence
        printed = (bench.logs / "t.1.out").read_text().splitlines()
        assert printed == [f"{item.sha256}  {item.path}" for item in items]
    finally:
        bench.close()
