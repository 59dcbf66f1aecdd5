"""Services that moto does not have, or not in its server: the price list, quotas, requests for spot machines."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["NOT_MOTO", "PLACEMENTS", "QUOTAS", "console", "spot_requests", "statuses"]

Answer = tuple[str, list[tuple[str, str]], bytes]

_PRICES = {
    "t3.micro": "0.0114000000",
    "t3.large": "0.0912000000",
    "c5.large": "0.0960000000",
    "c5.xlarge": "0.1920000000",
    "c5.4xlarge": "0.7680000000",
    "m5.large": "0.1070000000",
    "m5.4xlarge": "0.8560000000",
    "c6g.large": "0.0728000000",
    "p3.2xlarge": "3.3050000000",
}
QUOTAS = {"L-1216C47A": 64.0, "L-34B43A08": 32.0, "L-417A185B": 0.0}


def _json(value: Any) -> Answer:
    return "200 OK", [("Content-Type", "application/x-amz-json-1.1")], json.dumps(value).encode()


def _products(request: Mapping[str, Any]) -> Answer:
    """Two pages, so that whoever reads only the first is found out."""
    rows = [_product(name, rate) for name, rate in sorted(_PRICES.items())]
    if request.get("NextToken"):
        return _json({"PriceList": rows[5:]})
    return _json({"PriceList": rows[:5], "NextToken": "2"})


def _product(name: str, rate: str) -> str:
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": rate}, "description": f"${rate} per On Demand Linux {name}"}
    terms = {"OnDemand": {"X.Y": {"priceDimensions": {"X.Y.Z": dimension}}}}
    return json.dumps({"product": {"attributes": {"instanceType": name}}, "terms": terms})


def _quotas(_: Mapping[str, Any]) -> Answer:
    rows = [
        {"ServiceCode": "ec2", "QuotaCode": code, "QuotaName": code, "Value": value} for code, value in QUOTAS.items()
    ]
    return _json({"Quotas": rows})


def spot_requests(form: Mapping[str, str], marked: Mapping[str, datetime]) -> Answer:
    """List the requests of spot machines that were marked to be taken, and when they were."""
    asked = {value for key, value in form.items() if key.startswith("Filter.1.Value.")}
    items = "".join(
        f"<item><instanceId>{machine}</instanceId><state>active</state><status><code>marked-for-termination</code>"
        f"<updateTime>{at:%Y-%m-%dT%H:%M:%S.%fZ}</updateTime></status></item>"
        for machine, at in marked.items()
        if machine in asked
    )
    text = (
        '<DescribeSpotInstanceRequestsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>r</requestId><spotInstanceRequestSet>{items}</spotInstanceRequestSet>"
        "</DescribeSpotInstanceRequestsResponse>"
    )
    return "200 OK", [("Content-Type", "text/xml")], text.encode()


def statuses(form: Mapping[str, str], impaired: Collection[str]) -> Answer:
    """List the machines whose own check fails; all others pass all checks."""
    wanted = form.get("Filter.1.Name") == "instance-status.status"
    items = "".join(
        f"<item><instanceId>{machine}</instanceId><instanceStatus><status>impaired</status></instanceStatus></item>"
        for machine in sorted(impaired)
        if wanted
    )
    text = (
        '<DescribeInstanceStatusResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        f"<instanceStatusSet>{items}</instanceStatusSet></DescribeInstanceStatusResponse>"
    )
    return "200 OK", [("Content-Type", "text/xml")], text.encode()


def console(machine: str, *, up: bool) -> Answer:
    """Show what a machine has written to its console: once it is up, its host keys, as cloud-init writes them."""
    blob = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00 " + sha256(machine.encode()).digest()
    key = f"ssh-ed25519 {base64.b64encode(blob).decode()} root@{machine}"
    lines = ["[   12.0] cloud-init", "-----BEGIN SSH HOST KEY KEYS-----", key, "-----END SSH HOST KEY KEYS-----", ""]
    output = base64.b64encode("\r\n".join(lines).encode()).decode() if up else ""
    text = (
        '<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        f"<instanceId>{machine}</instanceId><output>{output}</output></GetConsoleOutputResponse>"
    )
    return "200 OK", [("Content-Type", "text/xml")], text.encode()


PLACEMENTS: dict[str, list[tuple[str, str]]] = {}
"""Placement groups with their tags, which moto's server does not answer for."""


def _placement(form: Mapping[str, str]) -> Answer:
    """Make, list and delete them."""
    action, name = form["Action"], form.get("GroupName", "")
    prefix = "TagSpecification.1.Tag."
    if action == "CreatePlacementGroup":
        tags = [
            (value, form[f"{key[:-3]}Value"]) for key, value in form.items() if re.fullmatch(rf"{prefix}\d+\.Key", key)
        ]
        PLACEMENTS[name] = tags
    elif action == "DeletePlacementGroup":
        PLACEMENTS.pop(name, None)
    rows = PLACEMENTS.items() if action == "DescribePlacementGroups" else ()
    items = "".join(
        f"<item><groupName>{group}</groupName><state>available</state><tagSet>"
        + "".join(f"<item><key>{key}</key><value>{escape(value)}</value></item>" for key, value in tags)
        + "</tagSet></item>"
        for group, tags in rows
    )
    text = (
        f'<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        f"<return>true</return><placementGroupSet>{items}</placementGroupSet></{action}Response>"
    )
    return "200 OK", [("Content-Type", "text/xml")], text.encode()


NOT_MOTO: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
    "AWSPriceListService.GetProducts": _products,
    "ServiceQuotasV20190624.ListServiceQuotas": _quotas,
    "CreatePlacementGroup": _placement,
    "DescribePlacementGroups": _placement,
    "DeletePlacementGroup": _placement,
}
