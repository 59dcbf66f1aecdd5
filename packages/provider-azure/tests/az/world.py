"""A network of its own with an Azure in it, where machines do what their boot data says they do finally.

unshare --net --map-root-user python -m az.world FOLDER ROLES

ROLES is JSON: what the role of machines allows, for one machine after the other. How each is afterwards is printed,
with how one beside it is.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from longshore.testing.clouds import Azure, Trust, azure_login
from longshore.testing.fake_metadata import Said, serve

from .description import check
from .rig import ACCOUNT, ROLE, SUBSCRIPTION, AzureRig

_WRITTEN = re.compile(r"printf %s (\S+) \| base64 -d")
_PROGRAM = "#!/usr/bin/env python3"


def _play(folder: Path, roles: Sequence[Sequence[str]]) -> None:
    said: list[Said] = []
    serve(said)
    cloud = Azure(SUBSCRIPTION, ACCOUNT, check=check)
    trust = Trust.made(folder)
    with cloud.serving(trust.context) as url:
        os.environ.update(azure_login(url, subscription=SUBSCRIPTION))
        os.environ.update(REQUESTS_CA_BUNDLE=str(trust.authority), SSL_CERT_FILE=str(trust.authority))
        rig = AzureRig(cloud, url, folder / "catalogues")
        (beside,) = rig.provider().launch(rig.spec(), token="beside")
        for number, actions in enumerate(roles):
            cloud.roles[ROLE] = actions
            (doomed,) = rig.provider(end_role=ROLE).launch(rig.spec(), token=f"t-{number}")
            said[:] = _said_to(cloud, doomed.id, url)
            _end(cloud, doomed.id, folder / "finally")
            rows = cloud.rows()
            print(*(rows[each]["properties"]["power"] if each in rows else "gone" for each in (doomed.id, beside.id)))


def _said_to(cloud: Azure, machine: str, url: str) -> list[Said]:
    token = json.dumps({"access_token": cloud.token_of(machine)})
    answers = {
        f"identity/oauth2/token?api-version=2018-02-01&resource={quote(url, safe='')}": token,
        "instance/compute/resourceId?api-version=2021-02-01&format=text": cloud.rows()[machine]["id"],
    }
    return [Said(path=f"/metadata/{path}", text=text, headers={"Metadata": "true"}) for path, text in answers.items()]


def _end(cloud: Azure, machine: str, program: Path) -> None:
    boot = base64.b64decode(cloud.births[machine]["properties"]["osProfile"]["customData"]).decode()
    (text,) = (each for each in _written(boot) if each.startswith(_PROGRAM))
    program.write_text(text)
    subprocess.run([sys.executable, str(program)], check=True)


def _written(boot: str) -> list[str]:
    return [base64.b64decode(each).decode() for each in _WRITTEN.findall(boot)]


if __name__ == "__main__":
    _play(Path(sys.argv[1]), json.loads(sys.argv[2]))
