"""Objects of an S3 bucket where a case or evidence lies in one, spoken to as the files and folders of a disk are.

Credentials, region and endpoint come from the usual environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_SESSION_TOKEN, AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, a role of the machine). An object is put whole or not at
all, and what was put is seen by every later look: S3 promises both, so nothing is written under another name first.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from pirtimeline.errors import PirTimelineError

SCHEME = "s3://"

_LOGIN = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"


@dataclass(frozen=True, slots=True, order=True)
class ObjectPath:
    """A place in a bucket: an object, or all whose keys begin with its own and a slash.

    It has of `pathlib.Path` what a case's files are written and read with; each call asks the server anew.

    Example:
        >>> part = ObjectPath("s3://bucket/case") / "events/a.parquet"
        >>> str(part), part.name, str(part.parent), part.relative_to(ObjectPath("s3://bucket/case")).as_posix()
        ('s3://bucket/case/events/a.parquet', 'a.parquet', 's3://bucket/case/events', 'events/a.parquet')
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """Give the last part of the key, or the bucket."""
        return self.url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """Give what follows the name's last dot, with it."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> ObjectPath:
        """Give the key without its last part."""
        return ObjectPath(self.url.rpartition("/")[0])

    @property
    def key(self) -> str:
        """Give bucket and key as the server is asked for them."""
        return self.url.removeprefix(SCHEME)

    def relative_to(self, other: ObjectPath) -> PurePosixPath:
        """Give what of the key follows another."""
        return PurePosixPath(self.key).relative_to(other.key)

    def absolute(self) -> ObjectPath:
        """Give itself: it is the same on every machine."""
        return self

    def told(self) -> Told | None:
        """Give what the server says of an object; None where there is none."""
        bucket, _, key = self.key.partition("/")
        if not key:
            return None
        try:
            with asking(self) as system:
                found = system.call_s3("head_object", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return None
        return Told(int(found["ContentLength"]), found["LastModified"])

    def is_file(self) -> bool:
        """Tell whether it is an object."""
        return self.told() is not None

    def is_dir(self) -> bool:
        """Tell whether there is an object below it."""
        bucket, _, key = self.key.partition("/")
        try:
            with asking(self) as system:
                found = system.call_s3("list_objects_v2", Bucket=bucket, Prefix=f"{key}/" if key else "", MaxKeys=1)
        except FileNotFoundError:
            return False
        return bool(found.get("KeyCount"))

    def exists(self) -> bool:
        """Tell whether it is an object or there is one below it."""
        return self.is_file() or self.is_dir()

    def read_bytes(self) -> bytes:
        """Read an object.

        Raises:
            FileNotFoundError: there is none.
        """
        with asking(self) as system:
            return bytes(system.cat_file(self.key, max_concurrency=1))

    def read_text(self, encoding: str) -> str:
        """Read an object as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes | memoryview) -> None:
        """Put an object, whole or not at all.

        Raises:
            PirTimelineError: there is no such bucket, or the server refuses.
        """
        try:
            with asking(self) as system:
                system.pipe_file(self.key, bytes(data))
        except FileNotFoundError as error:
            raise no_bucket(self) from error

    def unlink(self, missing_ok: bool = True) -> None:  # as pathlib's; S3 cannot tell
        """Delete an object."""
        bucket, _, key = self.key.partition("/")
        with asking(self) as system:
            system.call_s3("delete_object", Bucket=bucket, Key=key)

    def below(self) -> dict[str, Told]:
        """List all objects below it: name -> what the server says of each."""
        try:
            with asking(self) as system:
                found: Mapping[str, Mapping[str, Any]] = system.find(self.key, detail=True)
        except FileNotFoundError:
            return {}
        start = len(self.key) + 1
        return {
            key[start:]: Told(int(one["size"]), one["LastModified"])
            for key, one in sorted(found.items())
            if key.startswith(f"{self.key}/") and not key.endswith("/")
        }

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """Give the objects whose names below it match, part by part."""
        wanted = pattern.split("/")
        for name in self.below():
            parts = name.split("/")
            if len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted)):
                yield self / name

    def iterdir(self) -> Iterator[ObjectPath]:
        """Give the first parts of the names below it."""
        for name in dict.fromkeys(name.partition("/")[0] for name in self.below()):
            yield self / name


@dataclass(frozen=True, slots=True)
class Told:
    """What a server says of an object: its bytes, and when it was put."""

    size: int
    put: datetime

    @property
    def mtime_ns(self) -> int:
        """Give when it was put as a file system would, to the second: listings know no more of some servers."""
        return int(self.put.timestamp()) * 1_000_000_000


Location = Path | ObjectPath
"""Where a file or a folder is: on a disk that this machine sees, or in a bucket."""


def located(where: str | Location) -> Location:
    """Take what a person typed for a path, or for a place in a bucket where it begins with `s3://`.

    Raises:
        PirTimelineError: no bucket is named.

    Example:
        >>> located("s3://bucket/case/"), located("a/case") == Path("a/case")
        (ObjectPath(url='s3://bucket/case'), True)
    """
    if isinstance(where, ObjectPath | Path):
        return where
    if not where.startswith(SCHEME):
        return Path(where)
    kept = where.removeprefix(SCHEME).rstrip("/")
    if not kept.partition("/")[0]:
        raise PirTimelineError("no bucket is named", at=where, hint="write s3://BUCKET/KEY")
    return ObjectPath(SCHEME + kept)


def require_bucket(place: ObjectPath) -> None:
    """Demand that a bucket is there.

    Raises:
        PirTimelineError: it is not, or the server does not say.
    """
    bucket = place.key.partition("/")[0]
    try:
        with asking(place) as system:
            system.call_s3("list_objects_v2", Bucket=bucket, MaxKeys=1)
    except FileNotFoundError as error:
        raise no_bucket(place) from error


def no_bucket(place: ObjectPath) -> PirTimelineError:
    """Say that there is no such bucket."""
    bucket = place.key.partition("/")[0]
    return PirTimelineError(f"there is no bucket {bucket!r}", at=place.url, hint="make it first, or check its name")


def read_all(paths: Iterable[ObjectPath]) -> dict[str, bytes]:
    """Read many objects side by side: URL -> bytes, in the order given."""
    wanted = list(paths)
    if not wanted:
        return {}
    with asking(wanted[0]) as system:
        found = system.cat([path.key for path in wanted], max_concurrency=1)
    return {path.url: found[path.key] for path in wanted}


@contextmanager
def asking(place: ObjectPath) -> Iterator[Any]:
    """Give the file system that a question goes to, and say in words what comes of it.

    Raises:
        FileNotFoundError: there is no such object, or no such bucket.
        OSError: it is EBUSY where the object was put anew since it was opened.
        PirTimelineError: the package is missing, credentials are missing or refused, the server does not answer.
    """
    system = _system(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None)
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield system
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise PirTimelineError(f"S3 refuses: {error}", at=place.url, hint=f"check the credentials: {_LOGIN}") from error
    except (BotoCoreError, ClientError, OSError) as error:
        if getattr(error, "errno", None) == errno.EBUSY:
            raise
        raise _unanswered(error, place) from error


def _unanswered(error: Exception, place: ObjectPath) -> PirTimelineError:
    from botocore.exceptions import NoCredentialsError, ProfileNotFound, TokenRetrievalError

    if isinstance(error, NoCredentialsError):
        return PirTimelineError("no credentials for S3 were found", at=place.url, hint=_LOGIN)
    said = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ProfileNotFound | TokenRetrievalError):
        return PirTimelineError(f"no credentials for S3: {said}", at=place.url, hint=_LOGIN)
    hint = "check AWS_ENDPOINT_URL and the network, then run again: what is committed is kept"
    return PirTimelineError(f"S3 does not answer as it should: {said}", at=place.url, hint=hint)


@cache
def _system(endpoint: str | None) -> Any:
    """Connect once a process: listings are never kept, since other machines write too."""
    try:
        from s3fs import S3FileSystem
    except ImportError as error:
        hint = "pip install 'pirtimeline[s3]'"
        raise PirTimelineError("evidence or a case in a bucket needs the package s3fs", at=SCHEME, hint=hint) from error
    return S3FileSystem(endpoint_url=endpoint, use_listings_cache=False, skip_instance_cache=True)


def polars_options(place: ObjectPath) -> dict[str, str]:
    """Give what Polars' own reader of object stores must be told to see the same bucket by the same credentials.

    Raises:
        PirTimelineError: no credentials were found.
    """
    from botocore.session import Session

    session = Session()
    with asking(place) as system:
        found = session.get_credentials()
    if found is None:
        raise PirTimelineError("no credentials for S3 were found", at=place.url, hint=_LOGIN)
    frozen, region = found.get_frozen_credentials(), session.get_config_variable("region")
    endpoint = system.endpoint_url
    options = {
        "aws_access_key_id": frozen.access_key,
        "aws_secret_access_key": frozen.secret_key,
        "aws_session_token": frozen.token,
        "aws_region": region or ("us-east-1" if endpoint else None),
        "aws_endpoint_url": endpoint,
        "aws_allow_http": "true" if str(endpoint).startswith("http://") else None,
    }
    return {key: str(value) for key, value in options.items() if value}
