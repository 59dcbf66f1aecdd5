"""What AWS's default network has and moto's has not."""

from __future__ import annotations

from typing import Any

__all__ = ["open_network"]


def open_network(admin: Any) -> None:
    """Give the default network its way out."""
    network = admin.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    gateway = admin.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    admin.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network)
    routes = admin.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [network]}])["RouteTables"]
    admin.create_route(RouteTableId=routes[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
