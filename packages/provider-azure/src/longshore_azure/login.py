"""Who is logged in to Azure: by what the config names, or by what Azure's library finds."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from longshore.errors import CredentialsError
from longshore_azure.config import AzureConfig

__all__ = ["logged_in", "name_in"]

_SPELLINGS = (("tenant", "appId", "password"), ("tenantId", "clientId", "clientSecret"))
"""Of ``az ad sp create-for-rbac``, and of the same with ``--json-auth``."""
_NAMES = ("upn", "unique_name", "appid", "oid")


def logged_in(config: AzureConfig) -> Any:
    """Give the login.

    Raises:
        CredentialsError: when the file or the variable that the config names has none.
    """
    from azure.identity import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415  it takes half a second

    if config.credentials_file:
        return ClientSecretCredential(*_of_file(Path(config.credentials_file).expanduser()))
    if config.client_secret_env:
        secret = os.environ.get(config.client_secret_env, "")
        if not secret:
            raise CredentialsError(
                f"client_secret_env: there is nothing in the environment variable {config.client_secret_env}"
            )
        return ClientSecretCredential(config.tenant, config.client, secret)
    return DefaultAzureCredential()


def _of_file(path: Path) -> tuple[str, str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys = next(keys for keys in _SPELLINGS if content.keys() >= set(keys))
        tenant, client, secret = (str(content[key]) for key in keys)
    except (OSError, ValueError, AttributeError, StopIteration) as error:
        # What it holds is secret.
        raise CredentialsError(
            f"credentials_file = {str(path)!r} holds no login as `az ad sp create-for-rbac` prints it "
            f"({type(error).__name__})"
        ) from error
    return tenant, client, secret


def name_in(token: str) -> str:
    """Read from a token who it is for; empty when it does not tell. Azure has looked at the token, and we need not."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return next((str(claims[name]) for name in _NAMES if claims.get(name)), "")
    except (IndexError, ValueError, TypeError, AttributeError):
        return ""
