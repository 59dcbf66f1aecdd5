"""Repositories of images in ECR, AWS's own registry."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from botocore.exceptions import ClientError

from longshore.plugin.clusters import RegistryLogin
from longshore_aws.clients import Clients
from longshore_aws.errors import code_of, translated
from longshore_aws.tags import as_list

__all__ = ["Repositories"]

_NAME = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>.+)")


class Repositories:
    """Those of the login's account; other registries are none of ours."""

    def __init__(self, clients: Clients, tags: Mapping[str, str]) -> None:
        self._clients = clients
        self._tags = tags

    def login(self, repository: str) -> RegistryLogin | None:
        """Give a login that is good for twelve hours, once there is such a repository."""
        found = _NAME.fullmatch(repository)
        if found is None:
            return None
        with translated(f"asking for a login to {repository}"):
            client = self._clients.of("ecr", found["region"])
            try:
                client.create_repository(repositoryName=found["name"], tags=as_list(self._tags))
            except ClientError as error:
                if code_of(error) != "RepositoryAlreadyExistsException":
                    raise
            [data] = client.get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        return RegistryLogin(host=repository.partition("/")[0], user=user, password=password)

    def delete_image(self, repository: str, digest: str) -> bool:
        """Delete an image by its digest; silent when it is gone. False for other registries."""
        found = _NAME.fullmatch(repository)
        if found is None:
            return False
        with translated(f"deleting {repository}@{digest}"):
            client = self._clients.of("ecr", found["region"])
            try:
                client.batch_delete_image(repositoryName=found["name"], imageIds=[{"imageDigest": digest}])
            except ClientError as error:
                if code_of(error) not in {"RepositoryNotFoundException", "ImageNotFoundException"}:
                    raise
        return True
