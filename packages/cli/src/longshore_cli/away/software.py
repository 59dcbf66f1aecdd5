"""Longshore itself for a machine that gets a controller: what is installed here, with all that it needs, put there.

What runs here runs there, in the same versions and without any package index, as long as the Python there has the same
version and kind of computer; else that is said.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Collection, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from longshore.errors import ExecutorError
from longshore.model.attempt import Item
from longshore.model.task import UrlInput
from longshore.model.workflow import WorkflowSpec
from longshore.plugin import Shell
from longshore.remote.digest import digest_found
from longshore.remote.walking import IGNORE_FILE, walk_input
from longshore.runtime.plugin_entries import normal
from longshore.runtime.registry import Registry
from longshore_cli.away.moving import asked, feed_bytes, open_transfers

__all__ = ["bring_software", "needed_plugins"]

_ROOTS = ("longshore", "longshore-core")
_CORE, _CALLS = "longshore-core", "call"
"""Calls of Python functions take a package more, which need not be there."""
_ORIGIN = "direct_url.json"
"""In a distribution's metadata: the folder here that it was installed from, which is of no use there."""
_PROBE = "import sys, sysconfig; print(*sys.version_info[:2], sysconfig.get_platform(), sys.executable)"
_MAKE = """
set -e
cd "$2"; cat > order.json; mkdir -p -m 700 ../../controllers; cd ../../controllers; new=$(pwd)/$1
if [ ! -e "$new/complete" ]; then
    rm -rf "$new"
    python3 -m venv --without-pip "$new"
    python3 -I -S -X utf8 "$2/bundle" lay "$2"
    "$new/bin/python" -I -c 'import sys, sysconfig
with open(sysconfig.get_path("purelib") + "/longshore.pth", "w") as file: file.write(sys.argv[1] + "\\n")' "$new/site"
    "$new/bin/python" -I -m longshore_cli --version >&2
    : > "$new/complete"
fi
echo "$new/bin/python"
"""
"""Two that do it at once make the same, and the second finds it complete or makes it anew."""


def needed_plugins(spec: WorkflowSpec) -> set[str]:
    """Name the distributions of the plugins that a workflow uses."""
    wanted = {("strategy", spec.strategy.name)}
    for pool in spec.pools:
        wanted.add(("executor", pool.executor))
        if pool.provider:
            wanted.add(("provider", str(spec.providers.get(pool.provider, {}).get("plugin", pool.provider))))
    urls = [each.url for task in spec.tasks for each in task.inputs if isinstance(each, UrlInput)]
    urls += [task.results_to for task in spec.tasks if task.results_to]
    urls += [pool.store for pool in spec.pools if pool.store]
    wanted |= {("store", url.partition("://")[0].lower()) for url in urls}
    entries = Registry().entries()
    return {entry.distribution for entry in entries if (entry.role, entry.name) in wanted or entry.several}


def bring_software(shell: Shell, names: Collection[str], store: Path, tell: Callable[[str], None]) -> str:
    """Put Longshore and these distributions on a machine, unless they are there; give its Python there.

    Raises:
        ExecutorError: when the machine has no Python that can be used; says what to do.
        StagingError: when they cannot be brought there.
    """
    tell("looking for a Python there")
    platform = _check_python(shell)
    with tempfile.TemporaryDirectory(prefix="longshore-away-") as made:
        site = Path(made) / "site"
        site.mkdir()
        for each in _closure({*_ROOTS, *map(normal, names)}):
            _copy(each, site)
        # All of it goes there, whatever ignore files the packages have.
        (site.parent / IGNORE_FILE).touch()
        digest = digest_found(walk_input(str(site), made)[0])
        key = f"{digest.sha256[:32]}-{platform}"
        item = Item(path="site", sha256=digest.sha256, size=0, mode=0o755, kind="folder", source=str(site))
        with open_transfers(shell, f"software-{key}", store) as (transfers, place):
            tell("bringing Longshore there")
            transfers.put([item])
            return _made(shell, key, place, digest.sha256)


def _check_python(shell: Shell) -> str:
    try:
        told = asked(shell, ["python3", "-c", _PROBE]).decode().split()
    except ExecutorError as error:
        raise ExecutorError(f"a controller needs Python 3.11 or later there, as python3: {error}") from error
    there, platform = (int(told[0]), int(told[1])), told[2]
    here = sys.version_info[:2]
    if there != here or platform != sysconfig.get_platform():
        raise ExecutorError(
            f"the machine has Python {there[0]}.{there[1]} on {platform}, and here it is {here[0]}.{here[1]} on "
            f"{sysconfig.get_platform()}; a controller goes only where they are the same"
        )
    return f"py{there[0]}.{there[1]}"


def _closure(names: Collection[str]) -> list[Distribution]:
    """Find distributions with all that they require here."""
    environment = {key: str(value) for key, value in default_environment().items()}
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(name, "") for name in names] + [(_CORE, _CALLS)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that is not installed here either
        for line in found[name].requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({**environment, "extra": extra}):
                waiting += [(normal(needed.name), each) for each in ("", *needed.extras)]
    return [found[name] for name in sorted(found)]


def _copy(of: Distribution, site: Path) -> None:
    """Copy what a distribution has installed, and for one that is installed in place its source."""
    for path in of.files or ():
        if ".." in path.parts or "__pycache__" in path.parts or path.suffix == ".pth" or path.name == _ORIGIN:
            continue
        _place(Path(str(of.locate_file(path))), site / path)
    for source in _sources(of):
        for place, folders, names in os.walk(source):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                whole = Path(place) / name
                _place(whole, site / whole.relative_to(source))


def _sources(of: Distribution) -> Iterator[Path]:
    """Give the folders that hold the packages of a distribution that is installed in place."""
    told = of.read_text(_ORIGIN)
    if told is None or not json.loads(told).get("dir_info", {}).get("editable"):
        return
    for path in of.files or ():
        if path.suffix == ".pth":
            for line in Path(str(of.locate_file(path))).read_text().splitlines():
                if line and not line.startswith(("import ", "#")):
                    yield Path(line)


def _place(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _made(shell: Shell, key: str, place: str, sha256: str) -> str:
    order = {"store": "store", "target": f"../../controllers/{key}", "pieces": [["site", sha256, 0, 0o755, "folder"]]}
    try:
        with feed_bytes(json.dumps(order).encode()) as feed:
            return asked(shell, ["sh", "-c", _MAKE, "sh", key, place], feed=feed).decode().strip()
    except ExecutorError as error:
        raise ExecutorError(f"Longshore cannot be installed there: {error}") from error
