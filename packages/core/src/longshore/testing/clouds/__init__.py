"""Stand-ins for clouds that speak HTTP to the clouds' own, unmodified SDKs: they keep state, lag, page, and go wrong
when told to. TLS is the caller's, so that no product code needs a switch for tests.
"""

from longshore.testing.clouds.azure import Azure
from longshore.testing.clouds.digitalocean import DigitalOcean
from longshore.testing.clouds.google import GoogleCloud
from longshore.testing.clouds.hosted import HostedAccount, hosted
from longshore.testing.clouds.http_cloud import Answer, Check, HttpCloud, Place, Request
from longshore.testing.clouds.rig import StandInRig
from longshore.testing.clouds.trust import Trust, azure_login, google_login, trusted

__all__ = [
    "Answer",
    "Azure",
    "Check",
    "DigitalOcean",
    "GoogleCloud",
    "HostedAccount",
    "HttpCloud",
    "Place",
    "Request",
    "StandInRig",
    "Trust",
    "azure_login",
    "google_login",
    "hosted",
    "trusted",
]
