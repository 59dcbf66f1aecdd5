"""The programs that build images: buildah, podman or docker, whichever is there."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import frozen

from longshore.errors import EnvironmentBuildError
from longshore.plugin.clusters import RegistryLogin
from longshore_k8s.contexts import Context
from longshore_k8s.errors import plain_text
from longshore_k8s.registries import is_near

__all__ = ["BUILDERS", "Builder", "find_builder"]

_log = logging.getLogger(__name__)

BUILDERS = ("docker", "podman", "buildah")
_STEP = re.compile(r"(?:STEP|Step) \d+/\d+ ?:.*|#\d+ \[.*\d+/\d+\] .*")
_SHOWN_LINES = 5
_ANSWER_SECONDS = 20.0


@frozen(kw_only=True)
class Builder:
    """One of the programs."""

    name: str
    program: str

    def build(self, context: Context, image: str, labels: Mapping[str, str], log: Path) -> None:
        """Build an image under a name; what the program says goes to a file.

        Raises:
            EnvironmentBuildError: when it fails; names the step.
        """
        words = [self.program, "build", "--file", str(context.folder / context.dockerfile), "--tag", image]
        if self.name != "docker" and os.geteuid() == 0 and not _may_isolate():
            words += ["--isolation", "chroot"]
        if self.name != "docker":
            words += ["--layers"]
        for key, value in labels.items():
            words += ["--label", f"{key}={value}"]
        step = self._run([*words, str(context.folder)], log, {"BUILDKIT_PROGRESS": "plain"})
        if step is not None:
            raise EnvironmentBuildError(f"the image cannot be built: {step}; all of it is in {log}")

    def push(self, image: str, login: RegistryLogin | None, log: Path) -> None:
        """Push an image; raises EnvironmentBuildError with the registry's words when it is not taken."""
        host = image.partition("/")[0]
        plain = ["--tls-verify=false"] if self.name != "docker" and is_near(host) else []
        with _known(self.name, login) as (words, settings):
            said = self._run([self.program, "push", *words, *plain, image], log, settings)
        if said is not None:
            raise EnvironmentBuildError(f"{image} cannot be pushed: {said}; is somebody logged in to {host}?")

    def forget(self, image: str, log: Path) -> None:
        """Remove an image from this computer, as far as nothing else uses it. Silent when there is none."""
        self._run([self.program, "rmi", image], log, {})

    def _run(self, words: Sequence[str], log: Path, settings: Mapping[str, str]) -> str | None:
        """Execute to the end; None when it succeeds, else the step that failed with the last words."""
        step = ""
        last: deque[str] = deque(maxlen=_SHOWN_LINES)
        try:
            with log.open("a", encoding="utf-8") as file:
                process = subprocess.Popen(
                    words,
                    env={**os.environ, **settings},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                )
                with process:
                    for line in process.stdout or ():
                        file.write(line)
                        text = plain_text(line)
                        if _STEP.fullmatch(text):
                            step = text
                            _log.info("%s", text)
                        elif text:
                            last.append(text)
        except OSError as error:
            return f"{words[0]}: {error.strerror or error}"
        if process.returncode == 0:
            return None
        said = " | ".join(last) or f"exit code {process.returncode}"
        return f"{step}: {said}" if step else said


def find_builder(search: str | None = None) -> Builder:
    """Find a program that can build here; docker only where its service answers.

    Raises:
        EnvironmentBuildError: when there is none.
    """
    for name in BUILDERS:
        program = shutil.which(name, path=search)
        if program is not None and (name != "docker" or _answers(program)):
            return Builder(name=name, program=program)
    raise EnvironmentBuildError(
        "nothing here can build images: install docker, buildah or podman, or push an image yourself and name it"
    )


def _answers(program: str) -> bool:
    null = subprocess.DEVNULL
    try:
        done = subprocess.run(
            [program, "version"], stdin=null, stdout=null, stderr=null, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _may_isolate() -> bool:
    """Whether containers can be started, which those without the right to raise limits cannot."""
    cap_sys_resource = 24
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> cap_sys_resource & 1)
    return False


@contextmanager
def _known(name: str, login: RegistryLogin | None) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Let a program know a login by a file that nobody else can read; no list of processes shows it."""
    if login is None:
        yield [], {}
        return
    auth = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    with TemporaryDirectory(prefix="longshore-login-") as folder:
        path = Path(folder) / "config.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"auths": {login.host: {"auth": auth}}}))
        yield ([], {"DOCKER_CONFIG": folder}) if name == "docker" else (["--authfile", str(path)], {})
