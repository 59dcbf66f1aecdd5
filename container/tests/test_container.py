"""The image as a service: built as its Containerfile says, by a real buildah, and executed by a real podman.

For the base, which stands in a registry, a Debian of this computer's own making is used. Machines are rented from a
sandbox outside of the containers: it is a cloud to them, and knows nothing of their ends.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import field, frozen

from longshore.testing.containers import Engine

_TOP = Path(__file__).resolve().parents[2]
_IMAGE = "localhost/longshore-service:test"
_BASE = "localhost/longshore-base:test"
_PACKAGES = "python3,python3-venv,ca-certificates,procps"
_SECONDS = 900.0
_USER = "10001"
_WORKFLOW = """
name = "kept"
max_cost = "1 USD"
[providers.sandbox]
folder = "{cloud}"
[pools.here]
[pools.cloud]
provider = "sandbox"
executor = "sandbox"
lifetime = "1 h"
machines = {{ max = 1 }}
[tasks.first]
command = "echo x >> {marks}/first"
pool = "cloud"
[tasks.there]
command = "echo x >> {marks}/there; until test -e {marks}/go; do sleep 0.1; done"
after = ["first"]
pool = "cloud"
[tasks.here]
command = "echo x >> {marks}/here; until test -e {marks}/go; do sleep 0.1; done"
after = ["first"]
pool = "here"
"""
_CONTAINERS = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
"""
"""What podman needs where there is neither systemd nor much that it may raise."""


@frozen
class Place:
    """Folders of the service's own, outside of it."""

    engine: Engine
    folder: Path
    names: list[str] = field(factory=list)

    def run(self, *words: str, detach: bool = False, entry: str = "longshore") -> str:
        """Execute a command of ours in a container; give what it says, or the container's name."""
        name = f"longshore-test-{os.getpid()}-{len(self.names)}"
        self.names.append(name)
        volumes = [f"--volume={self.folder / each}:/{each}" for each in ("state", "config", "project")]
        outside = [f"--volume={self.folder / each}:{self.folder / each}" for each in ("cloud", "marks")]
        limits = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
        how = ["--detach"] if detach else ["--rm"]
        said = self.engine.call(
            *["run", *how, f"--name={name}", "--hostname=longshore", "--network=host"],
            *[*limits, *volumes, *outside, f"--entrypoint={entry}", _IMAGE, *words],
        )
        return name if detach else said

    def operate(self, *words: str) -> str:
        """Operate the cloud."""
        return self.run("-m", "longshore_sandbox", f"--folder={self.folder / 'cloud'}", *words, entry="python")

    def wait_for(self, name: str) -> None:
        """Wait until a task has left its mark."""
        done = subprocess.run(
            ["sh", "-c", 'until test -e "$1"; do sleep 0.1; done', "sh", str(self.folder / "marks" / name)],
            timeout=_SECONDS,
            check=True,
        )
        assert done.returncode == 0


def _needed(*names: str) -> None:
    if os.getuid():
        pytest.skip("only root can make a Debian")
    for name in names:
        if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"{name} is not installed here")


@pytest.fixture(scope="session")
def base() -> Path:
    """Make a Debian, once for this user of this computer."""
    _needed("debootstrap", "buildah", "podman", "runc")
    kept = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "longshore-tests" / "base.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            made = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", f"{folder}/root"]
            subprocess.run(made, check=True, timeout=_SECONDS, capture_output=True)
            subprocess.run(["tar", "-C", f"{folder}/root", "-cf", f"{folder}/base.tar", "."], check=True)
            shutil.move(f"{folder}/base.tar", kept)
    return kept


@pytest.fixture(scope="session")
def engine(base: Path) -> Iterator[Engine]:
    """Give a podman that has the image."""
    store = Path(tempfile.mkdtemp(prefix="ls-"))
    (store / "containers.conf").write_text(_CONTAINERS)
    places = f'graphroot = "{store}/g"\nrunroot = "{store}/r"\n'
    (store / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\n{places}')
    settings = {
        "CONTAINERS_CONF": str(store / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(store / "storage.conf"),
    }
    engine = Engine(program="podman", settings=settings)
    try:
        engine.call("import", str(base), _BASE)
        # pip finds packages as it does outside; none of it gets into a layer.
        mounts = [f"--volume={each}:{each}:ro" for each in ("/etc/pip.conf", "/etc/ssl/certs") if Path(each).exists()]
        plugins = "--build-arg=PLUGINS=provider-sandbox web"
        command = ["buildah", "bud", "--isolation=chroot", "--network=host", f"--build-arg=BASE={_BASE}", plugins]
        subprocess.run(
            [*command, *mounts, "-f", "container/Containerfile", "-t", _IMAGE, "."],
            cwd=_TOP,
            env={**os.environ, **settings, "TMPDIR": str(store)},
            check=True,
            timeout=_SECONDS,
        )
        yield engine
    finally:
        engine.call("rm", "--all", "--force", "--time=0")
        shutil.rmtree(store)


@pytest.fixture
def place(engine: Engine) -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="longshore-service-"))
    folder.chmod(0o755)
    for name in ("state", "config", "project", "cloud", "marks"):
        (folder / name).mkdir()
        shutil.chown(folder / name, int(_USER), int(_USER))
    made = Place(engine, folder)
    text = _WORKFLOW.format(cloud=folder / "cloud", marks=folder / "marks")
    (folder / "project" / "longshore.toml").write_text(text)
    try:
        # The cloud's own process, in a container that is not of the service.
        begin = (
            f"python -m longshore_sandbox --folder={folder}/cloud list && touch {folder}/marks/up && exec sleep 10000"
        )
        made.run("-c", begin, detach=True, entry="sh")
        made.wait_for("up")
        yield made
    finally:
        made.operate("reset")
        made.operate("stop")
        for name in made.names:
            engine.call("rm", "--force", "--time=0", "--ignore", name)
        shutil.rmtree(folder)


def test_losing_the_container_loses_no_machine_and_runs_nothing_twice(place: Place) -> None:
    lost = place.run("run", "--yes", detach=True)
    place.wait_for("there")
    place.wait_for("here")
    place.engine.call("kill", "--signal=KILL", lost)
    [machine] = json.loads(place.run("machines", "list", "--json"))["machines"]
    assert machine["state"] == "running"

    (place.folder / "marks" / "go").touch()
    place.run("resume")

    assert json.loads(place.run("status", "--json"))["state"] == "succeeded"
    # What ran in the container has ended with it, which is known, and runs again; what ran elsewhere has gone on.
    marks = [(place.folder / "marks" / name).read_text() for name in ("first", "there", "here")]
    assert marks == ["x\n", "x\n", "x\nx\n"]
    assert json.loads(place.run("machines", "list", "--json"))["machines"] == []
    assert "running" not in place.operate("list")


def test_who_has_the_state_can_end_the_machines_of_a_lost_container(place: Place) -> None:
    lost = place.run("run", "--yes", detach=True)
    place.wait_for("there")
    place.engine.call("kill", "--signal=KILL", lost)

    place.run("machines", "down", "--pool", "cloud")

    assert "running" not in place.operate("list")


def test_the_page_is_served_and_schedules_are_kept(place: Place) -> None:
    keeper = place.run("schedule", "keep", detach=True)
    place.run("schedule", "add", "cleaning", "every 1 h", "gc")
    page = place.run("web", "--bind", "127.0.0.1", "--port", "0", detach=True)
    env = {**os.environ, **place.engine.settings}
    follow = ["podman", "logs", "--follow", page]
    with subprocess.Popen(follow, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as logs:
        assert logs.stdout is not None
        address = logs.stdout.readline()
        logs.kill()

    with urllib.request.urlopen(address.strip().partition("/enter")[0] + "/enter") as answer:
        assert b"Longshore" in answer.read()
    [kept] = json.loads(place.run("schedule", "list", "--json"))["schedules"]
    assert (kept["name"], kept["by"]) == ("cleaning", "longshore")
    place.engine.call("stop", keeper, page)
    assert place.engine.call("inspect", "--format={{.State.ExitCode}}", keeper, page).split() == ["0", "0"]


def test_the_image_is_nobodys_but_an_ordinary_users_and_has_no_secret_and_no_source(place: Place) -> None:
    [image] = json.loads(place.engine.call("inspect", "--type=image", _IMAGE))
    assert image["Config"]["User"] == f"{_USER}:{_USER}"
    told = " ".join(image["Config"]["Env"]) + place.engine.call("history", "--no-trunc", _IMAGE)
    assert not re.search(r"(?i)token|password|secret|index.url", told)
    name = f"longshore-test-look-{os.getpid()}"
    look = ["run", "--rm", f"--name={name}", "--network=none", "--entrypoint=sh", _IMAGE, "-c"]
    assert place.engine.call(*look, "id -u; ls -A /state /config /project; test -e /source || echo none").split() == [
        _USER,
        *["/config:", "/project:", "/state:"],
        "none",
    ]
