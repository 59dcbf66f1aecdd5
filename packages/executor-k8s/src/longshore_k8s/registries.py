"""A registry of images, by its API: whether it has one, and its removal."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.plugin.clusters import RegistryLogin
from longshore_k8s.errors import plain_text

__all__ = ["Repository", "is_near", "stored_login"]

_SECONDS = 30.0
_HUB = "https://index.docker.io/v1/"
_KINDS = (
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"
)
_REFUSED, _NOT_THERE, _NOT_ALLOWED = 401, 404, 405
_FIELD = re.compile(r'(\w+)="([^"]*)"')
_NEAR = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?")


def is_near(host: str) -> bool:
    """Whether a registry is on this computer, where it may speak without TLS, as all builders have it."""
    return _NEAR.fullmatch(host) is not None


class Repository:
    """One name in a registry, such as ``host/team/tool``. Nothing is asked when it is made."""

    def __init__(self, name: str, login: Callable[[], RegistryLogin | None]) -> None:
        self.name = name
        self.host, _, self._path = name.partition("/")
        self._base = f"{'http' if is_near(self.host) else 'https'}://{self.host}/v2/{self._path}"
        self._login = login
        self._pool = urllib3.PoolManager(retries=urllib3.Retry(total=3, backoff_factor=0.2, redirect=3))

    def digest(self, reference: str) -> str | None:
        """Give the digest of what a tag or digest names; None when there is nothing.

        Raises:
            MachineUnreachable: when the registry does not answer.
            ExecutorError: when we may not ask.
        """
        answer = self._ask("HEAD", f"/manifests/{reference}", f"looking for {self.name}:{reference}")
        return None if answer.status == _NOT_THERE else answer.headers.get("Docker-Content-Digest")

    def delete(self, digest: str) -> None:
        """Delete an image. Silent when there is none; raises as `digest` does."""
        self._ask("DELETE", f"/manifests/{digest}", f"deleting {self.name}@{digest}")

    def _ask(self, method: str, path: str, doing: str) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": _KINDS}
        answer = self._request(method, self._base + path, headers, doing)
        if answer.status == _REFUSED:  # it says how to prove who we are
            said = answer.headers.get("WWW-Authenticate", "")
            answer = self._request(method, self._base + path, {**headers, **self._proof(said, method, doing)}, doing)
        if answer.status < 300 or answer.status == _NOT_THERE:
            return answer
        if answer.status == _NOT_ALLOWED:
            raise ExecutorError(f"{doing}: this registry does not allow that; allow it there, or take remove_image out")
        raise ExecutorError(f"{doing}: {self.host} says {answer.status} {_words(answer)}; is somebody logged in there?")

    def _proof(self, said: str, method: str, doing: str) -> dict[str, str]:
        """Prove who we are as a registry wants it: by a password, or by a token that another server gives for one."""
        login = self._login()
        basic = {} if login is None else urllib3.make_headers(basic_auth=f"{login.user}:{login.password}")
        scheme, _, rest = said.partition(" ")
        if scheme.lower() != "bearer":
            return basic
        fields = dict(_FIELD.findall(rest))
        asked = {"service": fields.get("service", ""), "scope": fields.get("scope") or self._scope(method)}
        answer = self._request("GET", fields.get("realm", ""), basic, doing, asked)
        try:
            told: Mapping[str, Any] = json.loads(answer.data)
            return {"Authorization": f"Bearer {told.get('token') or told['access_token']}"}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ExecutorError(f"{doing}: {self.host} gives no token; is somebody logged in there?") from None

    def _scope(self, method: str) -> str:
        return f"repository:{self._path}:{'delete' if method == 'DELETE' else 'pull'}"

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], doing: str, fields: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                method, url, headers=dict(headers), fields=dict(fields or {}) or None, timeout=_SECONDS
            )
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise MachineUnreachable(f"{doing}: {self.host} does not answer: {plain_text(str(error))}") from error


def stored_login(host: str, environ: Mapping[str, str] = os.environ) -> RegistryLogin | None:
    """Find what `docker login`, `podman login` or `buildah login` has kept for a registry."""
    home = Path(environ.get("HOME") or "/")
    places = [
        Path(environ["REGISTRY_AUTH_FILE"]) if environ.get("REGISTRY_AUTH_FILE") else None,
        Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}") / "containers" / "auth.json",
        Path(f"/run/containers/{os.geteuid()}/auth.json"),
        Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json",
    ]
    for place in places:
        try:
            told = json.loads(place.read_bytes()) if place is not None else {}
        except (OSError, ValueError):
            continue
        found = _login_in(told, host) if isinstance(told, dict) else None
        if found is not None:
            return found
    return None


def _login_in(told: Mapping[str, Any], host: str) -> RegistryLogin | None:
    names = (host, f"https://{host}", _HUB) if host == "docker.io" else (host, f"https://{host}")
    for name in names:
        auth = ((told.get("auths") or {}).get(name) or {}).get("auth")
        if auth:
            user, _, password = base64.b64decode(auth).decode("utf-8", "replace").partition(":")
            return RegistryLogin(host=host, user=user, password=password)
    helper = (told.get("credHelpers") or {}).get(host) or told.get("credsStore")
    return _helped(str(helper), host) if helper else None


def _helped(helper: str, host: str) -> RegistryLogin | None:
    """Ask a program that keeps logins, as docker does."""
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=host.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        told = json.loads(done.stdout)
        return RegistryLogin(host=host, user=str(told["Username"]), password=str(told["Secret"]))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None


def _words(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        return plain_text("; ".join(str(each.get("message")) for each in json.loads(answer.data)["errors"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
