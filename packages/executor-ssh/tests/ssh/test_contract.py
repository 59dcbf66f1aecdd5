"""The SSH executor keeps the laws, on a real sshd."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath

import attrs
import pytest

from longshore.model.machine import Machine
from longshore.model.machine_spec import Tag
from longshore.model.resources import Resources
from longshore.testing import ExecutorBench, ExecutorContract
from longshore_ssh.config import SshConfig
from longshore_ssh.executor import SshExecutor
from longshore_ssh.testing import Lab, Sshd


def config(lab: Lab, **options: object) -> SshConfig:
    fields = {
        "ssh_config": "",
        "known_hosts": str(lab.known_hosts),
        "identity_file": str(lab.key),
        "reconnect": timedelta(seconds=20),
        **options,
    }
    return SshConfig(**fields)  # type: ignore[arg-type]


def machine(host: Sshd, **tags: str) -> Machine:
    return Machine(id="far", pool="p", resources=Resources(cpus=8.0), address=host.name, tags=tags)


class Bench(ExecutorBench):
    """One run on a host."""

    def __init__(self, base: Path, lab: Lab, host: Sshd, **options: object) -> None:
        self.host = host
        super().__init__(
            base,
            SshExecutor,
            config(lab, **options),
            machine(host),
            scratch=PurePosixPath(host.home / "scratch"),
            cut=host.cut,
            kill=host.crash,
            imposter=machine(host, **{Tag.HOST_KEY: "SHA256:of-another-key"}),
            peer=lambda: attrs.evolve(machine(lab.host()), id="near"),
        )


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, lab, lab.host())
    yield bench
    bench.close()


class TestSsh(ExecutorContract):
    """All laws; nothing is skipped."""


@pytest.fixture
def bare(lab: Lab, tmp_path: Path, no_python: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, lab, lab.host(path=no_python))
    yield bench
    bench.close()


class TestSshWithoutPython(ExecutorContract):
    """All laws, on a host where nothing but a shell and its tools is found."""

    @pytest.fixture
    def bench(self, bare: Bench) -> Bench:
        return bare
