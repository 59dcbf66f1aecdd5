"""Uploads to S3 in parts: taken up where they broke off, and compared with what was sent.

Nothing is noted about them here. What a bucket lists as begun under an object's key is taken up, if it is of use.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from attrs import frozen

from longshore.errors import DigestMismatch

__all__ = ["IN_PARTS_BYTES", "Begun", "Part", "Uploads", "parts_of"]

IN_PARTS_BYTES = 32 << 20
"""Objects of this size, and larger ones, go in parts."""
_PART_BYTES = 16 << 20
_MOST_PARTS = 10_000
_AT_ONCE = 4
_MD5 = re.compile(r"[0-9a-f]{32}")
_WHOLE = re.compile(r'"[0-9a-f]{32}-[0-9]+"')

Call = Callable[..., Mapping[str, Any]]


@frozen
class Part:
    """A piece of an object."""

    number: int
    """From 1 on."""
    start: int
    size: int


@frozen
class Begun:
    """An upload that has begun."""

    token: str
    there: Mapping[int, str]
    """Tags of the parts that are there, by number."""


def parts_of(size: int) -> list[Part]:
    """Cut an object; equal sizes are always cut in the same way."""
    each = max(_PART_BYTES, -(-size // _MOST_PARTS))
    return [Part(number, start, min(each, size - start)) for number, start in enumerate(range(0, size, each), start=1)]


class Uploads:
    """The uploads of one object."""

    def __init__(self, call: Call, bucket: str, key: str) -> None:
        """``call`` asks S3: an operation's name, and its arguments."""
        self._call = call
        self._place = {"Bucket": bucket, "Key": key}

    def take_up(self, size: int, agrees: Callable[[Part, str], bool]) -> Begun:
        """Give the latest upload that has begun, or begin one.

        ``agrees`` says of a part that is there, and of its tag, whether it is as it should be; of another size it
        never is.
        """
        wanted = {each.number: each for each in parts_of(size)}
        for token in self.begun():
            there = {
                number: tag
                for number, length, tag in self._parts(token)
                if number in wanted and wanted[number].size == length and agrees(wanted[number], tag)
            }
            return Begun(token, there)
        return Begun(str(self._call("create_multipart_upload", **self._place)["UploadId"]), {})

    def begun(self) -> list[str]:
        """List the uploads that have begun and not ended, the latest first."""
        found = [each for each in listed(self._call, self._place["Bucket"], self._place["Key"]) if each[0] == self._key]
        return [token for _, token, _ in sorted(found, key=lambda each: each[2], reverse=True)]

    @property
    def _key(self) -> str:
        return self._place["Key"]

    def send(self, path: Path) -> None:
        """Send a file, but for the parts of it that are there.

        Raises:
            DigestMismatch: when something else has arrived than was sent.
        """
        size = path.stat().st_size
        upload = self.take_up(size, lambda part, tag: tag == _md5(path, part).hex())
        left = [part for part in parts_of(size) if part.number not in upload.there]
        with ThreadPoolExecutor(_AT_ONCE) as crew:
            sent = dict(crew.map(lambda part: self._send(path, upload.token, part), left))
        self.complete(upload.token, size, {**upload.there, **sent})

    def _send(self, path: Path, token: str, part: Part) -> tuple[int, str]:
        content = _content(path, part)
        md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        told = self._call(
            "upload_part", **self._place, UploadId=token, PartNumber=part.number, Body=content, ContentMD5=md5
        )
        return part.number, str(told["ETag"]).strip('"')

    def complete(self, token: str, size: int, tags: Mapping[int, str]) -> None:
        """Make the object of its parts, and see that it is what they were.

        Raises:
            DigestMismatch: when it is something else.
        """
        parts = [{"PartNumber": number, "ETag": f'"{tag}"'} for number, tag in sorted(tags.items())]
        self._call("complete_multipart_upload", **self._place, UploadId=token, MultipartUpload={"Parts": parts})
        found = self._call("head_object", **self._place)
        # The tag of what is encrypted by a key of one's own is no MD5.
        known = None if found.get("SSEKMSKeyId") else _WHOLE.fullmatch(str(found["ETag"]))
        if int(found["ContentLength"]) != size or (known is not None and known[0] != _whole(tags)):
            raise DigestMismatch(f"s3://{self._place['Bucket']}/{self._key}: it is not what was sent, part by part")

    def _parts(self, token: str) -> Iterator[tuple[int, int, str]]:
        after: dict[str, Any] = {}
        while True:
            told = self._call("list_parts", **self._place, UploadId=token, **after)
            for each in told.get("Parts", ()):
                yield int(each["PartNumber"]), int(each["Size"]), str(each["ETag"]).strip('"')
            if not told.get("IsTruncated"):
                return
            after = {"PartNumberMarker": told["NextPartNumberMarker"]}


def listed(call: Call, bucket: str, prefix: str) -> Iterator[tuple[str, str, Any]]:
    """List the uploads below a prefix that have begun and not ended: key, token, and when each has begun."""
    after: dict[str, Any] = {}
    while True:
        told = call("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after)
        for each in told.get("Uploads", ()):
            yield str(each["Key"]), str(each["UploadId"]), each["Initiated"]
        if not told.get("IsTruncated"):
            return
        after = {"KeyMarker": told["NextKeyMarker"], "UploadIdMarker": told["NextUploadIdMarker"]}


def _whole(tags: Mapping[int, str]) -> str:
    """Give what S3 says of an object whose parts have these tags."""
    parts = b"".join(bytes.fromhex(tag) for _, tag in sorted(tags.items()) if _MD5.fullmatch(tag))
    return f'"{hashlib.md5(parts, usedforsecurity=False).hexdigest()}-{len(tags)}"'


def _content(path: Path, part: Part) -> bytes:
    with path.open("rb") as file:
        file.seek(part.start)
        return file.read(part.size)


def _md5(path: Path, part: Part) -> bytes:
    return hashlib.md5(_content(path, part), usedforsecurity=False).digest()
