"""Building environments ahead of a run, on machines that one can log in to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from longshore.errors import EnvironmentBuildError, ExecutorError
from longshore.machines.shells import open_shell
from longshore.model.environment import BuildSpec, EnvironmentSpec
from longshore.plugin.hosts import Shell
from longshore.remote.bundle import build_bundle
from longshore.remote.wire_builds import build_order

__all__ = ["build_on"]

_BUNDLE, _ORDER, _VERDICT = "bundle", "order.json", "verdict.json"
_BUILD = (
    'command -v python3 >/dev/null || { echo "builds need python3 (3.8 or later) on the machine" >&2; exit 127; }; '
    'cd "$0" && exec python3 -I -S -X utf8 bundle build "${XDG_CACHE_HOME:-$HOME/.cache}/longshore/environments"'
)


def _silent(_: str) -> None:
    return


def build_on(
    name: str,
    spec: EnvironmentSpec,
    *,
    folder: Path | str = ".",
    show: Callable[[bytes], None],
    tell: Callable[[str], None] = _silent,
) -> bool:
    """Build an environment on a machine, as a run would; say whether it was built and not there already.

    Args:
        name: a host as a pool names it, ``pool/host``, or a rented machine.
        spec: with all its files read, as `longshore.config.resolve` leaves it.
        folder: where pools and providers are described.
        show: takes what the build prints.
        tell: takes words about what is waited for.

    Raises:
        EnvironmentBuildError: when it cannot be built; says which line failed.
        UsageError: as `open_shell` does, as all its errors.
    """
    with open_shell(name, folder=folder, tell=tell) as shell:
        place = _answer(shell, ["mktemp", "-d", "/tmp/longshore-build-XXXXXX"])  # noqa: S108  mktemp makes it ours alone
        try:
            verdict = _built(shell, spec, place, show)
        finally:
            shell.execute(["rm", "-rf", place], feed=None, tell=lambda *_: None)
    if "failure" in verdict:
        raise EnvironmentBuildError(f"the environment {spec.name} cannot be built on {name}: {verdict['evidence']}")
    return not verdict.get("reused", False)


def _built(shell: Shell, spec: EnvironmentSpec, place: str, show: Callable[[bytes], None]) -> dict[str, str]:
    order = build_order(BuildSpec(id="-/-/0", environment=spec)).message["build"]
    with tempfile.TemporaryDirectory(prefix="longshore-") as made:
        here = Path(made)
        (here / _BUNDLE).write_bytes(build_bundle())
        (here / _ORDER).write_text(json.dumps(order), encoding="utf-8")
        shell.put([here / _BUNDLE, here / _ORDER], f"{place}/")
        last = bytearray()

        def printed(stream: int, content: bytes) -> None:
            if stream == 1:
                show(content)
            else:
                last.extend(content)

        code = shell.execute(["sh", "-c", _BUILD, place], feed=None, tell=printed)
        try:
            shell.get([f"{place}/{_VERDICT}"], here)
        except ExecutorError:
            said = last.decode("utf-8", "replace").strip() or f"exit code {code}"
            return {"failure": "environment", "evidence": said}
        told: dict[str, str] = json.loads((here / _VERDICT).read_text(encoding="utf-8"))
    return told


def _answer(shell: Shell, words: list[str]) -> str:
    """Give what a short command writes.

    Raises:
        ExecutorError: when it fails.
    """
    said = bytearray()
    code = shell.execute(words, feed=None, tell=lambda _, content: said.extend(content))
    text = said.decode("utf-8", "replace").strip()
    if code or not text.startswith("/"):
        raise ExecutorError(f"no folder can be made there: {text or f'exit code {code}'}")
    return text
