"""Requests that are signed for others, as each cloud does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from longshore.errors import PeerOutOfReach
from longshore.plugin.areas import Lends, Request, Upload
from longshore_fsspec.parts import IN_PARTS_BYTES, Uploads, parts_of

__all__ = ["LENDERS"]


class S3Lender:
    """Presigned URLs; large objects have one for each part."""

    def __init__(self, files: Any) -> None:
        self._files = files

    def to_read(self, url: str, time: timedelta) -> Request:
        """Sign."""
        return Request(url=self._sign(url, "get_object", time))

    def to_write(self, url: str, size: int, time: timedelta) -> Upload:
        """Sign for all that is not there."""
        if size < IN_PARTS_BYTES:
            request = Request(url=self._sign(url, "put_object", time), size=size)
            return Upload(url=url, size=size, requests=(request,))
        if self._has(url, size):
            return Upload(url=url, size=size, requests=())
        # What is under this URL is one content; each part was compared with its MD5 when it arrived.
        begun = self._uploads(url).take_up(size, lambda _part, _tag: True)
        requests = [
            Request(
                url=self._sign(url, "upload_part", time, UploadId=begun.token, PartNumber=part.number),
                start=part.start,
                size=part.size,
            )
            for part in parts_of(size)
            if part.number not in begun.there
        ]
        return Upload(url=url, size=size, requests=tuple(requests), token=begun.token, parts=_texts(begun.there))

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        """Put the parts together."""
        if not upload.token:
            return
        numbers = [part.number for part in parts_of(upload.size) if str(part.number) not in upload.parts]
        there = {int(number): tag for number, tag in upload.parts.items()}
        self._uploads(upload.url).complete(
            upload.token, upload.size, {**there, **dict(zip(numbers, tags, strict=True))}
        )

    def _sign(self, url: str, method: str, time: timedelta, **words: Any) -> str:
        return str(self._files.sign(url, int(time.total_seconds()), client_method=method, **words))

    def _has(self, url: str, size: int) -> bool:
        try:
            return int(self._files.info(url)["size"]) == size
        except FileNotFoundError:
            return False

    def _uploads(self, url: str) -> Uploads:
        bucket, key, _ = self._files.split_path(url)
        return Uploads(self._files.call_s3, bucket, key)


class _WholeLender:
    """Objects go in one piece."""

    def __init__(self, files: Any) -> None:
        self._files = files

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        """Nothing is left to be done."""


class GsLender(_WholeLender):
    """Signed URLs, for which Google wants the key of a service account."""

    def to_read(self, url: str, time: timedelta) -> Request:
        """Sign."""
        return Request(url=self._sign(url, "GET", time))

    def to_write(self, url: str, size: int, time: timedelta) -> Upload:
        """Sign for all of it."""
        return Upload(url=url, size=size, requests=(Request(url=self._sign(url, "PUT", time), size=size),))

    def _sign(self, url: str, method: str, time: timedelta) -> str:
        try:
            return str(self._files.sign(url, int(time.total_seconds()), method=method, version="v4"))
        except (AttributeError, ImportError) as error:
            raise PeerOutOfReach("only who has the key of a service account can sign for others at Google") from error


class AzLender(_WholeLender):
    """Shared access signatures, for which Azure wants the key of the account."""

    def to_read(self, url: str, time: timedelta) -> Request:
        """Sign."""
        return Request(url=self._sign(url, time, {"read": True}))

    def to_write(self, url: str, size: int, time: timedelta) -> Upload:
        """Sign for all of it."""
        signed = self._sign(url, time, {"create": True, "write": True})
        request = Request(url=signed, headers={"x-ms-blob-type": "BlockBlob"}, size=size)
        return Upload(url=url, size=size, requests=(request,))

    def _sign(self, url: str, time: timedelta, rights: Mapping[str, bool]) -> str:
        from azure.storage.blob import BlobSasPermissions, generate_blob_sas  # noqa: PLC0415  only for Azure

        container, blob, _ = self._files.split_path(url)
        text = self._files.connection_string or ""
        said = dict(word.split("=", 1) for word in text.split(";") if "=" in word)
        key = said.get("AccountKey", self._files.account_key)
        if not key:
            raise PeerOutOfReach("only who has the key of the account can sign for others at Azure")
        signature = generate_blob_sas(
            account_name=said.get("AccountName", self._files.account_name),
            container_name=container,
            blob_name=blob,
            account_key=key,
            permission=BlobSasPermissions(**rights),
            expiry=datetime.now(UTC) + time,
        )
        return f"{str(self._files.url(url)).partition('?')[0]}?{signature}"


LENDERS: Mapping[str, Callable[[Any], Lends]] = MappingProxyType({"s3": S3Lender, "gs": GsLender, "az": AzLender})
"""By the kind of bucket."""


def _texts(tags: Mapping[int, str]) -> Mapping[str, str]:
    return {str(number): tag for number, tag in tags.items()}
