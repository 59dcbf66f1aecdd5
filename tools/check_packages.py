"""Build every package, install the wheels in an empty environment, and run the demo there, away from the checkout.

The one argument is a folder; what is made stays in it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DEMO = CHECKOUT / "examples" / "solar"
STEP_SECONDS = 900.0
ALONE = frozenset({"airflow"})
"""Packages for an application that has an environment of its own, with its own ideas of what may lie beside it."""


def main(folder: Path) -> None:
    """Do all steps; the first that fails ends the program with its message."""
    packages = sorted(path.parent for path in CHECKOUT.glob("packages/*/pyproject.toml"))
    wheels = [build(package, folder / "dist" / package.name) for package in packages]
    for package, wheel in zip(packages, wheels, strict=True):
        check_contents(package, wheel)
    together = [wheel for package, wheel in zip(packages, wheels, strict=True) if package.name not in ALONE]
    programs = install(folder / "venv", together)
    run_demo(folder / "demo", programs, variables(folder, programs))
    say(f"packages: {len(wheels)} wheels built, {len(together)} installed, and the demo run from them")


def build(package: Path, dist: Path) -> Path:
    """Build the source archive, and from it the wheel: so what the archive lacks is noticed."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(package)])
    [wheel] = dist.glob("*.whl")
    return wheel


def check_contents(package: Path, wheel: Path) -> None:
    """See that the wheel has each file of the source, the licence, and nothing else."""
    source = package / "src"
    wanted = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(source).parts)
    }
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    if wanted != found:
        sys.exit(f"{wheel.name}: missing {sorted(wanted - found)}, too many {sorted(found - wanted)}")
    if not any(name.endswith(".dist-info/licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist()):
        sys.exit(f"{wheel.name} has no LICENSE")
    if (package / "LICENSE").read_bytes() != (CHECKOUT / "LICENSE").read_bytes():
        sys.exit(f"{package / 'LICENSE'} differs from the LICENSE of the repository")


def install(environment: Path, wheels: Sequence[Path]) -> Path:
    """Install the wheels and what the demo needs into a new environment; give the folder of its programs."""
    venv.create(environment, clear=True, with_pip=True)
    python = str(environment / "bin" / "python")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    parts = [f"{wheel}[report,watch]" if wheel.name.startswith("longshore-") else str(wheel) for wheel in wheels]
    run([*pip, "install", "--quiet", *parts, "-r", str(DEMO / "requirements.txt")])
    run([*pip, "check"])
    return environment / "bin"


def variables(folder: Path, programs: Path) -> dict[str, str]:
    """Give the environment of somebody who has installed Longshore and configured nothing."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return inherited | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def run_demo(project: Path, programs: Path, env: Mapping[str, str]) -> None:
    """Run the demo in a copy, twice; the second time nothing may run."""
    shutil.copytree(DEMO, project, ignore=shutil.ignore_patterns(".longshore", "results", "__pycache__"))
    run([str(CHECKOUT / "tools" / "demo"), str(programs), str(project)], cwd=project, env=env)
    phases = phases_of_latest_run(project, programs, env)
    if set(phases) != {"up to date"}:
        sys.exit(f"the demo's second run should have found everything up to date, and found {phases}")
    run([str(programs / "python"), "-c", "import longshore; assert 'site-packages' in longshore.__file__"], env=env)


def phases_of_latest_run(project: Path, programs: Path, env: Mapping[str, str]) -> Mapping[str, int]:
    """Count the tasks in each state, as `longshore status --json` says it."""
    command = [str(programs / "longshore"), "status", "--json"]
    done = subprocess.run(command, cwd=project, env=env, stdout=subprocess.PIPE, check=True, timeout=STEP_SECONDS)
    phases: dict[str, int] = json.loads(done.stdout)["phases"]
    return phases


def run(command: Sequence[str], *, cwd: Path = CHECKOUT, env: Mapping[str, str] | None = None) -> None:
    """Run one step; its output goes where ours goes."""
    say(f"$ {' '.join(command)}")
    done = subprocess.run(command, cwd=cwd, env=env, check=False, timeout=STEP_SECONDS)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {' '.join(command)}")


def say(text: str) -> None:
    """Print at once, in order with what the steps print."""
    print(text, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
