"""Machines of AWS for Longshore."""

from longshore_aws.config import AwsConfig, Disk

__all__ = ["AwsConfig", "Disk"]
