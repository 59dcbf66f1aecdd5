"""A network of its own with an Azure in it, where one of two machines does what its boot data says it does finally.

unshare --net --map-root-user python -m az.world FOLDER ACTIONS

ACTIONS is JSON: what the role of machines allows. How the machines are afterwards is printed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from longshore.testing.clouds import Azure, Trust

from .description import check
from .metadata import serve
from .rig import ACCOUNT, ROLE, SUBSCRIPTION, AzureRig, login

_WRITTEN = re.compile(r"printf %s (\S+) \| base64 -d")
_PROGRAM = "#!/usr/bin/env python3"


def _play(folder: Path, actions: str) -> None:
    answers: dict[str, str] = {}
    serve(answers)
    cloud = Azure(SUBSCRIPTION, ACCOUNT, check=check)
    cloud.roles[ROLE] = json.loads(actions)
    trust = Trust.made(folder)
    with cloud.serving(trust.context) as url:
        os.environ.update(login(url), REQUESTS_CA_BUNDLE=str(trust.authority), SSL_CERT_FILE=str(trust.authority))
        _end_one(cloud, url, folder, answers)


def _end_one(cloud: Azure, url: str, folder: Path, answers: dict[str, str]) -> None:
    rig = AzureRig(cloud, url, folder / "catalogues")
    provider = rig.provider(end_role=ROLE)
    (doomed,) = provider.launch(rig.spec(), token="t-1")
    (other,) = provider.launch(rig.spec(), token="t-2")
    token = json.dumps({"access_token": cloud.token_of(doomed.id)})
    answers[f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={quote(url, safe='')}"] = token
    where = cloud.rows()[doomed.id]["id"]
    answers["/metadata/instance/compute/resourceId?api-version=2021-02-01&format=text"] = where
    boot = base64.b64decode(cloud.births[doomed.id]["properties"]["osProfile"]["customData"]).decode()
    (text,) = (each for each in _written(boot) if each.startswith(_PROGRAM))
    program = folder / "finally"
    program.write_text(text)
    subprocess.run([sys.executable, str(program)], check=True)
    rows = cloud.rows()
    print(*(rows[each]["properties"]["power"] if each in rows else "gone" for each in (doomed.id, other.id)))


def _written(boot: str) -> list[str]:
    return [base64.b64decode(each).decode() for each in _WRITTEN.findall(boot)]


if __name__ == "__main__":
    _play(Path(sys.argv[1]), sys.argv[2])
