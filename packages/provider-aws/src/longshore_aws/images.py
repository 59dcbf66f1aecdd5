"""Images of our own: made of a machine's disk, tagged, and deleted with what they are kept on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from botocore.exceptions import ClientError

from longshore.model.machine import Machine
from longshore.model.machine_spec import SideResource, Tag
from longshore_aws.clients import Clients
from longshore_aws.errors import code_of, translated
from longshore_aws.tags import as_filter, as_list, as_mapping

__all__ = ["ImageKeeper"]

_KIND = "image"
_GONE = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSnapshot.NotFound"})


class ImageKeeper:
    """Lists, makes and deletes images. An id is ``REGION/image/AMI``."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def find(self, region: str, owner: str) -> Iterator[SideResource]:
        """List the images that carry the owner's tag."""
        filters = [{"Name": f"tag:{Tag.OWNER}", "Values": [as_filter(owner)]}]
        rows = self._clients.listed(
            "listing images", region, "describe_images", "Images", Owners=["self"], Filters=filters
        )
        for row in rows:
            tags = as_mapping(row.get("Tags"))
            if tags.get(Tag.OWNER) == owner:
                yield SideResource(id=f"{region}/{_KIND}/{row['ImageId']}", kind=_KIND, region=region, tags=tags)

    def make(self, machine: Machine, name: str, tags: Mapping[str, str]) -> SideResource:
        """Make an image; when there is one of this name already, give that one."""
        region = machine.region
        kinds = ("image", "snapshot")
        with translated(f"making the image {name}"):
            client = self._clients.of("ec2", region, create=True)
            known = client.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [as_filter(name)]}])
            if known["Images"]:
                row = known["Images"][0]
                image, tags = row["ImageId"], as_mapping(row.get("Tags"))
            else:
                image = client.create_image(
                    InstanceId=machine.id,
                    Name=name,
                    NoReboot=True,
                    TagSpecifications=[{"ResourceType": kind, "Tags": as_list(tags)} for kind in kinds],
                )["ImageId"]
        return SideResource(id=f"{region}/{_KIND}/{image}", kind=_KIND, region=region, tags=tags)

    def delete(self, ids: Collection[str]) -> None:
        """Delete images and their snapshots; silent for those that are gone."""
        for each in ids:
            region, _, image = each.rpartition(f"/{_KIND}/")
            with translated(f"deleting the image {image}"):
                client = self._clients.of("ec2", region)
                rows = client.describe_images(Filters=[{"Name": "image-id", "Values": [image]}])["Images"]
                for row in rows:
                    disks = [mapping.get("Ebs", {}).get("SnapshotId") for mapping in row.get("BlockDeviceMappings", ())]
                    try:
                        client.deregister_image(ImageId=image)
                        for disk in filter(None, disks):
                            client.delete_snapshot(SnapshotId=disk)
                    except ClientError as error:
                        if code_of(error) not in _GONE:
                            raise
