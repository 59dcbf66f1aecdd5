"""What cannot be in ``[providers.aws]`` is said before anything is asked of the cloud."""

from __future__ import annotations

from typing import Any

import pytest

from longshore_aws.config import AwsConfig, Disk


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subnet": "my-subnet"}, "is no subnet"),
        ({"admit": ("everybody",)}, "is no network"),
        ({"admit": ("10.0.0.1/8",)}, "is no network"),
        ({"spot_limit": "cheap"}, "is no price"),
        ({"tags": {"aws:owner": "me"}}, "cannot be"),
        ({"tags": {"longshore-owner": "me"}}, "cannot be"),
        ({"tags": {str(number): "" for number in range(41)}}, "41 tags are more than the 40"),
        ({"tags": {"team": "x" * 300}}, "at most 256"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AwsConfig(**options)


def test_a_disk_has_a_size_and_a_kind_that_aws_knows() -> None:
    for options in ({"gib": 1}, {"kind": "floppy"}, {"kind": "gp2", "iops": 3000}):
        with pytest.raises(ValueError, match=r"kind|gib|iops"):
            Disk(**options)


@pytest.mark.parametrize(
    ("options", "user"),
    [
        ({}, "ubuntu"),
        ({"image": "debian-12"}, "admin"),
        ({"image": "al2023"}, "ec2-user"),
        ({"image": "ami-12345678"}, "ec2-user"),
        ({"image": "ami-12345678", "user": "me"}, "me"),
    ],
)
def test_who_logs_in_follows_from_the_image_unless_it_is_said(options: dict[str, str], user: str) -> None:
    assert AwsConfig(**options).login() == user  # type: ignore[arg-type]
