"""What a page of the documentation asks for around it: hosts that answer SSH, an account on a cloud, a cluster, or an
image.

``<!-- hosts: NAMES -->`` asks for hosts by these names, ``<!-- cloud: aws -->`` for an account on the stand-in for AWS,
``<!-- cluster: kubernetes -->`` for the stand-in for a cluster, to which the user's kubeconfig leads,
``<!-- image: NAME -->`` for podman with images of its own, of which one is called so and has our busybox,
and ``<!-- registry: HOST -->`` for a registry of images, whose host is another one than the page says.
Where there can be none, the page is skipped, with the reason.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import pytest

__all__ = ["REGISTRY", "surroundings"]

_ASKED = re.compile(r"^<!-- (hosts|cloud|cluster|image|registry): ([\w ./:-]+) -->$", re.MULTILINE)
REGISTRY = "LONGSHORE_TEST_REGISTRY"
"""The variable that names the registry which stands for the one that a page asks for."""
_AWS = Path(__file__).resolve().parents[2] / "provider-aws" / "tests"
_K8S = Path(__file__).resolve().parents[2] / "executor-k8s" / "tests"
_SECONDS = 120.0
_SETTINGS = """
[providers.aws]
admit = ["203.0.113.7/32"]
listing_lag = "200 ms"
user_data = """
"""The stand-in answers at once, and there is no network in which a caller has an address."""
_PACKAGE = "def intcomma(number):\n    return f'{number:,}'\n"
_PACKAGES = """#!/bin/sh
mkdir -p /opt/wheels
echo {wheel} | base64 -d > /opt/wheels/humanize-4.9.0-py3-none-any.whl
printf '[global]\\nno-index = true\\nfind-links = /opt/wheels\\n' > /etc/pip.conf
chmod -R a+rX /opt/wheels /etc/pip.conf
"""
"""Machines of the tests reach no index of packages: one stand-in for a package is all that their pip finds."""


@contextmanager
def surroundings(text: str, home: Path) -> Iterator[Mapping[str, str]]:
    """Make what a page asks for, for a user with this home; give the variables by which it is found."""
    asked = dict(_ASKED.findall(text))
    with ExitStack() as stack:
        variables: dict[str, str] = {}
        if "hosts" in asked:
            stack.enter_context(_hosts(asked["hosts"].split(), home))
        if "cloud" in asked:
            variables |= stack.enter_context(_aws(home))
        if "cluster" in asked:
            stack.enter_context(_cluster(home))
        if "image" in asked:
            stack.enter_context(_podman(asked["image"], home))
        if "registry" in asked:
            variables[REGISTRY] = stack.enter_context(_registry(home))
        yield variables


@contextmanager
def _hosts(names: list[str], home: Path) -> Iterator[None]:
    kit = pytest.importorskip("longshore_ssh.testing", reason="longshore-ssh is not installed here")
    if reason := kit.missing():
        pytest.skip(reason)
    lab = kit.Lab()
    try:
        for _ in names:
            lab.host()
        programs = home / "bin"
        for folder in (home / ".ssh", programs):
            folder.mkdir()
        config = home / ".ssh" / "config"
        config.write_text(lab.ssh_config(*names))
        # ssh itself asks the system for the home, not the environment.
        ssh = programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
        ssh.chmod(0o755)
        yield
    finally:
        lab.close()


@contextmanager
def _aws(home: Path) -> Iterator[Mapping[str, str]]:
    for needed in ("longshore_aws", "longshore_ssh", "moto"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed here")
    from longshore.testing.fake_hosts import missing  # noqa: PLC0415  only where it is needed

    if reason := missing():
        pytest.skip(reason)
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "aws.cloud.server", str(home / "cloud")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_AWS)},
    ) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            for folder in (home / ".ssh", home / ".config" / "longshore"):
                folder.mkdir(parents=True)
            (home / ".ssh" / "config").write_text(f"Host *\n    ProxyCommand {told['proxy']}\n")
            (home / ".config" / "longshore" / "config.toml").write_text(
                _SETTINGS + json.dumps(_PACKAGES.format(wheel=_wheel()))
            )
            yield {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{told['aws']}",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": "eu-west-1",
                "AWS_EC2_METADATA_DISABLED": "true",
            }
        finally:
            try:
                server.communicate(timeout=_SECONDS)  # it ends with its input, and its machines with it
            finally:
                server.kill()


def _wheel() -> str:
    info, made = "humanize-4.9.0.dist-info", io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        packed.writestr("humanize.py", _PACKAGE)
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: humanize\nVersion: 4.9.0\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return base64.b64encode(made.getvalue()).decode()


@contextmanager
def _cluster(home: Path) -> Iterator[None]:
    for needed in ("longshore_k8s", "kubernetes_validate", "trustme"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed here")
    with subprocess.Popen(
        [sys.executable, "-m", "k8s.server", str(home / "cluster")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_K8S)},
    ) as server:
        try:
            assert server.stdout is not None
            kubeconfig = server.stdout.readline().strip()
            (home / ".kube").mkdir()
            (home / ".kube" / "config").symlink_to(kubeconfig)
            yield
        finally:
            try:
                server.communicate(timeout=_SECONDS)  # it ends with its input, and its pods with it
            finally:
                server.kill()


@contextmanager
def _registry(home: Path) -> Iterator[str]:
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("there is no docker-registry here; it is a package of Debian")
    settings = home / "registry.yml"
    storage = f"{{ filesystem: {{ rootdirectory: {home}/registry }}, delete: {{ enabled: true }} }}"
    settings.write_text(f'version: 0.1\nstorage: {storage}\nhttp: {{ addr: "127.0.0.1:0" }}\n')
    log = home / "registry.log"
    listening = re.compile(r"listening on (127\.0\.0\.1:\d+)")
    with (
        log.open("wb") as file,
        subprocess.Popen([program, "serve", str(settings)], stderr=file, stdout=file) as server,
    ):
        try:
            found, glance = None, Event()
            for _ in range(round(_SECONDS * 20)):
                if found := listening.search(log.read_text()):
                    break
                glance.wait(0.05)
            assert found is not None, log.read_text()
            yield found[1]
        finally:
            server.kill()


@contextmanager
def _podman(image: str, home: Path) -> Iterator[None]:
    from longshore.testing.containers import podman  # noqa: PLC0415  only where it is needed

    with podman(image) as engine:
        # What executes tasks is not told of the user's variables, but finds programs as the user does.
        own = home / "bin" / "podman"
        own.parent.mkdir(exist_ok=True)
        variables = " ".join(f"{name}={value}" for name, value in engine.settings.items())
        own.write_text(f'#!/bin/sh\nexec env {variables} {engine.program} "$@"\n')
        own.chmod(0o755)
        yield
