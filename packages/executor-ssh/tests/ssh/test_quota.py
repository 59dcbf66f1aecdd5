"""Who has used up his quota has a full disk, though the disk is not: on a real file system that counts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.errors import DiskFull
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.model.outcome import Exited, FailureClass
from longshore.remote.digest import digest_bytes
from longshore_ssh.testing import SECONDS, Lab, Sshd

from .test_contract import Bench

_MIB = 1 << 20
_DISK_BYTES = 200 * _MIB
"""Of which the home may use 16 MiB."""

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("mkfs.btrfs") is None,
    reason="only root can mount a disk with quotas (btrfs-progs)",
)


def run(*argv: object) -> None:
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, timeout=SECONDS)


@pytest.fixture(params=[False, True], ids=["with Python", "without"])
def host(request: pytest.FixtureRequest, lab: Lab, no_python: Path, tmp_path: Path) -> Iterator[Sshd]:
    """A host whose home is limited by a quota."""
    host = lab.host(path=no_python if request.param else None)
    owner = host.home.stat()
    disk, top = tmp_path / "disk", tmp_path / "top"
    top.mkdir()
    with disk.open("wb") as file:
        file.truncate(_DISK_BYTES)
    run("mkfs.btrfs", "-q", disk)
    made = subprocess.run(
        ["mount", "-o", "loop", str(disk), str(top)], capture_output=True, timeout=SECONDS, check=False
    )
    if made.returncode:
        pytest.skip(f"this kernel mounts no btrfs: {made.stderr.decode().strip()}")
    try:
        run("btrfs", "quota", "enable", top)
        run("btrfs", "subvolume", "create", top / "home")
        run("btrfs", "qgroup", "limit", 16 * _MIB, top / "home")
        run("mount", "--bind", top / "home", host.home)
        os.chown(host.home, owner.st_uid, owner.st_gid)
        host.home.chmod(0o700)
        yield host
        run("umount", "-l", host.home)
    finally:
        run("umount", "-l", top)


def _bench(tmp_path: Path, lab: Lab, host: Sshd) -> Bench:
    (tmp_path / "base").mkdir()
    return Bench(tmp_path / "base", lab, host)


def _end(bench: Bench, host: Sshd) -> None:
    """Leave nobody who holds the home."""
    bench.close()
    host.wait_idle()


def test_what_is_sent_beyond_a_quota_fails_as_a_full_disk_and_is_not_kept(lab: Lab, host: Sshd, tmp_path: Path) -> None:
    bench = _bench(tmp_path, lab, host)
    content = os.urandom(32 * _MIB)
    big = bench.project / "big"
    big.write_bytes(content)

    with pytest.raises(DiskFull):
        bench.go(
            "a",
            Shell("cat big"),
            inputs=[Item(path="big", sha256=digest_bytes(content), size=len(content), source=str(big))],
        )

    assert not [path for path in host.cache.rglob("*") if path.is_file() and path.stat().st_size > _MIB]
    assert bench.execute("b", Shell("echo goes on")).outcome == Exited(0)
    _end(bench, host)


def test_what_a_command_writes_beyond_a_quota_fails_as_a_full_disk(lab: Lab, host: Sshd, tmp_path: Path) -> None:
    bench = _bench(tmp_path, lab, host)

    ended = bench.execute("a", Shell("head -c 32000000 /dev/urandom > big"), outputs=("big",))

    assert ended.failure is FailureClass.DISK_FULL, ended.evidence
    bench.session.adopt(["r/a/1"])
    assert bench.ended("a", 2).failure is FailureClass.DISK_FULL, "its end was told and not written down"
    _end(bench, host)
