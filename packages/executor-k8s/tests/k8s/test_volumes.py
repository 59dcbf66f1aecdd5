"""Workers whose store is a volume: what one of them has got or made all have."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

from longshore.errors import ExecutorError, InputMissing
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.command import Shell
from longshore.model.events import AttemptEnded
from longshore.model.outcome import Exited
from longshore.plugin.protocols import ExecutorContext
from longshore.remote.digest import digest_file
from longshore_k8s.checking import check_cluster
from longshore_k8s.client import Namespace
from longshore_k8s.executor import K8sExecutor, machines_of

from .project import SECONDS
from .standin import StandIn
from .test_contract import config

CLAIM = "data"


def claim(standin: StandIn, mode: str) -> None:
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}
    standin.post("persistentvolumeclaims", "default", body)


@pytest.mark.parametrize("by_hand", [False, True], ids=["with-the-run", "by-hand"])
@pytest.mark.parametrize("image", ["busybox", "python:3"])
def test_what_one_worker_was_sent_is_there_for_all_and_goes_with_the_run_or_by_hand_after_its_controller(
    standin: StandIn, tmp_path: Path, image: str, *, by_hand: bool
) -> None:
    claim(standin, "ReadWriteMany")
    chosen = config(standin, workers=2, volume=CLAIM, image=image)
    context = ExecutorContext(
        run="r", run_folder=tmp_path / "run", project_folder=tmp_path, store_folder=tmp_path / "store"
    )
    executor, told = K8sExecutor(chosen, context), queue.SimpleQueue[object]()

    def hear(*events: object) -> None:
        for event in events:
            told.put(event)

    machines = machines_of(chosen, "p")
    sessions = [executor.open(machine, fence=1, sink=hear) for machine in machines]
    (tmp_path / "given").write_text("some")
    sha256, size = digest_file(str(tmp_path / "given"))
    item = Item(path="given", sha256=sha256, size=size, source=str(tmp_path / "given"))
    other = Item(path="other", sha256="0" * 64, size=size, source=str(tmp_path / "other"))

    sessions[0].put("r/a/1", [item])
    (tmp_path / "given").unlink()
    sessions[1].put("r/b/1", [item])
    with pytest.raises(InputMissing):
        sessions[1].put("r/b/1", [other])

    ends = []
    for session, task in zip(sessions, "ab", strict=True):
        spec = AttemptSpec(id=f"r/{task}/1", command=Shell("cat given > made"), inputs=(item,), outputs=("made",))
        session.create(spec)
        session.go(spec.id)
        while not isinstance(event := told.get(timeout=SECONDS), AttemptEnded):
            pass
        ends.append(event)
    assert [(end.outcome, end.outputs[0].sha256) for end in ends] == [(Exited(0), sha256)] * 2
    assert [machine.store for machine in machines] == ["p", "p"]
    assert len(list((standin.kubelet.claims / CLAIM).rglob(sha256))) == 1
    for session in sessions:
        if not by_hand:
            session.clear()  # type: ignore[attr-defined]  # an ability of these sessions
        session.close()
    if by_hand:
        executor.remove("r")
    assert list((standin.kubelet.claims / CLAIM).iterdir()) == []
    assert standin.all("leases") == []


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("ReadWriteOnce", "claim data is ReadWriteOnce, so pods on several nodes cannot write to it"),
        ("", "namespace default has no claim data"),
    ],
)
def test_a_volume_that_pods_cannot_share_is_refused_in_words(standin: StandIn, mode: str, said: str) -> None:
    if mode:
        claim(standin, mode)

    with pytest.raises(ExecutorError, match=said):
        machines_of(config(standin, volume=CLAIM), "p")

    namespace = Namespace(config(standin))
    found = {each.name: each.says for each in check_cluster(namespace, config(standin, volume=CLAIM), {})}
    namespace.close()
    assert found["volume"].startswith(said)
    assert standin.objects.all("pods")[1] == []
