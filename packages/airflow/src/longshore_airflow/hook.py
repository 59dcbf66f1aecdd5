"""A project of Longshore's, as a connection of Airflow's says where it is and with which logins."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from airflow.sdk import BaseHook

from longshore.config.document import to_document
from longshore.config.load import load
from longshore.runtime.asking import ask
from longshore.runtime.history import RunReader
from longshore.runtime.objects import resolve_all
from longshore.runtime.options import RunOptions
from longshore.runtime.pools import check
from longshore.runtime.project import Project
from longshore_cli.away.keeping import keep_environment, start_keeper
from longshore_cli.away.orders import is_over, order_of, write_order

__all__ = ["DEFAULT_CONNECTION", "LongshoreHook"]

DEFAULT_CONNECTION = "longshore_default"
_FILE = "longshore.toml"
_MOST_TRIES = 1000


class LongshoreHook(BaseHook):
    """The project that a connection of type ``longshore`` names.

    Its extra is a JSON object with ``folder``, the project's, and ``environment``, variables such as a cloud's login,
    which only the controllers of its runs get. What an operator says itself goes first.
    """

    conn_name_attr = "longshore_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "longshore"
    hook_name = "Longshore"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Show in Airflow's form only what counts."""
        example = {"folder": "/srv/workflows/pv", "environment": {"AWS_PROFILE": "pv"}}
        return {
            "hidden_fields": ["host", "schema", "login", "password", "port"],
            "relabeling": {},
            "placeholders": {"extra": json.dumps(example)},
        }

    def __init__(self, longshore_conn_id: str | None = DEFAULT_CONNECTION, *, folder: str | None = None) -> None:
        """Name the connection, if there is one, and the folder, if the connection does not."""
        super().__init__()
        self.longshore_conn_id = longshore_conn_id
        self._folder = folder
        self._extra: Mapping[str, Any] | None = None

    @property
    def project(self) -> Project:
        """The project.

        Raises:
            ValueError: when nobody says where it is.
        """
        folder = self._folder or str(self._connected.get("folder", ""))
        if not folder:
            raise ValueError(
                f"nothing says where the project is: give the operator a folder, or the connection "
                f'{self.longshore_conn_id!r} an extra like {{"folder": "/srv/workflows/pv"}}'
            )
        return Project(Path(folder))

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the controllers of its runs get."""
        return {str(key): str(value) for key, value in dict(self._connected.get("environment") or {}).items()}

    @property
    def _connected(self) -> Mapping[str, Any]:
        if self._extra is None:
            self._extra = {}
            # An operator that says its folder can do without a connection, unless one is asked for by name.
            needed = self._folder is None or self.longshore_conn_id != DEFAULT_CONNECTION
            if self.longshore_conn_id is not None and needed:
                self._extra = self.get_connection(self.longshore_conn_id).extra_dejson
        return self._extra

    @contextmanager
    def logged_in(self) -> Iterator[None]:
        """Have the connection's variables set in this process, which is the task's own."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def begin(
        self,
        key: str,
        at: datetime,
        *,
        file: str = _FILE,
        params: Mapping[str, Any] | None = None,
        sets: Sequence[str] = (),
        jobs: int | None = None,
    ) -> str:
        """Have a run under way, and kept so without us; give its id.

        The same ``key`` and moment mean the same run. One that was begun is gone on with; when it has ended otherwise
        than well, what did not succeed gets another chance.

        Raises:
            ConfigError: when the workflow cannot run as it is written; nothing has been done.
            LongshoreError: when its controller cannot be begun; with what it said.
        """
        project = self.project
        run, known = _run_of(project, key, at)
        if not known:
            given = [f"{name}={value}" for name, value in (params or {}).items()]
            loaded = load(project.folder / file, sets, params=given)
            options = RunOptions(jobs=jobs)
            spec = resolve_all(loaded.spec, loaded.folder, loaded.place)
            check(spec, options)
            order = {"name": spec.name, "workflow": to_document(spec), "options": options.to_json(), "key": key}
            write_order(project, run, order)
        if self.state(run) != "succeeded":
            keep_environment(project, run, self.environment)
            start_keeper(project, run, words=["--retry"] if is_over(project, run) else [])
        return run

    def state(self, run: str) -> str:
        """Say how a run stands; nothing when it has not begun."""
        folder = self.project.run_folder(run)
        return RunReader(folder).info().state if (folder / "run.db").exists() else ""

    def cancel(self, run: str) -> None:
        """End a run and all that it has under way.

        Raises:
            RunError: when it has no controller now.
        """
        ask(self.project.run_folder(run), "cancel", {"tasks": []})


def _run_of(project: Project, key: str, at: datetime) -> tuple[str, bool]:
    """Give the id of the run that a key means, and whether it was begun."""
    for number in range(_MOST_TRIES):
        tail = sha256(f"{key}\n{number}".encode()).hexdigest()[:4]
        run = f"{at:%Y%m%d-%H%M%S}-{tail}"
        order = order_of(project, run)
        if order is not None and order.get("key") == key:
            return run, True
        if order is None and not project.run_folder(run).exists():
            return run, False
    raise ValueError(f"there are too many runs that began at {at}")
