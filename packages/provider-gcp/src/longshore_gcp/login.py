"""Who is logged in to Google: by a file that the config names, or by what Google's library finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from longshore.errors import CredentialsError

__all__ = ["logged_in"]

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def logged_in(file: str) -> tuple[Any, str]:
    """Give the login, and the project that it is for; an empty word where it does not tell.

    Raises:
        CredentialsError: when the file has no login.
        GoogleAuthError: when the library finds none.
    """
    if file:
        return _of_file(Path(file).expanduser())
    import google.auth  # noqa: PLC0415  what is remembered needs none of it

    auth: Any = google.auth  # half of it has types
    login, project = auth.default(scopes=_SCOPES)
    return login, project or ""


def _of_file(path: Path) -> tuple[Any, str]:
    import google.oauth2.credentials  # noqa: PLC0415  as above
    import google.oauth2.service_account  # noqa: PLC0415  as above

    kinds: dict[str, Any] = {
        "service_account": google.oauth2.service_account.Credentials.from_service_account_info,
        "authorized_user": google.oauth2.credentials.Credentials.from_authorized_user_info,
    }
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        login = kinds[content["type"]](content, scopes=_SCOPES)
    except (OSError, ValueError, KeyError, TypeError) as error:
        # What it holds is secret, and so may be the library's words about it.
        raise CredentialsError(
            f"credentials_file = {str(path)!r} holds no login of a service account, or of `gcloud auth "
            f"application-default login` ({type(error).__name__}); others are found by GOOGLE_APPLICATION_CREDENTIALS"
        ) from error
    return login, str(content.get("project_id") or content.get("quota_project_id") or "")
