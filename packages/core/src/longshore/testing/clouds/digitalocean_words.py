"""What the stand-in for DigitalOcean has to rent, and how its answers are worded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.testing.clouds.http_cloud import Answer, Request
from longshore.testing.faults import Fault

__all__ = ["REFUSALS", "REGIONS", "SIZES", "addresses", "no", "not_found", "page_of", "region", "size"]

REGIONS = ("nyc3", "ams3", "fra1")
SIZES = (
    ("s-1vcpu-1gb", 1, 1024, 25, 0.00893, None),
    ("s-2vcpu-4gb", 2, 4096, 80, 0.03571, None),
    ("c-4", 4, 8192, 50, 0.125, None),
    ("gpu-h100x1-80gb", 20, 245760, 720, 3.39, {"count": 1, "model": "nvidia_h100"}),
)
REFUSALS: Mapping[Fault, tuple[int, str, str]] = {
    Fault.CAPACITY: (422, "unprocessable_entity", "Size is not available in this region."),
    Fault.QUOTA: (422, "unprocessable_entity", "creating this/these droplet(s) will exceed your droplet limit"),
    Fault.CREDENTIALS: (401, "Unauthorized", "Unable to authenticate you"),
    Fault.DENIED: (403, "forbidden", "You are not authorized to perform this operation"),
    Fault.THROTTLED: (429, "too_many_requests", "API Rate limit exceeded."),
    Fault.INVALID: (422, "unprocessable_entity", "You specified an invalid value."),
    Fault.UNKNOWN: (400, "something_new", "Nobody has heard of this"),
}


def addresses(row: Mapping[str, Any]) -> list[str]:
    """List the addresses of a droplet."""
    return [each["ip_address"] for each in row["networks"]["v4"]]


def size(row: tuple[Any, ...]) -> dict[str, Any]:
    """Describe a size."""
    slug, cpus, memory, disk, rate, gpu = row
    described = {
        "slug": slug,
        "memory": memory,
        "vcpus": cpus,
        "disk": disk,
        "transfer": 1,
        "price_monthly": round(rate * 672, 2),
        "price_hourly": rate,
        "regions": sorted(REGIONS),
        "available": True,
        "description": "Basic",
    }
    return {**described, "gpu_info": gpu} if gpu else described


def region(slug: str) -> dict[str, Any]:
    """Describe a region."""
    sizes = [each[0] for each in SIZES]
    return {"slug": slug, "name": slug, "features": [], "available": True, "sizes": sizes}


def page_of(request: Request, key: str, rows: list[Any]) -> Answer:
    """Answer with the page of a list that is asked for."""
    many, page = int(request.query.get("per_page", 20)), int(request.query.get("page", 1))
    shown = rows[(page - 1) * many : page * many]
    links = {"pages": {"next": f"https://x/?page={page + 1}"}} if page * many < len(rows) else {}
    return Answer(status=200, body={key: shown, "links": links, "meta": {"total": len(rows)}})


def no(status: int, word: str, message: str) -> Answer:
    """Say no."""
    return Answer(status=status, body={"id": word, "message": message})


def not_found() -> Answer:
    """Say that there is no such thing."""
    return no(404, "not_found", "The resource you were accessing could not be found.")
