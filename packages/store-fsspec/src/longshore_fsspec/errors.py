"""What the libraries of the clouds raise, in our words."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from longshore.errors import DiskFull, InputMissing, LongshoreError, StagingError

__all__ = ["translated"]

_MOST = 300
_NO_BUCKET = re.compile("(bucket|container) does not exist|NoSuchBucket|ContainerNotFound")


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Say what went wrong with a URL.

    Raises:
        InputMissing: when there is no such object or bucket.
        DiskFull: when there is no room here.
        StagingError: when it is forbidden, nobody answers, or nobody is logged in.
    """
    try:
        yield
    except LongshoreError:
        raise
    except FileNotFoundError as error:
        bucket = _NO_BUCKET.search(f"{error} {error.__cause__}") is not None
        what = f"there is no bucket {'/'.join(url.split('/', 3)[:3])}" if bucket else "there is no such object"
        raise InputMissing(f"{url}: {what}") from error
    except PermissionError as error:
        remedy = "see that the account may read and list there, and that the right one is in use"
        raise StagingError(f"{url}: access is denied ({_said(error)}); {remedy}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{url}: no room is left here: {error.strerror}") from error
        raise StagingError(f"{url}: {_said(error)}") from error
    except Exception as error:
        # Each cloud has errors of its own for want of credentials, of a network, of a region.
        if "redential" in type(error).__name__ or "redential" in str(error):
            raise StagingError(
                f"{url}: nobody is logged in ({_said(error)}); log in as for the cloud's own tools"
            ) from error
        raise StagingError(f"{url}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= _MOST else f"{words[:_MOST]}..."
