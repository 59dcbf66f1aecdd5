"""What makes the clouds' own libraries believe a stand-in: TLS, and logins that open nothing anywhere else.

`Trust` needs trustme, and the login of Google cryptography; neither comes with the kit.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import field, frozen

__all__ = ["Trust", "azure_login", "google_login", "trusted"]

_UNIVERSE = "cloud.example"


@frozen(kw_only=True)
class Trust:
    """A certificate for ``localhost``, and who vouches for it."""

    context: ssl.SSLContext = field(repr=False)
    """For `longshore.testing.clouds.HttpCloud.serving`."""
    authority: Path
    """A file for the variable ``REQUESTS_CA_BUNDLE``, which the clouds' libraries heed."""

    @classmethod
    def made(cls, folder: Path) -> Trust:
        """Make both anew."""
        import trustme  # noqa: PLC0415  whoever has no stand-in for a cloud need not have it

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        path = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return cls(context=context, authority=path)


@contextmanager
def trusted(folder: Path) -> Iterator[Trust]:
    """Make both, and let the clouds' libraries of this process believe in them within the block."""
    trust = Trust.made(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(trust.authority))
        yield trust


def azure_login(url: str, *, subscription: str) -> Mapping[str, str]:
    """Give the variables by which Azure's library finds the identity of the machine that it is on; it asks the stand-in
    at ``url`` for a token.
    """
    return {
        "AZURE_SUBSCRIPTION_ID": subscription,
        "IDENTITY_ENDPOINT": f"{url}/msi/token",
        "IDENTITY_HEADER": "s3cr3t-identity",
    }


def google_login(folder: Path, *, project: str, account: str) -> Mapping[str, str]:
    """Write the file of a service account, and give the variables by which Google's libraries find it.

    It is of a universe of its own, so that the real Google is never asked.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  as above
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415  as above

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()
    path = folder / "account.json"
    login = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "0",
        "private_key": text,
        "client_email": account,
        "token_uri": "https://localhost:1/token",
        "universe_domain": _UNIVERSE,
    }
    path.write_text(json.dumps(login))
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "GOOGLE_CLOUD_UNIVERSE_DOMAIN": _UNIVERSE}
