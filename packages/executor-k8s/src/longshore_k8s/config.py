"""The options of a pool of pods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any

from attrs import Attribute, converters, evolve, field, frozen
from attrs.validators import ge, gt, in_, instance_of, optional

from longshore.model.quantity import parse_size
from longshore.model.resources import Resources

__all__ = ["PER_RUN", "ImageBuild", "K8sConfig"]

PER_RUN = "per-run"

_DNS = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", re.ASCII)
_REPOSITORY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+", re.ASCII)
_LABEL = re.compile(
    r"([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?",
    re.ASCII,
)
_MOST_NAME = 63
_EFFECTS = ("", "NoSchedule", "PreferNoSchedule", "NoExecute")
_MOST_WORKERS = 1000


def _is_image(_instance: object, _attribute: object, image: str) -> None:
    if image and not _IMAGE.fullmatch(image):
        raise ValueError(f"{image!r} is no name of an image, such as busybox:1.36 or host/tool@sha256:...")


def _is_name(_instance: object, attribute: Attribute[str], name: str) -> None:
    if name and not _DNS.fullmatch(name):
        raise ValueError(
            f"{attribute.name} {name!r} is no name in Kubernetes: 1 to 63 of a-z, 0-9 and -, not at either end"
        )


def _are_texts(_instance: object, attribute: Attribute[Any], value: Mapping[str, str]) -> None:
    for name, text in value.items():
        if not isinstance(text, str):
            raise TypeError(f'{attribute.name}: {name} is text, as in "{text}"')


def _are_labels(instance: object, attribute: Attribute[Any], value: Mapping[str, str]) -> None:
    _are_texts(instance, attribute, value)
    for name in value:
        if not _LABEL.fullmatch(name) or len(name.rpartition("/")[2]) > _MOST_NAME:
            raise ValueError(
                f"{attribute.name}: {name!r} is no name of a label: at most 63 letters, digits, -, _ and ., "
                "and before that at most one domain with a slash, as in example.org/team"
            )


def _positive(_instance: object, attribute: Attribute[timedelta], value: timedelta) -> None:
    if value <= timedelta(0):
        raise ValueError(f"{attribute.name} must be longer than nothing")


def _names(given: object) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(each, str) and each for each in given):
        raise TypeError('pull_secrets are a list of names such as ["registry-login"]')
    return tuple(given)


def _tolerations(given: object) -> tuple[str, ...]:
    """Read ``key``, ``key=value`` and either with ``:effect``."""
    if not isinstance(given, list | tuple):
        raise TypeError('tolerations are a list such as ["gpu=yes:NoSchedule"]')
    for each in given:
        if not isinstance(each, str) or not each.partition(":")[0] or each.partition(":")[2] not in _EFFECTS:
            raise ValueError(f"{each!r} is no toleration; write key, key=value or key=value:NoSchedule")
    return tuple(given)


def _is_repository(_instance: object, _attribute: object, name: str) -> None:
    if name and not _REPOSITORY.fullmatch(name):
        raise ValueError(f"{name!r} is no repository of a registry, such as registry.example/team/tool")


def _is_inside(_instance: object, attribute: Attribute[str], path: str) -> None:
    if not path or PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{attribute.name} {path!r} is no path below the folder of the {_BESIDE[attribute.name]}")


_BESIDE = {"context": "workflow file", "dockerfile": "context"}


@frozen(kw_only=True)
class ImageBuild:
    """What an image is built of."""

    context: str = field(default=".", validator=_is_inside)
    """A folder, from that of the workflow file; ignore files say what of it does not count."""
    dockerfile: str = field(default="Dockerfile", validator=_is_inside)
    """From the context."""


@frozen(kw_only=True)
class K8sConfig:
    """Options of a pool on a cluster: a pod for each attempt, or workers, pods that stay until the run has ended."""

    image: str = field(default="", validator=_is_image)
    """What the pods are made of; it needs sh with coreutils, findutils, util-linux, sed, grep and tar, or busybox."""
    build: ImageBuild | None = None
    """The image is built of this before the first pod, when the registry does not have it."""
    registry: str = field(default="", validator=_is_repository)
    """The repository that it is pushed to, such as ``registry.example/team/tool``."""
    remove_image: bool = False
    """It is the run's own, and is deleted when the run has ended."""
    helper_image: str = field(default="", validator=_is_image)
    """An image with a busybox that needs no libraries, for pods whose own image has no shell; empty for none."""
    workers: int | None = field(default=None, validator=optional([instance_of(int), gt(0)]))
    """So many pods that stay, each a machine; None for a pod for each attempt."""
    volume: str = field(default="", validator=_is_name)
    """A claim of a volume, ReadWriteMany, that is the store of all pods: what one has got or made all have."""
    kubeconfig: str = ""
    """A file; empty for ``$KUBECONFIG``, then ``~/.kube/config``, then the account of the pod that we are in."""
    context: str = ""
    """Of the kubeconfig; empty for its current one."""
    namespace: str = field(default="", validator=_is_name)
    """Empty for that of the context, else ``default``; ``per-run`` for one that is made for each run."""
    kind: str = field(default="pod", validator=in_(("pod", "job")))
    """What an attempt's pod is made by: us, or a Job, for clusters that admit nothing else."""
    pod_template: str = ""
    """A file with a pod in YAML, beside the workflow file: what is not ours in it is taken."""
    cpus: float | None = field(default=None, validator=optional(gt(0)))
    """Cores: of each worker (1), else of all pods together (as many as a quota allows)."""
    memory: int | None = field(default=None, converter=converters.optional(parse_size), validator=optional(gt(0)))
    """Bytes: of each worker, which gets no more (1 GiB); else as with cores."""
    gpus: int | None = field(default=None, validator=optional(ge(0)))
    """As with cores; a worker has none."""
    gpu_resource: str = "nvidia.com/gpu"
    """What the cluster calls one GPU."""
    disk: int | None = field(default=None, converter=converters.optional(parse_size), validator=optional(gt(0)))
    """Bytes of each worker's workdirs and store; None for as much as its node has."""
    slots: int | None = field(default=None, validator=optional(gt(0)))
    """At most so many attempts in a worker at once, whatever their needs; else so many pods at once (200)."""
    service_account: str = field(default="", validator=_is_name)
    """Whose rights the tasks have in the cluster; empty for none at all."""
    priority_class: str = field(default="", validator=_is_name)
    queue: str = field(default="", validator=_is_name)
    """A local queue of Kueue that lets the pods in."""
    pull_secrets: tuple[str, ...] = field(default=(), converter=_names)
    """Secrets of the namespace with logins to the image's registry."""
    node_selector: Mapping[str, str] = field(factory=dict[str, str], validator=_are_labels)
    tolerations: tuple[str, ...] = field(default=(), converter=_tolerations)
    labels: Mapping[str, str] = field(factory=dict[str, str], validator=_are_labels)
    """Tags of the machines, and labels of the pods."""
    owner: str = ""
    """Whose pods these are, for others who use the cluster; empty for who is logged in on this computer."""
    user: int = field(default=65532, validator=gt(0))
    """The number of the user that tasks run as; never root."""
    start_timeout: timedelta | None = field(default=None, validator=optional(_positive))
    """How long a pod may take until it runs: a worker 10 minutes; that of an attempt waits for as long as it takes."""
    lifetime: timedelta = field(default=timedelta(days=7), validator=_positive)
    """A pod ends after this time, whatever happens to us."""
    reconnect: timedelta = field(default=timedelta(minutes=10), validator=_positive)
    """How long a link may be down before the pod counts as lost."""

    def made_of(self, image: str) -> K8sConfig:
        """Give the same pool with an image that is there, whether or not it was built."""
        return evolve(self, image=image, build=None, registry="", remove_image=False)

    def __attrs_post_init__(self) -> None:
        """See that there is one image, and a place for what is built."""
        if bool(self.image) == (self.build is not None):
            raise ValueError('say image = "..." or build = { context = "." }: one of them, and not both')
        if (self.build is not None) != bool(self.registry):
            raise ValueError("build and registry go together: what is built is pushed there, and pulled by the pods")
        if self.remove_image and self.build is None:
            raise ValueError("remove_image deletes what was built for the run; it goes with build")

    @property
    def worker(self) -> Resources:
        """What each worker has."""
        return Resources(
            cpus=self.cpus or 1.0,
            memory_bytes=self.memory or 1 << 30,
            gpus=self.gpus or 0,
            disk_bytes=self.disk or 0,
        )

    @volume.validator
    def _for_pods_of_one_place(self, _attribute: Attribute[str], value: str) -> None:
        if value and self.namespace == PER_RUN:
            raise ValueError("volume names a claim in a namespace that is there before the run: name that, not per-run")

    @workers.validator
    def _not_too_many(self, _attribute: Attribute[int | None], value: int | None) -> None:
        if value is not None and value > _MOST_WORKERS:
            raise ValueError(f"{value} workers are more than the {_MOST_WORKERS} that one run can attend to")
