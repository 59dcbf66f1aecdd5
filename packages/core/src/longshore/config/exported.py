"""A conda environment or venv of this computer, read as what would make it anew elsewhere.

Its folders tell that: nothing of it is executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import evolve

from longshore.config.problems import wrong
from longshore.model.environment import EnvironmentSpec, Requirement, Script

__all__ = ["exported"]

_VERSION = re.compile(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", re.MULTILINE)
_FIELD = re.compile(r"^(Name|Version): *(\S+)", re.MULTILINE)
_MADE_WITH = frozenset({"pip", "setuptools", "wheel"})
"""What makes an environment, and is no part of it."""


def exported(spec: EnvironmentSpec, folder: Path) -> EnvironmentSpec:
    """Put what an environment of this computer consists of in the place of its path: exact versions of all.

    Raises:
        ValueError: when there is none, or something in it comes from a folder of this computer.
    """
    place = folder / Path(spec.path).expanduser()
    if (place / "conda-meta").is_dir():
        found = _of_conda(place)
    elif (place / "pyvenv.cfg").is_file():
        found = _of_venv(place)
    else:
        raise wrong(f"{spec.path!r} is no conda environment and no venv", "name the folder that has its bin in it")
    return evolve(spec, path="", **found)


def _of_conda(place: Path) -> dict[str, Any]:
    packages = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(place.glob("conda-meta/*.json"))]
    if not packages:
        raise wrong(f"{str(place)!r} has no packages of conda", "name an environment that conda has made")
    lines = [f"{each['url']}#{each['md5']}" if each.get("md5") else each["url"] for each in packages]
    text = "".join(f"{line}\n" for line in ("@EXPLICIT", *lines))
    # What conda has installed has the mark of it, too.
    pip = tuple(_installed(place, lambda info: _installer(info) not in {"", "conda"}))
    return {"conda_file": Script(name=place.name, text=text), "pip": pip}


def _of_venv(place: Path) -> dict[str, Any]:
    told = _VERSION.search((place / "pyvenv.cfg").read_text(encoding="utf-8"))
    if told is None:
        raise wrong(f"pyvenv.cfg in {str(place)!r} does not say which Python it is", "make the venv anew")
    return {"pip": tuple(_installed(place, lambda _: True)), "python": told[1]}


def _installed(place: Path, counts: Callable[[Path], bool]) -> Iterator[Requirement]:
    """List the distributions in the environment's own folders."""
    for info in sorted(place.glob("lib/python3.*/site-packages/*.dist-info")):
        told = dict(_FIELD.findall((info / "METADATA").read_text(encoding="utf-8", errors="replace")))
        name, version = told.get("Name", ""), told.get("Version", "")
        if name.lower() not in _MADE_WITH and counts(info):
            yield Requirement(_requirement(info, name, version), place.name)


def _requirement(info: Path, name: str, version: str) -> str:
    """Say how the same is installed elsewhere."""
    origin = info / "direct_url.json"
    if not origin.is_file():
        return f"{name}=={version}"
    told = json.loads(origin.read_text(encoding="utf-8"))
    url, source = told.get("url", ""), told.get("vcs_info", {})
    if url.startswith("file:"):
        message = f"{name} in it comes from {url.removeprefix('file://')}, which no other machine has"
        raise wrong(message, "install it from an index or a repository, or describe the environment by its own keys")
    return f"{name} @ {source['vcs']}+{url}@{source['commit_id']}" if source else f"{name} @ {url}"


def _installer(info: Path) -> str:
    try:
        return (info / "INSTALLER").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
