"""Buckets behind real HTTP: Amazon's S3 as moto speaks it, Google's as gcp-storage-emulator does."""

from __future__ import annotations

import contextlib
import http.client
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from task_catalog import checks
from task_catalog.ports import blobs
from tests.catalog.outside.broker import free_port
from tests.catalog.outside.media_world import move, names_in, put
from youtility_tasks import BadInput, Transient

pytestmark = [
    pytest.mark.usefixtures("transactional_db"),
    # Both clients and both servers leave sockets to the garbage collector, and use what newer Pythons deprecate.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    name = f"bucket-{os.urandom(4).hex()}"
    client.create_bucket(Bucket=name)
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": name,
            "endpoint_url": s3_server,
            "region_name": "us-east-1",
            "file_overwrite": False,
        },
    }


@pytest.fixture(scope="module")
def google_server() -> Iterator[str]:
    from gcp_storage_emulator.server import create_server

    port = free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def google(google_server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server)
    name = f"bucket-{os.urandom(4).hex()}"
    Client(project="test", credentials=AnonymousCredentials()).create_bucket(name)
    return {
        "BACKEND": "storages.backends.gcloud.GoogleCloudStorage",
        "OPTIONS": {
            "bucket_name": name,
            "project_id": "test",
            "credentials": AnonymousCredentials(),
            "file_overwrite": False,
        },
    }


@pytest.fixture(params=["s3", "google"])
def bucket(request, settings, configure) -> dict[str, Any]:
    """One bucket after the other, by the alias `bucket`."""
    facts: dict[str, Any] = request.getfixturevalue(request.param)
    settings.STORAGES = {**settings.STORAGES, "bucket": facts}
    configure(media_bucket="bucket")
    return facts


def stored(name: str) -> bytes | None:
    from django.core.files.storage import storages

    if not storages["bucket"].exists(name):
        return None
    with storages["bucket"].open(name) as blob:
        return blob.read()


def test_files_are_moved_verified_and_deleted(bucket, media):
    content = os.urandom(3 * 1024 * 1024)
    put(media, "transactions/a/large.bin", content)
    put(media, "transaction/b/Ünï code.png", b"one")
    put(media, "transactions/a/empty.png", b"")
    put(media, "transactions/a/young.png", b"young", days=1)

    result = move()

    assert (result["moved"], result["empty_dirs_removed"]) == (3, 1)
    assert stored("transactions/a/large.bin") == content
    assert stored("transaction/b/Ünï code.png") == b"one"
    assert stored("transactions/a/empty.png") == b""
    assert list(names_in(media)) == ["transactions/a/young.png"]
    assert move()["moved"] == 0


def test_the_same_content_is_deleted_and_another_is_kept_beside(bucket, media):
    put(media, "transactions/same.png", b"same")
    put(media, "transactions/other.png", b"other")
    move()
    put(media, "transactions/same.png", b"same", days=70)
    put(media, "transactions/other.png", b"another", days=70)

    with pytest.raises(BadInput, match=r"1 failed.*both are kept"):
        move()

    assert list(names_in(media)) == ["transactions/other.png"]
    assert stored("transactions/other.png") == b"other"


def test_two_that_bring_one_name_at_once_never_lose_a_content(bucket, media):
    store = blobs.store()
    kept: list[str] = []

    def bring(content: bytes) -> None:
        file = put(media, f"tmp/{content.decode()}", content)
        try:
            with file.open("rb") as opened:
                store.put("transactions/one.png", opened)
            kept.append(content.decode())
        except BadInput:
            pass

    bring(b"first")
    threads = [threading.Thread(target=bring, args=(f"other{n}".encode(),)) for n in range(3)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]

    assert kept == ["first"]
    assert stored("transactions/one.png") == b"first"


@pytest.mark.parametrize("backend", ["s3", "google"])
def test_a_bucket_that_overwrites_is_told_by_the_check(request, settings, configure, backend):
    facts = request.getfixturevalue(backend)
    facts["OPTIONS"].pop("file_overwrite")  # True is what django-storages takes then
    settings.STORAGES = {**settings.STORAGES, "bucket": facts}
    configure(media_bucket="bucket")

    (found,) = checks.check_task_catalog()

    assert "file_overwrite" in found.msg


def test_a_bucket_that_cannot_be_reached_is_retried_and_nothing_is_deleted(s3, settings, configure, media):
    s3["OPTIONS"]["endpoint_url"] = "http://127.0.0.1:1"
    s3["OPTIONS"]["client_config"] = None
    from botocore.config import Config

    s3["OPTIONS"]["client_config"] = Config(retries={"max_attempts": 0}, connect_timeout=1)
    settings.STORAGES = {**settings.STORAGES, "bucket": s3}
    configure(media_bucket="bucket")
    put(media, "transactions/1.png")

    with pytest.raises(Transient, match="bucket could not be used"):
        move()

    assert list(names_in(media)) == ["transactions/1.png"]


def test_a_bucket_that_does_not_exist_is_retried_and_nothing_is_deleted(s3, settings, configure, media):
    s3["OPTIONS"]["bucket_name"] = "nobody-made-it"
    settings.STORAGES = {**settings.STORAGES, "bucket": s3}
    configure(media_bucket="bucket")
    put(media, "transactions/1.png")

    with pytest.raises(Transient):
        move()

    assert list(names_in(media)) == ["transactions/1.png"]


class Wire:
    """A wire to the bucket that can be cut, or answered on its behalf, in the middle of an upload."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.fault = ""
        self.injected = 0
        wire = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def pass_on(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if wire.fault and self.command == "PUT":
                    wire.injected += 1
                    if wire.fault == "cut":
                        self.rfile.read(length // 2)
                    else:
                        self.rfile.read(length)
                        self.send_response(503)
                        self.send_header("Content-Length", "0")
                        self.end_headers()
                    self.close_connection = True
                    return
                host = wire._target.removeprefix("http://")
                onward = http.client.HTTPConnection(host, timeout=20)
                with contextlib.closing(onward):
                    onward.request(self.command, self.path, self.rfile.read(length), dict(self.headers))
                    answer = onward.getresponse()
                    body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                told = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
                self.send_header("Content-Length", told or "0")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def wire(s3_server: str) -> Iterator[Wire]:
    made = Wire(s3_server)
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize("fault", ["cut", "503"])
def test_an_upload_that_breaks_off_leaves_no_blob_and_the_next_attempt_brings_it_whole(
    s3, wire, settings, configure, media, fault
):
    from botocore.config import Config

    s3["OPTIONS"]["endpoint_url"] = wire.url
    s3["OPTIONS"]["client_config"] = Config(retries={"max_attempts": 1}, read_timeout=5)
    settings.STORAGES = {**settings.STORAGES, "bucket": s3}
    configure(media_bucket="bucket")
    content = os.urandom(300_000)
    put(media, "transactions/a.bin", content)
    wire.fault = fault

    with pytest.raises(Transient, match="bucket could not be used"):
        move()
    assert wire.injected >= 1
    assert names_in(media) == {"transactions/a.bin": content}
    assert stored("transactions/a.bin") is None

    wire.fault = ""
    assert move()["moved"] == 1
    assert stored("transactions/a.bin") == content
    assert names_in(media) == {}
