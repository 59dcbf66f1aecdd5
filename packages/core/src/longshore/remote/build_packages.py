"""Steps of a build that other package managers than pip do: apt, conda, julia; and the image in which all is done.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import json
import os
import platform
import sys

from longshore.remote.build_fetching import fetched, read, unpack
from longshore.remote.build_relay import BuildProblem
from longshore.remote.build_work import written
from longshore.remote.containers import ENGINES, find_engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List

    from longshore.remote.build_work import Work

__all__ = ["install_apt", "install_conda", "install_julia", "take_image"]

_APT_LOCK_SECONDS = 300
_APT = ["-y", "-q", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0"]
_NO_RECENT_LISTS = ("unable to locate package", "has no installation candidate", "404  not found")
_MICROMAMBA = "https://micro.mamba.pm/api/micromamba"
_JULIA = "https://julialang-s3.julialang.org/bin"
_JULIA_VERSION = "1.10.10"
_ADD = """
using Pkg
wanted = [split(word, "@") for word in ARGS]
Pkg.add([length(each) == 1 ? PackageSpec(name=String(each[1])) :
    PackageSpec(name=String(each[1]), version=String(each[2])) for each in wanted])
"""
_INSTANTIATE = "using Pkg; Pkg.instantiate()"


# --- the image


def take_image(work: Work) -> Dict[str, str]:
    """See to it that the image is on this machine; everything is done in it from now on."""
    name = work.order["image"]
    if not name:
        return {}
    work.relay.say("image: %s" % name)
    work.engine = find_engine(work.search)
    if not work.engine:
        raise BuildProblem("image: this machine has neither %s; install one of them" % " nor ".join(ENGINES))
    if not _inspect(work, name, "{{.Id}}"):
        code = work.run([work.engine, "pull", name], here=True)
        if code:
            raise work.failed("image: %s" % name, code)
    exact = _inspect(work, name, "{{range .RepoDigests}}{{println .}}{{end}}").splitlines()
    _use_image(work, name)
    return {"image.txt": "%s\n" % (exact[0] if exact else name)}


def _use_image(work: Work, name: str) -> None:
    work.image = _inspect(work, name, "{{.Id}}")
    variables = _inspect(work, work.image, "{{range .Config.Env}}{{println .}}{{end}}").splitlines()
    found = [line.partition("=")[2] for line in variables if line.startswith("PATH=")]
    work.image_path = found[0] if found else "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _inspect(work: Work, image: str, form: str) -> str:
    return work.ask([work.engine, "image", "inspect", "--format", form, image], here=True).strip()


# --- apt


def install_apt(work: Work) -> Dict[str, str]:
    """Install packages of the system, where they are not there already."""
    rows = work.order["apt"]
    if not rows:
        return {}
    work.relay.say("apt:")
    names = [text for text, _ in rows]
    if work.image:
        _build_image(work, names)
    else:
        missing = [name for name in names if not _has(work, name)]
        if missing:
            _install(work, _rights(work, missing), missing)
    bare = [name.partition("=")[0].partition("/")[0] for name in names]
    return {"apt.txt": work.ask(["dpkg-query", "-W", "-f", "${binary:Package}=${Version}\\n", *bare])}


def _has(work: Work, name: str) -> bool:
    bare, _, version = name.partition("=")
    bare = bare.partition("/")[0]
    told = work.ask(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}\\n", bare]).split()
    return told[:1] == ["installed"] and version in ("", told[1])


def _rights(work: Work, missing: List[str]) -> List[str]:
    """Give the words that let us install, if anything does."""
    if not work.find("apt-get"):
        raise BuildProblem("apt: this machine has no apt-get: it is no Debian or Ubuntu")
    if os.geteuid() == 0:
        return []
    sudo = work.find("sudo")
    if sudo and work.run([sudo, "-n", "true"]) == 0:
        return [sudo, "-n"]
    raise BuildProblem(
        "apt: %s %s not installed here, and we may not do it; ask who may for: sudo apt-get install %s"
        % (" and ".join(missing), "is" if len(missing) == 1 else "are", " ".join(missing))
    )


def _install(work: Work, rights: List[str], missing: List[str]) -> None:
    lock = ["-o", "DPkg::Lock::Timeout=%s" % os.environ.get("LONGSHORE_APT_LOCK_SECONDS", _APT_LOCK_SECONDS)]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    install = [*rights, "apt-get", "install", *_APT, *lock, *missing]
    code = work.run(install, env=env)
    if code and any(words in line.lower() for words in _NO_RECENT_LISTS for line in work.relay.tail):
        work.relay.say("apt: the lists of packages are asked for anew")
        code = work.run([*rights, "apt-get", "update", "-q", *lock], env=env) or work.run(install, env=env)
    if code:
        busy = next((line for line in work.relay.tail if "Could not get lock" in line), "")
        raise work.failed(work.culprit(work.order["apt"]) or ("apt: %s" % (busy or "apt-get install")), code)


def _build_image(work: Work, names: List[str]) -> None:
    """Make an image that has the packages, of the one that was asked for."""
    install = "apt-get update -q && apt-get install %s %s" % (" ".join(_APT), " ".join(names))
    recipe = "FROM %s\nUSER root\nRUN %s\n" % (work.image, install)
    name = "localhost/longshore/%s" % os.path.basename(work.place)
    folder = os.path.abspath("image")
    os.makedirs(folder)
    with open(os.path.join(folder, "Containerfile"), "w", encoding="utf-8") as file:
        file.write(recipe)
    code = work.run([work.engine, "build", "-t", name, "-f", os.path.join(folder, "Containerfile"), folder], here=True)
    if code:
        raise work.failed(work.culprit(work.order["apt"]) or "apt: in the image", code)
    _use_image(work, name)


# --- conda


def install_conda(work: Work) -> Dict[str, str]:
    """Let micromamba make the environment's packages, in a folder of their own."""
    order = work.order
    rows, file = order["conda"], order["conda_file"]
    if not rows and not file:
        return {}
    work.relay.say("conda:")
    # It is one static program, so an image can have the one of this machine.
    program = "" if work.image else work.find("micromamba")
    program = program or fetched(work, "micromamba", _fetch_micromamba)
    prefix, cache = os.path.join(work.place, "conda"), os.path.join(work.tools, "mamba")
    argv = [program, "create", "--yes", "--quiet", "--prefix", prefix, "--root-prefix", cache]
    if file:
        name, text = file
        exact = text.startswith("@EXPLICIT")
        argv += ["--file", written("exact.txt" if exact else "environment.yml", text)]
    else:
        name = "conda"
        channels = order["channels"] or ["conda-forge"]
        argv += [word for channel in channels for word in ("--channel", channel)] + [text for text, _ in rows]
    code = work.run(argv)
    if code:
        raise work.failed(work.culprit(rows) or ("conda: %s" % name), code)
    work.paths.append(os.path.join(prefix, "bin"))
    work.told["CONDA_PREFIX"] = prefix
    return {"conda.txt": "@EXPLICIT\n%s" % "".join(_exact(prefix))}


def _exact(prefix: str) -> List[str]:
    """List what conda has installed, so that the same can be installed again."""
    lines: List[str] = []
    folder = os.path.join(prefix, "conda-meta")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                told = json.load(file)
            lines.append("%s%s\n" % (told["url"], "#" + told["md5"] if told.get("md5") else ""))
    return lines


def _fetch_micromamba(folder: str) -> None:
    machine = {"x86_64": "64", "amd64": "64", "arm64": "arm64" if sys.platform == "darwin" else "aarch64"}
    kind = machine.get(platform.machine().lower(), platform.machine().lower())
    system = "osx" if sys.platform == "darwin" else "linux"
    base = os.environ.get("LONGSHORE_MICROMAMBA_URL") or _MICROMAMBA
    unpack("%s/%s-%s/latest" % (base, system, kind), folder)


# --- julia


def install_julia(work: Work) -> Dict[str, str]:
    """Let Julia install packages, in a project and a depot of the environment's own; Julia too, where there is none."""
    rows, files = work.order["julia"], work.order["julia_files"]
    if not rows and not files:
        return {}
    work.relay.say("julia:")
    program = work.find("julia")
    if not program or work.image:
        program = fetched(work, "julia", _fetch_julia)
        work.paths.append(os.path.dirname(program))
    project = os.path.join(work.place, "julia")
    os.makedirs(project, exist_ok=True)
    for name, text in files:
        with open(os.path.join(project, os.path.basename(name)), "w", encoding="utf-8") as file:
            file.write(text)
    # The empty end stands for the depots that come with Julia itself.
    work.told.update(JULIA_PROJECT=project, JULIA_DEPOT_PATH=os.path.join(project, "depot") + ":")
    words = ["-e", _INSTANTIATE] if files else ["-e", _ADD, *(text for text, _ in rows)]
    code = work.run([program, "--startup-file=no", "--project=" + project, *words])
    if code:
        raise work.failed(work.culprit(rows) or ("julia: %s" % (files[0][0] if files else "Pkg.add")), code)
    return {name: text for name in ("Project.toml", "Manifest.toml") for text in [_text(project, name)] if text}


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _fetch_julia(folder: str) -> None:
    machine = platform.machine().lower()
    short, kind = ("aarch64", "aarch64") if machine in ("arm64", "aarch64") else ("x64", "x86_64")
    system = "mac" if sys.platform == "darwin" else "linux"
    base = os.environ.get("LONGSHORE_JULIA_URL") or _JULIA
    minor = _JULIA_VERSION.rpartition(".")[0]
    name = "julia-%s-%s-%s.tar.gz" % (_JULIA_VERSION, system, kind)
    digests = read("%s/checksums/julia-%s.sha256" % (base, _JULIA_VERSION)).decode("ascii", "replace").split()
    wanted = digests[digests.index(name) - 1] if name in digests else ""
    unpack("%s/%s/%s/%s/%s" % (base, system, short, minor, name), folder, wanted)
