"""What tasks may see, and no journal, log or message may: the ``env_file``, and files for one task's eyes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from longshore.config.env_file import read_env_file
from longshore.config.problems import Mistakes
from longshore.errors import InputMissing, StagingError
from longshore.model.attempt import SecretFile
from longshore.model.task import Secret
from longshore.model.workflow import WorkflowSpec

__all__ = ["private_environment", "secret_files"]


def private_environment(folder: Path, workflow: WorkflowSpec) -> Mapping[str, str]:
    """Read the workflow's ``env_file`` anew for each controller; it is kept in memory only.

    Raises:
        StagingError: when it is gone or cannot be read. No value of it is ever in a message.
    """
    if workflow.env_file is None:
        return {}
    try:
        return read_env_file(folder / workflow.env_file)
    except Mistakes as error:
        raise StagingError(f"env_file: {error}") from None


def secret_files(folder: Path, secrets: Mapping[str, Secret]) -> tuple[SecretFile, ...]:
    """Read the secrets of one task from where they are kept on this computer.

    Raises:
        InputMissing: when a file cannot be read or a variable is not set; the message names it, and not what is in it.
    """
    return tuple(SecretFile(path=path, content=_content(folder, path, secret)) for path, secret in secrets.items())


def _content(folder: Path, path: str, secret: Secret) -> bytes:
    if secret.variable:
        value = os.environ.get(secret.variable)
        if value is None:
            raise InputMissing(f"secret {path}: the environment variable {secret.variable} is not set")
        return os.fsencode(value)
    try:
        return (folder / secret.file).expanduser().read_bytes()
    except OSError as error:
        raise InputMissing(f"secret {path}: {secret.file} cannot be read: {error.strerror}") from None
