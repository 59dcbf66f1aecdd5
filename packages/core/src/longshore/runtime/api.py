"""The workflow that a Python program builds and runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from longshore.config.python import Workflow as WorkflowBuilder

if TYPE_CHECKING:
    from longshore.runtime.run import Run

__all__ = ["Workflow"]


class Workflow(WorkflowBuilder):
    """A workflow to which tasks are added by calls, and which can be run.

    It is the same as a workflow file: ``spec`` gives the value that the file would give.
    """

    def start(
        self,
        folder: Path | str | None = None,
        *,
        jobs: int | None = None,
        cache: bool = True,
        rerun: Sequence[str] = (),
        keep_workdirs: bool = False,
        fresh: bool = False,
    ) -> Run:
        """Begin a run in the background and return at once.

        ``folder`` is where the paths in the workflow begin and where ``.longshore/`` and ``results/`` lie: by default
        the present one. ``jobs`` is how many attempts this computer takes at once, ``rerun`` names tasks that run
        whatever the cache knows. With ``fresh`` machines that earlier runs have kept are ended and not used.

        Raises:
            ConfigError: when the workflow cannot run as it is written.
        """
        # Who only builds a workflow, or imports a module that has one, need not wait for all that runs it.
        from longshore.runtime.options import RunOptions  # noqa: PLC0415
        from longshore.runtime.run import start  # noqa: PLC0415

        place = Path(folder or Path.cwd()).resolve()
        options = RunOptions(jobs=jobs, cache=cache, rerun=rerun, keep_workdirs=keep_workdirs, fresh=fresh)
        return start(self.spec(place), place, options)

    def run(
        self,
        folder: Path | str | None = None,
        *,
        jobs: int | None = None,
        cache: bool = True,
        rerun: Sequence[str] = (),
        keep_workdirs: bool = False,
        fresh: bool = False,
    ) -> Run:
        """Run to the end and give back the run, whose ``state`` says how it ended. Failed tasks are no exception.

        Raises:
            ConfigError: when the workflow cannot run as it is written.
            LongshoreError: whatever stopped the controller.
        """
        with self.start(folder, jobs=jobs, cache=cache, rerun=rerun, keep_workdirs=keep_workdirs, fresh=fresh) as run:
            run.wait()
        return run
