"""Environments of attempts that have pods of their own: an image, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from longshore.model.attempt import environment_of, split_attempt_id
from longshore.model.environment import BuildSpec
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.outcome import FailureClass

__all__ = ["image_of", "taken_from_image"]

_IMAGE = "image:"


def taken_from_image(build: BuildSpec) -> EnvironmentBuilt | EnvironmentFailed:
    """Answer at once: the cluster pulls the image for whoever needs it."""
    _, name, number = split_attempt_id(build.id)
    spec, at, environment = build.environment, datetime.now(UTC), environment_of(name)
    more = (spec.before, spec.apt, spec.has_conda, spec.has_python, spec.julia, spec.julia_files, spec.after)
    if spec.image and not any(more):
        return EnvironmentBuilt(at=at, environment=environment, number=number, key=f"{_IMAGE}{spec.image}", reused=True)
    return EnvironmentFailed(
        at=at,
        environment=environment,
        number=number,
        failure=FailureClass.ENVIRONMENT,
        evidence="a pod has its software from its image alone: give the environment an image, and nothing else",
    )


def image_of(key: str, default: str) -> str:
    """Give the image that the key of an environment means."""
    return key.removeprefix(_IMAGE) if key else default
