"""What can be said about Google Cloud in ``[providers.gcp]``. Nothing need be, where a project is logged in to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal, get_args

from attrs import Attribute, field, frozen
from attrs.validators import ge

from longshore.plugin.caller import networks
from longshore.plugin.keys import MADE, Key

__all__ = ["IMAGES", "Address", "GcpConfig", "image_path"]

Address = Literal["public", "private"]

IMAGES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ubuntu-24.04": {
            "x86_64": "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64",
            "arm64": "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-arm64",
        },
        "ubuntu-22.04": {
            "x86_64": "projects/ubuntu-os-cloud/global/images/family/ubuntu-2204-lts",
            "arm64": "projects/ubuntu-os-cloud/global/images/family/ubuntu-2204-lts-arm64",
        },
        "debian-12": {
            "x86_64": "projects/debian-cloud/global/images/family/debian-12",
            "arm64": "projects/debian-cloud/global/images/family/debian-12-arm64",
        },
    }
)
"""What Google calls the images that have the same names on every cloud, by the kind of processor."""
_NAME = r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?"
_IMAGE = re.compile(rf"projects/[a-z][a-z0-9.:-]+/global/images/(?:family/)?{_NAME}|{_NAME}")
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_NETWORK = re.compile(rf"{_NAME}|")
_SERVICE_ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+|")


def _project(_: object, __: Attribute[str], value: str) -> None:
    if not _PROJECT.fullmatch(value):
        raise ValueError(f"{value!r} is no project; write its id, as in `gcloud projects list`")


def _image(_: object, __: Attribute[str], value: str) -> None:
    if value not in IMAGES and not _IMAGE.fullmatch(value):
        raise ValueError(
            f"{value!r} is no image; use {', '.join(IMAGES)}, the name of one of yours, "
            "or projects/PROJECT/global/images/NAME"
        )


def _regions(_: object, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("name a region at least, as in us-central1")
    for each in value:
        if not _REGION.fullmatch(each):
            raise ValueError(f"{each!r} is no region; write one as us-central1")


def _network(_: object, __: Attribute[str], value: str) -> None:
    if not _NETWORK.fullmatch(value):
        raise ValueError(f"{value!r} is no name of a network or subnetwork")


def _service_account(_: object, __: Attribute[str], value: str) -> None:
    if not _SERVICE_ACCOUNT.fullmatch(value):
        raise ValueError(f"{value!r} is no address of a service account, as in name@project.iam.gserviceaccount.com")


def _address(_: object, __: Attribute[str], value: str) -> None:
    if value not in get_args(Address):
        raise ValueError(f"{value!r} is no address; write {', '.join(get_args(Address))}")


@frozen(kw_only=True)
class GcpConfig:
    """Options of the provider ``gcp``."""

    project: str = field(default="", validator=_project)
    """The project that pays, by its id; empty for the one that is logged in to."""
    credentials_file: str = ""
    """A file with the login, as of a service account; empty for the usual places (``gcloud auth application-default
    login``, ``GOOGLE_APPLICATION_CREDENTIALS``, or the machine's own).
    """
    regions: tuple[str, ...] = field(default=("us-central1",), validator=_regions)
    """Where to rent."""
    image: str = field(default="ubuntu-24.04", validator=_image)
    """A name (``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-12``), that of one of yours, or a path with a project."""
    disk_gib: int = field(default=30, validator=ge(10))
    """Size of each machine's disk."""
    disk_type: str = field(default="", validator=_network)
    """As in ``pd-ssd``; empty for ``pd-balanced``, or ``hyperdisk-balanced`` on machines that take nothing else."""
    user: str = "longshore"
    """Who logs in; made when the image lacks it."""
    key: Key = MADE
    """The key: one of ``create``, ``name`` (who it is of in the project's metadata) and ``public_key``."""
    network: str = field(default="default", validator=_network)
    """A VPC network of the project."""
    subnetwork: str = field(default="", validator=_network)
    """One of its subnetworks, in each region; empty where the network makes them itself."""
    address: Address = field(default="public", validator=_address)
    """How machines are reached: by a ``public`` address, or by the ``private`` one, from inside the network or through
    a jump host; then they have no public one.
    """
    service_account: str = field(default="", validator=_service_account)
    """Whose rights the programs on machines have, such as a controller there (``longshore run --on``): the address of a
    service account; empty for none.
    """
    admit: tuple[str, ...] = field(default=(), validator=networks)
    """Networks from which SSH is let in, as ``203.0.113.7/32``; empty for the caller's own address, wherever it is."""
    user_data: str = ""
    """A script that is executed as root after ours at first boot."""
    tags: Mapping[str, str] = field(factory=dict[str, str])
    """More tags for all machines: cost centre, team. They are labels, too, where Google takes them as such."""
    deadline: timedelta = field(default=timedelta(seconds=120), validator=ge(timedelta(seconds=1)))
    """How long one request may take, with the operation that it begins."""
    listing_lag: timedelta = field(default=timedelta(seconds=30), validator=ge(timedelta(0)))
    """How long lists may lag behind what was done; Google promises no time."""
    endpoint_url: str = "https://compute.googleapis.com"
    """Another place that speaks Compute Engine's protocol."""
    billing_url: str = "https://cloudbilling.googleapis.com"
    """Another place that has the billing catalogue."""


def image_path(image: str, arch: str, project: str) -> str:
    """Give the path of an image by its name, for a kind of processor."""
    known = IMAGES.get(image)
    if known is not None:
        return known[arch]
    return image if "/" in image else f"projects/{project}/global/images/{image}"
