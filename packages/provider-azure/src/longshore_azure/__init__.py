"""Machines of Azure for Longshore."""

from longshore_azure.config import AzureConfig

__all__ = ["AzureConfig"]
