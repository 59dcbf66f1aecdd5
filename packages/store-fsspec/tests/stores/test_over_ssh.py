"""Objects that a host reads which is reached by SSH: what its connection to us carries of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from longshore_ssh.testing import Lab, missing

from .far import SECONDS

SIZE_BYTES = 8 << 20

_TEXT = """
name = "over-ssh"

[pools.lab]
executor = "ssh"
hosts = [{ host = "h1", cpus = 1 }]

[tasks.sum]
command = "sha256sum < big > sum"
inputs = ["s3://BUCKET/big"]
outputs = ["sum"]
pool = "lab"
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    lab = Lab()
    yield lab
    lab.close()


def test_nothing_of_an_object_passes_the_connection_to_a_host_that_reads_it(
    lab: Lab, cloud: Any, bucket: str, tmp_path: Path
) -> None:
    content = os.urandom(SIZE_BYTES)
    cloud.put_object(Bucket=bucket, Key="big", Body=content)
    meter = lab.meter(lab.host())
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(lab.ssh_config("h1"))
    (project / "longshore.toml").write_text(_TEXT.replace("BUCKET", bucket))
    env = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PATH", "LANG"))}

    done = subprocess.run(
        [sys.executable, "-m", "longshore_cli", "run"],
        cwd=project,
        env={**env, "HOME": str(home)},
        capture_output=True,
        check=False,
        text=True,
        timeout=SECONDS,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "results" / "latest" / "sum" / "sum").read_text().split()[0] == sha256(content).hexdigest()
    assert meter.sent + meter.received < SIZE_BYTES // 4
