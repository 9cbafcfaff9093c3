"""A bucket that tests may fill: moto's server in this process, with credentials that mean nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from pirtimeline.objects import ObjectPath


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectPath]:
    """Serve an empty bucket."""
    pytest.importorskip("s3fs", reason="needs the extra s3")
    server = pytest.importorskip("moto.server", reason="needs moto, of the extra dev")
    serving = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    serving.start()
    host, port = serving.get_host_and_port()
    said = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()  # it keeps what others put
    made(ObjectPath("s3://bucket"))
    yield ObjectPath("s3://bucket")
    serving.stop()


def made(bucket: ObjectPath) -> ObjectPath:
    """Make a bucket."""
    from botocore.session import Session

    Session().create_client("s3", region_name="us-east-1").create_bucket(Bucket=bucket.name)
    return bucket


def uploaded(folder: Path, to: ObjectPath) -> str:
    """Put a folder's files below a key; they were last changed then, on the disk too."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            (to / path.relative_to(folder).as_posix()).write_bytes(path.read_bytes())
    for name, told in to.below().items():
        os.utime(folder / name, ns=(told.mtime_ns, told.mtime_ns))
    return str(to)


def hashes_of(case: ObjectPath) -> dict[str, str]:
    """Hash every object of a case but `case.toml`."""
    names = [name for name in case.below() if name != "case.toml"]
    return {name: hashlib.sha256((case / name).read_bytes()).hexdigest() for name in names}
