"""From where we call, as the world sees it."""

from __future__ import annotations

import ipaddress

from attrs import Attribute

from longshore.errors import CloudUnreachable, InvalidRequest

__all__ = ["ADDRESS_URL", "networks", "own_address", "single_address"]

ADDRESS_URL = "https://checkip.amazonaws.com"
"""Answers with the address of whoever asks, as plain text; anybody may ask."""
_SECONDS = 10
_LONGEST = 100


def own_address(url: str, *, remedy: str) -> str:
    """Ask for this computer's own address; ``remedy`` says how the user can give it.

    Raises:
        CloudUnreachable: when nobody says it.
    """
    import urllib.request  # noqa: PLC0415  offers are listed without it, and quickly

    doing = "asking for this computer's own address"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310  a constant https address
            text = answer.read(_LONGEST).decode("ascii", "replace").strip()
        return str(ipaddress.IPv4Address(text))
    except (OSError, ValueError) as error:
        raise CloudUnreachable(f"{doing}: {error}; or say it: {remedy}") from error


def networks(_: object, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    """Check, as a validator of attrs, that an option names networks.

    Raises:
        ValueError: when one is none.
    """
    for each in value:
        try:
            ipaddress.ip_network(each)
        except ValueError as error:
            raise ValueError(f"{each!r} is no network; write one as 203.0.113.7/32") from error


def single_address(text: str) -> str:
    """Give an address as a network of one, as firewalls want it.

    Raises:
        InvalidRequest: when it is no single address.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is no address to let in") from error
    return f"{address}/{address.max_prefixlen}"
