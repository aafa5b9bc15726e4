"""Models in S3, read from moto's S3 server over HTTP."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

import warmer
from tests.warmer import graphs
from warmer.aws import ObjectStore, StoredObject
from warmer.errors import (
    ConfigurationError,
    ModelCorrupt,
    ModelNotFound,
    ModelUnavailable,
)
from warmer.model import download as module
from warmer.model.download import download

BUCKET = "models"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The endpoint of an S3 server with nothing in it."""
    running = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(scope="module")
def session() -> boto3.session.Session:
    """Every client's session: each would read the SDK's description of S3 again, 0.2 s long."""
    return boto3.session.Session("test", "test", region_name="us-east-1")


@pytest.fixture
def bucket(
    session: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A client for an empty bucket; downloads go below the test's folder `tmp`."""
    monkeypatch.setattr("boto3.session.Session", lambda **_: session)
    (tmp_path / "tmp").mkdir()
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "TMPDIR": str(tmp_path / "tmp"),
    }.items():
        monkeypatch.setenv(name, value)
    client = session.client("s3")
    client.create_bucket(Bucket=BUCKET)
    yield client
    client.close()
    _post(f"{server}/moto-api/reset")


def _post(url: str, body: bytes = b"") -> None:
    headers = {"Content-Type": "text/plain"}
    request = urllib.request.Request(url, body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        answer.read()


def _put(client: Any, **objects: bytes) -> None:
    """Put objects below the prefix v1/digits; a double underscore in a name is a dot."""
    for name, content in objects.items():
        key = f"v1/digits/{name.replace('__', '.')}"
        client.put_object(Bucket=BUCKET, Key=key, Body=content)


class Reads:
    """Counts reads from S3, and may do something at one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ranges: list[tuple[str, int, int]] = []
        self.before_read: Any = None
        read = ObjectStore.read
        reads = self

        def counted(
            store: ObjectStore, stored: StoredObject, start: int, end: int, write: Any
        ) -> None:
            reads.ranges.append((stored.key, start, end))
            if reads.before_read:
                reads.before_read()
            read(store, stored, start, end, write)

        monkeypatch.setattr(ObjectStore, "read", counted)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """The reads that a test makes."""
    return Reads(monkeypatch)


def test_a_model_in_s3_is_loaded_and_primed(bucket: Any, tmp_path: Path) -> None:
    """From one prefix, named for its last part; the samples come along."""
    folder = Path("handlers/models/digits")
    for name in ("model.onnx", "samples.npz"):
        bucket.upload_file(str(folder / name), BUCKET, f"v1/digits/{name}")
    model = warmer.load("s3://models/v1/digits")
    assert (model.name, model.priming.primed) == ("digits", True)
    assert model.sources == {"image": "recorded"}
    assert model.path.startswith(str(tmp_path / "tmp"))


def test_a_single_object_can_be_the_model(bucket: Any, tmp_path: Path) -> None:
    """Its key is the prefix; other keys that begin like it are others."""
    path = graphs.identity(tmp_path / "small.onnx")
    bucket.upload_file(str(path), BUCKET, "v1/small.onnx")
    bucket.upload_file(str(path), BUCKET, "v1/small.onnx.old")
    model = warmer.load("s3://models/v1/small.onnx")
    assert model.name == "small"
    assert list(Path(model.path).parent.iterdir()) == [Path(model.path)]


def test_a_large_object_is_read_in_ranges(
    bucket: Any, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over several connections at a time, and put together as it was."""
    monkeypatch.setattr(module, "_RANGE_BYTES", 100_000)
    content = os.urandom(1_050_001)
    _put(bucket, weights=content, empty=b"")
    folder = Path(download("s3://models/v1/digits"))
    assert (folder / "weights").read_bytes() == content
    assert (folder / "empty").read_bytes() == b""
    assert len(reads.ranges) == 11


def test_folders_below_the_prefix_are_kept(bucket: Any) -> None:
    """Keys with slashes become files in folders; the mark of a console's folder is no file."""
    bucket.put_object(Bucket=BUCKET, Key="v1/digits/", Body=b"")
    bucket.put_object(Bucket=BUCKET, Key="v1/digits/parts/one", Body=b"1")
    assert (Path(download("s3://models/v1/digits/")) / "parts" / "one").read_bytes() == b"1"


def test_a_download_is_kept(bucket: Any, reads: Reads) -> None:
    """A process that starts again in the same environment finds it."""
    _put(bucket, model__onnx=b"one")
    first = download("s3://models/v1/digits")
    assert download("s3://models/v1/digits") == first
    assert len(reads.ranges) == 1


def test_another_model_under_the_prefix_replaces_it(bucket: Any) -> None:
    """What is kept is what the bucket has."""
    _put(bucket, model__onnx=b"one", extra=b"")
    download("s3://models/v1/digits")
    _put(bucket, model__onnx=b"two")
    bucket.delete_object(Bucket=BUCKET, Key="v1/digits/extra")
    folder = Path(download("s3://models/v1/digits"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"model.onnx": b"two"}


def test_a_file_that_was_tampered_with_is_not_used(bucket: Any) -> None:
    """Even if its size and its time of modification are as they were."""
    _put(bucket, model__onnx=b"one")
    path = Path(download("s3://models/v1/digits")) / "model.onnx"
    status = path.stat()
    path.write_bytes(b"bad")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (Path(download("s3://models/v1/digits")) / "model.onnx").read_bytes() == b"one"


def _killed_in_the_middle() -> None:
    def kill(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(ObjectStore, "read", kill)  # noqa: B010 - mypy would not have it assigned
    download("s3://models/v1/digits")


def test_a_half_written_download_is_not_used(bucket: Any, tmp_path: Path) -> None:
    """A process that was killed leaves files of the right size; the next one reads them again."""
    _put(bucket, model__onnx=b"one")
    process = multiprocessing.get_context("spawn").Process(target=_killed_in_the_middle)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    assert [path.stat().st_size for path in (tmp_path / "tmp").rglob("model.onnx")] == [3]
    assert (Path(download("s3://models/v1/digits")) / "model.onnx").read_bytes() == b"one"
    assert len(list((tmp_path / "tmp").rglob("model.onnx"))) == 1


def test_two_at_a_time_read_once(bucket: Any, reads: Reads) -> None:
    """The second waits for the first, and uses what it has brought."""
    _put(bucket, model__onnx=b"one")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(download("s3://models/v1/digits")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), len(reads.ranges)) == (2, 1, 1)


def test_a_change_during_the_download_is_noticed(bucket: Any, reads: Reads, tmp_path: Path) -> None:
    """Parts of two models are not put together, and nothing of them stays."""
    _put(bucket, model__onnx=b"one")
    reads.before_read = lambda: _put(bucket, model__onnx=b"two")
    with pytest.raises(ModelUnavailable, match="changed or deleted while it was read"):
        download("s3://models/v1/digits")
    assert not list((tmp_path / "tmp").rglob("model.onnx"))


def _manifest(**digests: bytes) -> bytes:
    """A bundle's manifest for files with these contents."""
    names = {name.replace("__", "."): content for name, content in digests.items()}
    return json.dumps(
        {
            "format": 1,
            "architecture": "x86_64",
            "onnxruntime": "1.23.0",
            "files": [
                {
                    "name": name,
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "checksum": "",
                }
                for name, content in names.items()
            ],
            "variants": [
                {
                    "name": "original",
                    "graph": next(iter(names)),
                    "weights": None,
                    "optimised": "none",
                    "packed": False,
                    "cpu_features": None,
                    "safe_because": "it is the original",
                    "figures": {},
                }
            ],
            "tolerance": 0.0,
            "golden": None,
            "golden_inputs": [],
            "golden_outputs": [],
            "samples": None,
            "inputs": None,
            "build": {},
        }
    ).encode()


def test_files_are_compared_with_the_manifests_digests(bucket: Any) -> None:
    """A bundle that was uploaded as it was made is taken."""
    _put(bucket, model__onnx=b"one", manifest__json=_manifest(model__onnx=b"one"))
    assert download("s3://models/v1/digits")


@pytest.mark.parametrize("uploaded", [b"bad", None])
def test_a_file_with_another_digest_is_refused(
    bucket: Any, tmp_path: Path, uploaded: bytes | None
) -> None:
    """The error names it, and nothing of the bundle stays."""
    _put(bucket, manifest__json=_manifest(model__onnx=b"one"))
    if uploaded is not None:
        _put(bucket, model__onnx=uploaded)
    with pytest.raises(ModelCorrupt, match=r"s3://models/v1/digits/model\.onnx .*upload the bundl"):
        download("s3://models/v1/digits")
    assert not list((tmp_path / "tmp").rglob("manifest.json"))


def test_too_little_space_is_said_before_anything_is_read(
    bucket: Any, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what there is, what is needed, and the setting that gives more.

    AWS page: "Configure ephemeral storage for Lambda functions".
    """
    _put(bucket, model__onnx=b"x" * 4_000_000)
    disk = os.statvfs_result((4096, 4096, 1000, 1000, 1000, 9, 9, 9, 0, 255))
    monkeypatch.setattr("os.statvfs", lambda _: disk)
    with pytest.raises(ModelUnavailable, match=r"has 3\.8 MB, .* has 3\.9 MB free: .*Ephemeral"):
        download("s3://models/v1/digits")
    assert reads.ranges == []


def test_a_disk_that_fills_up_is_said(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else may write there at the same time; nothing half-written stays."""
    _put(bucket, model__onnx=b"one")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(ModelUnavailable, match="No space left on device"):
        download("s3://models/v1/digits")
    assert not list((tmp_path / "tmp").rglob("model.onnx"))


def test_a_bucket_that_is_not_there_is_named(bucket: Any) -> None:
    """With the whole address."""
    with pytest.raises(ModelNotFound, match="s3://nowhere/digits: there is no such bucket"):
        download("s3://nowhere/digits")


def test_a_bucket_that_is_not_ours_is_named(bucket: Any, server: str) -> None:
    """With the permissions that are needed; S3 checks them here, and these keys are nobody's."""
    _put(bucket, model__onnx=b"one")
    _post(f"{server}/moto-api/reset-auth", b"0")
    try:
        with pytest.raises(ModelUnavailable) as raised:
            download("s3://models/v1/digits")
    finally:
        _post(f"{server}/moto-api/reset-auth", b"Infinity")
    for text in ("s3://models/v1/digits", "s3:ListBucket on arn:aws:s3:::models", "s3:GetObject"):
        assert text in str(raised.value)


def test_a_prefix_with_nothing_below_it_is_named(bucket: Any) -> None:
    """Keys that only begin like it do not count."""
    bucket.put_object(Bucket=BUCKET, Key="v1/digits-old/model.onnx", Body=b"one")
    with pytest.raises(ModelNotFound, match="no model at 's3://models/v1/digits'"):
        download("s3://models/v1/digits")


def test_a_key_that_would_leave_the_folder_is_refused(bucket: Any, tmp_path: Path) -> None:
    """Whoever can write to the bucket cannot write anywhere else."""
    bucket.put_object(Bucket=BUCKET, Key="v1/digits/a/../../../../x", Body=b"one")
    with pytest.raises(ModelUnavailable, match="which is no file name"):
        download("s3://models/v1/digits")


def test_a_folder_that_others_can_write_to_is_refused(bucket: Any, tmp_path: Path) -> None:
    """On a machine with other users, /tmp is everybody's."""
    _put(bucket, model__onnx=b"one")
    (tmp_path / "tmp" / f"warmer-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / "tmp" / f"warmer-{os.getuid()}").chmod(0o777)
    with pytest.raises(ModelUnavailable, match="can be written to by others"):
        download("s3://models/v1/digits")


def test_s3_that_cannot_be_reached_is_said(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few tries."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ModelUnavailable, match=r"s3://models/v1/digits cannot be read: .*connect"):
        download("s3://models/v1/digits")


@pytest.mark.parametrize("url", ["s3://", "s3://models", "s3://models/", "s3:///digits", "s3:x"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """The error shows the form."""
    with pytest.raises(ConfigurationError, match="expected s3://bucket/prefix"):
        warmer.load(url)


def test_a_path_object_is_refused() -> None:
    """It has lost one of the slashes."""
    with pytest.raises(ConfigurationError, match="as text"):
        warmer.load(Path("s3://models/digits"))
