"""What users ask of clusters by hand that a run has rented: their pods, and a command beside a task in one of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .project import Project, until
from .standin import StandIn

_PLUGIN = '''
import base64
import json
from datetime import timedelta
from pathlib import Path

import yaml
from attrs import frozen
from longshore.model.machine import Machine
from longshore.model.machine_spec import Tag
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.plugin import ClusterAccess, ProviderRecord, Scope, Terms, hookimpl

@frozen(kw_only=True)
class Config:
    folder: str
    kubeconfig: str

class Provider:
    """Rents the one cluster to which a kubeconfig leads; what is rented lies in a folder."""

    terms = Terms(listing_lag=timedelta(0), settle=timedelta(0))

    def __init__(self, config):
        self.config = config

    def scope(self):
        return Scope(account="a")

    def offers(self, needs):
        return [Offer(type="cluster", region="here", zone="", resources=Resources(cpus=4.0, memory_bytes=1 << 32))]

    def launch(self, spec, *, token, count=1):
        path = Path(self.config.folder, f"c-{token}.json")
        path.write_text(json.dumps(dict(spec.tags(token))))
        return [self.read(path)]

    def read(self, path):
        tags, has = json.loads(path.read_text()), Resources(cpus=4.0, memory_bytes=1 << 32)
        name = path.stem
        pool = tags[Tag.POOL]
        return Machine(id=name, pool=pool, resources=has, address=f"to/{name}", tags=tags, type="cluster", store="")

    def find(self, *, owner):
        return [self.read(path) for path in sorted(Path(self.config.folder).glob("c-*.json"))]

    def terminate(self, machine_ids):
        for each in machine_ids:
            Path(self.config.folder, f"{each}.json").unlink(missing_ok=True)

    def access(self, address):
        told = yaml.safe_load(Path(self.config.kubeconfig).read_text())
        cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        return ClusterAccess(server=cluster["server"], authority=authority, token=user["token"])

    def nodes(self, address):
        return 1

    def scale(self, address, nodes):
        pass

@hookimpl
def longshore_providers():
    return [ProviderRecord(name="one", config=Config, factory=Provider, executors=("k8s",), api=(0, 1))]
'''
_TASKS = """
[providers.one]
owner = "me"
folder = "{folder}"
kubeconfig = "{kubeconfig}"

[pools.rented]
provider = "one"
executor = "k8s"
type = "cluster"
image = "busybox"

[tasks.wait]
command = "echo here > note.txt; touch {counts}/began; until test -e {counts}/go; do sleep 0.05; done"
outputs = ["note.txt"]
pool = "rented"
"""


@pytest.fixture
def project(tmp_path: Path, standin: StandIn) -> Project:
    """One task that waits on a cluster that is rented for it."""
    plugins, rented = tmp_path / "plugins", tmp_path / "rented"
    rented.mkdir()
    told = plugins / "one_cluster-1.dist-info"
    told.mkdir(parents=True)
    (plugins / "one_cluster.py").write_text(_PLUGIN)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: one-cluster\nVersion: 1\n")
    (told / "entry_points.txt").write_text("[longshore]\nprovider.one = one_cluster\n")
    made = Project(tmp_path, standin, "", _TASKS.replace("{folder}", str(rented)))
    made.settings = {"PYTHONPATH": str(plugins), "XDG_STATE_HOME": str(tmp_path / "state")}
    return made


def test_a_task_in_a_rented_cluster_is_listed_with_its_pod_and_can_be_entered(
    standin: StandIn, project: Project, tmp_path: Path
) -> None:
    with project.begin("run", "--yes") as controller:
        until(lambda: "began" in project.shared.read())
        until(lambda: "running" in project.say("status", "wait"))

        [pod] = json.loads(project.say("k8s", "pods", "rented", "--json"))["pods"]
        assert (pod["pool"], pod["task"], pod["state"]) == ("rented", "wait", "runs")
        assert project.say("exec", "wait", "--", "cat", "note.txt") == "here\n"
        assert "is running, and keeps what it has" in project.say("k8s", "gc", "rented")

        project.shared.touch("go")
        said, _ = controller.communicate(timeout=300)
        assert controller.returncode == 0, said
    until(lambda: not standin.all("pods"))
    assert list((tmp_path / "rented").iterdir()) == []
    assert project.say("k8s", "pods") == "No pods.\n"
