"""The sandbox's provider and executor keep the laws, at the door of a real process and on machines that are real."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from longshore.model.machine_spec import Tag
from longshore.testing import ExecutorBench, ExecutorContract, FakeRig, ProviderContract
from longshore.testing.checking import check_plugin
from longshore.testing.fake_remote import FakeRemoteSession
from longshore_sandbox import CloudClient
from longshore_sandbox.config import ExecutorConfig
from longshore_sandbox.executor import SandboxExecutor
from longshore_sandbox.hardware import SandboxComputer
from longshore_sandbox.rigs import rig_on


class TestProvider(ProviderContract):
    @pytest.fixture
    def rig(self, cloud: CloudClient) -> FakeRig:
        return rig_on(cloud)


class Bench(ExecutorBench):
    """One run on a rented machine."""

    def __init__(self, folder: Path, cloud: CloudClient) -> None:
        rig = rig_on(cloud)
        [machine] = rig.provider().launch(rig.spec(), token="t-1")
        self.computer = SandboxComputer(Path(machine.address))
        super().__init__(
            folder,
            SandboxExecutor,
            ExecutorConfig(reconnect=timedelta(seconds=60)),
            machine,
            cut=self.drop,
            kill=lambda: self.computer.crash("r"),
            imposter=evolve(machine, tags={**machine.tags, Tag.TOKEN: "another"}),
        )

    def drop(self) -> None:
        """Cut the link once."""
        session = self.session
        assert isinstance(session, FakeRemoteSession)
        session.drop()


class TestExecutor(ExecutorContract):
    @pytest.fixture
    def bench(self, tmp_path: Path, cloud: CloudClient) -> Iterator[Bench]:
        bench = Bench(tmp_path, cloud)
        yield bench
        bench.close()


def test_the_provider_can_be_checked_from_the_command_line_too(tmp_path: Path) -> None:
    verdicts = check_plugin("provider", "sandbox", without=["P1", "P2", "P3", "P4", "P5", "P6"])

    assert {each.outcome for each in verdicts if each.law in {"P7", "P8", "P9", "Stoppable"}} == {"passed"}
