"""A workflow file in Python: executed as a module, it must define ``workflow``."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from longshore.config.problems import Places
from longshore.config.python import Workflow
from longshore.errors import ConfigError, Problem

__all__ = ["read_script"]

_NAME = "workflow"


def read_script(file: Path) -> tuple[Mapping[str, Any], Places]:
    """Execute a file, with its folder on the path, and take the workflow that it defines.

    Raises:
        ConfigError: when it fails, or defines none.
    """
    if file.stem in sys.stdlib_module_names:
        raise _problem(
            file.name, f"{file.stem!r} is the name of a module of Python itself", "give the file another name"
        )
    with _executing(file) as module:
        workflow = getattr(module, _NAME, None)
    if workflow is None:
        raise _problem(
            file.name, f"the file defines no {_NAME!r}", f'write {_NAME} = Workflow("name") and add tasks to it'
        )
    if not isinstance(workflow, Workflow):
        raise _problem(
            file.name, f"{_NAME!r} is of the type {type(workflow).__name__}", f'write {_NAME} = Workflow("name")'
        )
    return workflow.raw(), workflow.place


@contextmanager
def _executing(file: Path) -> Iterator[ModuleType]:
    """Import a file for the length of a block; afterwards no trace of the project's modules is left in this process."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = dict(sys.modules)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
        yield module
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        raise _failed(file, error) from error
    finally:
        sys.path.remove(str(file.parent))
        for name, added in list(sys.modules.items()):
            if before.get(name) is not added and _lies_in(added, file.parent):
                del sys.modules[name]
        if file.stem in before:
            sys.modules[file.stem] = before[file.stem]


def _lies_in(module: ModuleType, folder: Path) -> bool:
    path = getattr(module, "__file__", None)
    return path is not None and Path(path).is_relative_to(folder)


def _failed(file: Path, error: BaseException) -> ConfigError:
    """Name the line of the project's code that failed, the innermost one."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        shown = (error.text or "").rstrip("\n")
        return _problem(
            f"{file.name}:{error.lineno}:{error.offset}",
            f"this is not Python: {error.msg}\n    {shown}",
            "mend this line",
        )
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(file):
            line = frame.lineno
    place = f"{file.name}:{line}" if line else file.name
    return _problem(place, f"{type(error).__name__}: {error}", "mend the file; no task was added")


def _problem(place: str, message: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(place=place, key="", message=message, remedy=remedy)])
