"""Clusters that are rented by hand, by what `longshore clusters` does."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import InvalidRequest, UsageError
from longshore.machines import kubernetes
from longshore.machines.values import Quote

from .eks_rig import ROLES
from .rig import REGION, Cloud

_FILE = f"""
name = "byhand"

[providers.eks]
owner = "me"
endpoint_url = "{{url}}"
regions = ["{REGION}"]
role = "{ROLES["role"]}"
node_role = "{ROLES["node_role"]}"
max_nodes = 4

[pools.cloud]
provider = "eks"
executor = "k8s"
type = "t3.micro"
image = "busybox:1.36"
max_cost = "20 USD"

[tasks.hello]
command = "true"
"""


@pytest.fixture
def folder(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("longshore_k8s", reason="longshore-k8s is not installed here")
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "longshore.toml").write_text(_FILE.format(url=cloud.url))
    return tmp_path


def agree(_: Quote) -> bool:
    return True


def silent(_: str) -> None:
    return


def test_a_cluster_is_rented_listed_scaled_and_entered_by_its_name(folder: Path) -> None:
    [made] = kubernetes.rent_cluster("cloud", folder=folder, label="shared", agree=agree, tell=silent)

    [found], _ = kubernetes.rented_clusters(folder, providers=["eks"], tell=silent)
    assert (found.machine.id, found.machine.name, found.nodes) == (made.id, "shared", 4)

    assert [deed.error for deed in kubernetes.scale_clusters(["shared"], 1, folder=folder, tell=silent)] == [None]
    [found], _ = kubernetes.rented_clusters(folder, providers=["eks"], tell=silent)
    assert found.nodes == 1
    assert kubernetes.access_to_cluster("shared", folder=folder, tell=silent).token

    [refused] = kubernetes.scale_clusters(["shared"], 5, folder=folder, tell=silent)
    assert isinstance(refused.error, InvalidRequest)


def test_what_is_no_cluster_is_refused_in_words(folder: Path) -> None:
    with pytest.raises(UsageError, match="no pool 'else' whose provider rents clusters"):
        kubernetes.rent_cluster("else", folder=folder, agree=agree, tell=silent)
    with pytest.raises(UsageError, match="no machine 'nobody'"):
        kubernetes.scale_clusters(["nobody"], 1, folder=folder, tell=silent)
