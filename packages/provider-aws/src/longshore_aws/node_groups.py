"""The nodes of clusters: one managed group in each cluster of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from longshore_aws.clients import Clients
from longshore_aws.eks_config import EksConfig
from longshore_aws.errors import code_of, translated

__all__ = ["GONE", "IN_USE", "SPOT", "TYPE", "NodeGroups"]

TYPE, SPOT = "longshore-node-type", "longshore-node-spot"
"""Tags of a cluster that say what its nodes are to be, since they are asked for later."""
GONE, IN_USE = "ResourceNotFoundException", "ResourceInUseException"
_NODES = "nodes"


class NodeGroups:
    """Asks for nodes, scales and ends them. Any thread may ask."""

    def __init__(self, clients: Clients, config: EksConfig) -> None:
        self._clients = clients
        self._config = config

    def see_to(self, region: str, cluster: Mapping[str, Any], least: int, wanted: int) -> bool:
        """Ask for the nodes of a cluster, when that was not done before; say whether it was done now."""
        tags, config, name = cluster["tags"], self._config, cluster["name"]
        with translated(f"asking for the nodes of cluster {name}"):
            if self._names(region, name):
                return False
            try:
                self._clients.of("eks", region, create=True).create_nodegroup(
                    clusterName=name,
                    nodegroupName=_NODES,
                    scalingConfig=self._scaling(least, wanted),
                    diskSize=config.disk_gib,
                    subnets=cluster["resourcesVpcConfig"]["subnetIds"],
                    instanceTypes=[tags[TYPE]],
                    nodeRole=config.node_role,
                    capacityType="SPOT" if tags.get(SPOT) == "true" else "ON_DEMAND",
                    tags=tags,
                    clientRequestToken=name,
                )
            except ClientError as error:
                if code_of(error) != IN_USE:
                    raise
                return False
        return True

    def size(self, region: str, name: str) -> int | None:
        """Say how many nodes a cluster is to have; None when none were asked for."""
        with translated(f"looking at the nodes of cluster {name}"):
            try:
                client = self._clients.of("eks", region)
                row = client.describe_nodegroup(clusterName=name, nodegroupName=_NODES)["nodegroup"]
            except ClientError as error:
                if code_of(error) == GONE:
                    return None
                raise
            return int(row["scalingConfig"]["desiredSize"])

    def scale(self, region: str, name: str, least: int, wanted: int) -> None:
        """Let a cluster whose nodes were asked for have so many."""
        with translated(f"scaling cluster {name}"):
            self._clients.of("eks", region).update_nodegroup_config(
                clusterName=name, nodegroupName=_NODES, scalingConfig=self._scaling(least, wanted)
            )

    def end(self, region: str, name: str) -> bool:
        """End all nodes of a cluster; say whether it has none any more. Call it where errors are translated."""
        client = self._clients.of("eks", region)
        for group in self._names(region, name):
            client.delete_nodegroup(clusterName=name, nodegroupName=group)
        return not self._names(region, name)

    def _scaling(self, least: int, wanted: int) -> dict[str, int]:
        return {"minSize": least, "maxSize": self._config.max_nodes, "desiredSize": wanted}

    def _names(self, region: str, name: str) -> list[str]:
        try:
            pages = self._clients.of("eks", region).get_paginator("list_nodegroups").paginate(clusterName=name)
            return [str(group) for page in pages for group in page["nodegroups"]]
        except ClientError as error:
            if code_of(error) == GONE:
                return []
            raise
