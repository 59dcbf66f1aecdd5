"""What is in a pod besides its image: tools for one without a shell, and commands beside an attempt."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.model.attempt import Item
from longshore.model.command import Argv, Shell
from longshore.model.outcome import Exited, FailureClass, Lost
from longshore.remote.digest import digest_file
from longshore.remote.store import object_path
from longshore.testing import ExecutorBench
from longshore_k8s.config import K8sConfig
from longshore_k8s.executor import K8sExecutor

from .clusters import Cluster
from .standin import StandIn
from .test_contract import config


@pytest.mark.usefixtures("standin")  # which has such images
def test_an_image_without_a_shell_is_told_with_what_mends_it(make_bench: Callable[..., ExecutorBench]) -> None:
    ended = make_bench(image="distroless:1").execute("a", Argv(("uname",)))

    assert (ended.outcome, ended.failure) == (Lost("never started"), FailureClass.ENVIRONMENT)
    assert "its image has no sh: take another one, or give the pool a helper_image" in ended.evidence


@pytest.mark.usefixtures("standin")  # which has such images
def test_an_image_without_a_shell_gets_its_tools_from_another_one(
    make_bench: Callable[..., ExecutorBench], tmp_path: Path
) -> None:
    bench = make_bench(image="distroless:1", helper_image="busybox:1.36")
    given = tmp_path / "given"
    given.write_text("some\n")
    sha256, size = digest_file(str(given))
    item = Item(path="in.txt", sha256=sha256, size=size, source=str(given))

    assert bench.execute("a", Argv(("uname",))).outcome == Exited(0), "its own program"
    ended = bench.execute("b", Shell("uname >out.txt; cat in.txt >>out.txt"), inputs=(item,), outputs=("out.txt",))

    assert ended.outcome == Exited(0), ended.evidence
    [made] = ended.outputs
    assert Path(object_path(str(bench.store), made.sha256)).read_text() == "Linux\nsome\n"


@pytest.mark.usefixtures("standin")  # which has such images
def test_tools_that_cannot_be_had_are_told(make_bench: Callable[..., ExecutorBench]) -> None:
    ended = make_bench(image="distroless:1", helper_image="missing/tools:1").execute("a", Argv(("uname",)))

    assert (ended.failure, "missing/tools:1" in ended.evidence) == (FailureClass.ENVIRONMENT, True)


@pytest.mark.parametrize("command", ["cat", "cat >/dev/null; echo"], ids=["all", "nothing comes"])
def test_a_command_beside_an_attempt_reads_what_it_is_given(
    bench: ExecutorBench, cluster: Cluster, tmp_path: Path, command: str
) -> None:
    content = os.urandom(3 << 20)

    said = told(bench, config(cluster, workers=None), tmp_path, command, content)

    assert said == (0, content if command == "cat" else b"\n", b"")


def test_a_command_beside_an_attempt_need_not_read_what_it_is_given(
    bench: ExecutorBench, standin: StandIn, tmp_path: Path
) -> None:
    # containerd 1.6.20 never ends such a stream, whoever has opened it.
    assert told(bench, config(standin, workers=None), tmp_path, "true", os.urandom(3 << 20)) == (0, b"", b"")


def told(
    bench: ExecutorBench, chosen: K8sConfig, folder: Path, command: str, content: bytes
) -> tuple[int, bytes, bytes]:
    """Execute a command beside an attempt, give it something, and say how it ends and what it says."""
    bench.waiting("a")
    (folder / "given").write_bytes(content)
    heard = {1: bytearray(), 2: bytearray()}
    with (folder / "given").open("rb") as given:
        code = K8sExecutor(chosen, bench.context()).enter(
            "p",
            "r/a/1",
            ["sh", "-c", command],
            feed=given.fileno(),
            tell=lambda stream, data: heard[stream].extend(data),
        )
    return code, bytes(heard[1]), bytes(heard[2])
