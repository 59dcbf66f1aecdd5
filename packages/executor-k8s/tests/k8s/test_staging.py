"""Pods of attempts whose data go by a bucket or by a volume: what travels how often, and what is left of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from longshore.errors import ConfigError, ExecutorError
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.plugin.protocols import ExecutorContext
from longshore.remote.digest import digest_file
from longshore.runtime.areas import BucketArea
from longshore.runtime.stores import Stores
from longshore_k8s.executor import K8sExecutor, machines_of

from .project import Project, until
from .standin import StandIn
from .test_contract import bench_of, config
from .test_volumes import CLAIM, claim

_TASKS = """
[environments.tools]
image = "{image}"

[tasks.make]
command = "cat given > made; mkdir -p d/e; cat given > d/e/x; echo y > d/y"
inputs = ["given"]
outputs = ["made", "d/"]
environment = "tools"

[tasks.use]
command = "cat given workflow:///make/made workflow:///make/d/e/x workflow:///make/d/y > used"
inputs = ["given"]
outputs = ["used"]
environment = "tools"
"""
_LOGIN = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        return


class Bucket:
    """One of a server that speaks S3; who has asked for what is noted."""

    url = "s3://data/stage"

    def __init__(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self.damaged = False
        """Whether pods are given other bytes than were brought."""
        self.asked: list[tuple[str, str, bool]] = []
        """Of requests that brought or took an object: the method, the object's digest, and whether a pod has asked."""
        self.server = ThreadedWSGIServer("127.0.0.1", 0, self._serve, handler=_Quiet)
        self.server.daemon_threads = True
        self.login = {**_LOGIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}"}

    def _serve(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        name = environ["PATH_INFO"].rpartition("/")[2]
        if environ["REQUEST_METHOD"] in {"GET", "PUT"} and len(name) == 64:
            ours = "boto" in environ.get("HTTP_USER_AGENT", "").lower()
            self.asked.append((environ["REQUEST_METHOD"], name, not ours))
            if self.damaged and environ["REQUEST_METHOD"] == "GET" and not ours:
                return [bytes(len(each)) for each in self._app(environ, start)]
        answer: Iterable[bytes] = self._app(environ, start)
        return answer

    @property
    def client(self) -> Any:
        """Log in as its owner."""
        return boto3.client(
            "s3",
            endpoint_url=self.login["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    thread = threading.Thread(target=bucket.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    bucket.client.create_bucket(Bucket="data")
    yield bucket
    bucket.client.delete_bucket(Bucket="data")
    bucket.server.shutdown()
    bucket.server.server_close()
    thread.join()


@pytest.mark.parametrize(("image", "damaged"), [("python:3", False), ("curl:8", True), ("busybox", False)])
def test_pods_fetch_from_the_bucket_and_bring_to_it_by_themselves_where_they_can(
    standin: StandIn, bucket: Bucket, tmp_path: Path, image: str, damaged: bool
) -> None:
    bucket.damaged = damaged
    project = Project(tmp_path, standin, f'store = "{bucket.url}"', _TASKS.replace("{image}", image))
    project.settings = bucket.login
    (project.folder / "given").write_text("some\n")
    digest, _ = digest_file(str(project.folder / "given"))

    project.say("run")

    assert (project.folder / "results/latest/use/used").read_text() == "some\n" * 3 + "y\n"
    by_pods = {(method, name) for method, name, pod in bucket.asked if pod}
    by_us = [(method, name) for method, name, pod in bucket.asked if not pod]
    assert by_us.count(("PUT", digest)) == 1, "what several tasks read travels there once"
    assert bucket.client.list_objects_v2(Bucket="data")["KeyCount"] == 0
    if image == "busybox":  # it has nothing that speaks HTTP: all goes by the stream
        assert by_pods == set()
        return
    assert ("GET", digest) in by_pods
    written = {name for method, name in by_pods if method == "PUT"}
    assert len(written) == 3, "y, the listing of d, and used; made is what was given, and there"
    assert {name for method, name in by_us if method == "PUT"} == {digest}


@pytest.mark.parametrize(("image", "by_hand"), [("python:3", False), ("busybox", True)])
def test_what_one_pod_was_sent_is_on_the_volume_for_all_and_goes_with_the_run(
    standin: StandIn, tmp_path: Path, image: str, by_hand: bool
) -> None:
    claim(standin, "ReadWriteMany")
    bench = bench_of(standin, tmp_path / "bench", workers=None, volume=CLAIM, image=image)
    given = tmp_path / "given"
    given.write_text("some")
    sha256, size = digest_file(str(given))
    item = Item(path="given", sha256=sha256, size=size, source=str(given))

    first = bench.execute("a", Shell("cat given > made; echo more >> given"), inputs=(item,), outputs=("made",))
    given.write_text("else")  # which would be refused, were it sent again
    second = bench.execute("b", Shell("cat given > made"), inputs=(item,), outputs=("made",))

    assert [each.sha256 for end in (first, second) for each in end.outputs] == [sha256] * 2
    assert len(list((standin.kubelet.claims / CLAIM).rglob(sha256))) == 1
    assert len(list(bench.store.rglob(sha256))) == 1, "it did not come home before the end was told"
    for task in "ab":
        bench.session.release(f"r/{task}/1")
    if not by_hand:
        bench.session.clear()  # type: ignore[attr-defined]  # an ability of these sessions
    bench.session.close()
    if by_hand:
        K8sExecutor(config(standin, workers=None, volume=CLAIM, image=image), bench.context()).remove("r")
    assert list((standin.kubelet.claims / CLAIM).iterdir()) == []
    until(lambda: not standin.all("pods"))


def test_a_volume_that_pods_of_attempts_cannot_share_is_refused_before_there_is_one(standin: StandIn) -> None:
    claim(standin, "ReadWriteOnce")

    with pytest.raises(ExecutorError, match="so pods on several nodes cannot write to it"):
        machines_of(config(standin, workers=None, volume=CLAIM), "p")


def test_data_of_pods_go_by_a_volume_or_by_a_bucket(standin: StandIn, tmp_path: Path) -> None:
    area = BucketArea("s3://data/stage", "r", tmp_path, Stores(), lambda *_: None)
    context = ExecutorContext(run="r", run_folder=tmp_path, project_folder=tmp_path, store_folder=tmp_path, area=area)

    K8sExecutor(config(standin, workers=2, volume=CLAIM), context)
    with pytest.raises(ConfigError, match="by the volume, or by the store"):
        K8sExecutor(config(standin, workers=None, volume=CLAIM), context)
