"""From where we call, as the world sees it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from attrs import Attribute

from longshore.errors import CloudUnreachable, InvalidRequest

__all__ = ["ADDRESS_URL", "Caller", "networks", "single_address"]

ADDRESS_URL = "https://checkip.amazonaws.com"
"""Answers with the address of whoever asks, as plain text; anybody may ask."""
_SECONDS = 10
_LONGEST = 100


class Caller:
    """Who may reach a provider's machines by SSH: whom the config admits, else whoever calls."""

    def __init__(self, provider: str, admit: Sequence[str], *, url: str) -> None:
        """Name the provider and the networks of its option ``admit``; ``url`` answers with an address as plain text."""
        self._provider = provider
        self._admit = admit
        self._url = url

    def networks(self) -> list[str]:
        """Give the networks that firewalls let in.

        Raises:
            CloudUnreachable: when nobody says from where we call.
        """
        return list(self._admit) or [single_address(self._own_address())]

    def address(self) -> str | None:
        """Say from where we call; None when the config says who is let in.

        Raises:
            CloudUnreachable: when nobody says it.
        """
        return None if self._admit else self._own_address()

    def _own_address(self) -> str:
        import urllib.request  # noqa: PLC0415  offers are listed without it, and quickly

        try:
            with urllib.request.urlopen(self._url, timeout=_SECONDS) as answer:  # noqa: S310  a constant https address
                text = answer.read(_LONGEST).decode("ascii", "replace").strip()
            return str(ipaddress.IPv4Address(text))
        except (OSError, ValueError) as error:
            remedy = f"say it: [providers.{self._provider}] admit = [...]"
            raise CloudUnreachable(f"asking for this computer's own address: {error}; or {remedy}") from error


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
