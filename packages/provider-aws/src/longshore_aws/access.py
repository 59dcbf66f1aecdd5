"""The way into a cluster of EKS: a signed question to AWS, by which the cluster learns who we are."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from botocore.signers import RequestSigner

from longshore.plugin.clusters import ClusterAccess
from longshore_aws.clients import Clients
from longshore_aws.errors import code_of
from longshore_aws.node_groups import IN_USE

__all__ = ["access_to", "let_in"]

_PREFIX = "k8s-aws-v1."
_SIGNED_SECONDS = 60
_GOOD = timedelta(minutes=14)
"""A cluster takes a token for 15 minutes."""


def access_to(clients: Clients, region: str, name: str, row: Mapping[str, Any]) -> ClusterAccess:
    """Give the way to a cluster that is there, as AWS describes it. No key of ours leaves this computer."""
    client = clients.of("sts", region)
    signer = RequestSigner(
        client.meta.service_model.service_id,
        region,
        "sts",
        "v4",
        client._request_signer._credentials,  # the only way to sign as this client does
        client.meta.events,
    )
    question = {
        "method": "GET",
        "url": f"{client.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": name},
        "context": {},
    }
    url = signer.generate_presigned_url(question, region_name=region, expires_in=_SIGNED_SECONDS, operation_name="")
    return ClusterAccess(
        server=row["endpoint"],
        authority=base64.b64decode(row["certificateAuthority"]["data"]).decode("ascii", "replace"),
        token=_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("="),
        until=datetime.now(UTC) + _GOOD,
    )


def let_in(clients: Clients, region: str, name: str, others: Sequence[str]) -> None:
    """Let others do all that we may do in a cluster; who is let in already stays so."""
    client = clients.of("eks", region)
    for who in others:
        try:
            client.create_access_entry(clusterName=name, principalArn=who)
        except ClientError as error:
            if code_of(error) != IN_USE:
                raise
        client.associate_access_policy(
            clusterName=name,
            principalArn=who,
            policyArn=f"arn:{who.split(':')[1]}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            accessScope={"type": "cluster"},
        )
