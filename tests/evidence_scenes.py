"""Small invented evidence, as hosts would have logged it: what the tests of ingest, case and command line read."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2024, 3, 4, 1, 0, tzinfo=UTC)
STOOD = datetime(2024, 3, 4, 4, 0, tzinfo=UTC).timestamp()
"""When the files were last written: one instant for all, so that a copy differs in nothing."""

TRACE = """java.lang.OutOfMemoryError: Java heap space
\tat org.example.shop.Basket.fill(Basket.java:71)
\tat java.base/java.lang.Thread.run(Thread.java:833)
Caused by: java.lang.IllegalStateException: no room left
\t... 12 more
"""


def instant(seconds: int, hours: int = 0) -> datetime:
    """Give the local time so many seconds after the start, on a clock that is `hours` ahead of UTC."""
    return START + timedelta(seconds=seconds, hours=hours)


def console(hours: int = -5, count: int = 60) -> str:
    """Give Tomcat's console, without a zone: calm, then out of memory from minute 40 on."""
    lines = [
        f"{instant(0, hours):%d-%b-%Y %H:%M:%S}.004 INFO [main] org.apache.catalina.startup.Catalina.start begun\n"
    ]
    for i in range(1, count):
        head = f"{instant(i * 60, hours):%d-%b-%Y %H:%M:%S}.{i:03d}"
        if i < 40:
            lines.append(f"{head} INFO [exec-{i % 7}] org.example.shop.Basket.fill request rq-{i:04d} took {i} ms\n")
        else:
            lines.append(f"{head} SEVERE [exec-{i % 7}] org.example.shop.Basket.fill request rq-{i:04d}\n{TRACE}")
    return "".join(lines)


def access(hours: int = -5, count: int = 60) -> str:
    """Give an access log with the offset in every line: 500 from minute 40 on."""
    return "".join(
        f"198.51.100.{i % 9 + 1} - - [{instant(i * 60, hours):%d/%b/%Y:%H:%M:%S} {hours:+03d}00] "
        f'"GET /shop/basket?n={i} HTTP/1.1" {500 if i >= 40 else 200} {512 + i} "-" "curl/8.5.0"\n'
        for i in range(count)
    )


def syslog(host: str, hours: int = 1, count: int = 30) -> str:
    """Give syslog lines without year and zone, with an envelope around sudo's and sshd's own."""
    said = (
        "sudo:      ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/bin/systemctl restart tomcat10",
        "sshd[4711]: Accepted publickey for ann from 192.0.2.17 port 50112 ssh2",
        "pager[301]: page sent to on-call primary for INC-2024-00123",
    )
    return "".join(
        f"{instant(i * 100, hours):%b} {instant(i * 100, hours).day:>2} {instant(i * 100, hours):%H:%M:%S} "
        f"{host} {said[i % 3]}\n"
        for i in range(count)
    )


def postgresql(count: int = 30) -> str:
    """Give a server log with zone words and statements of two lines."""
    return "".join(
        f"{instant(i * 90):%Y-%m-%d %H:%M:%S}.{i:03d} UTC [4711] LOG:  statement: SELECT\n\tfrom basket where n = {i}\n"
        for i in range(count)
    )


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder, all last changed at one instant."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (STOOD, STOOD))
    return folder


def incident(folder: Path) -> Path:
    """Write the logs of four hosts: zones told, inferable and not to be known; a gzip, a copy, a cut last line."""
    return write(
        folder,
        {
            "app1/catalina.out": console(),
            "app1/localhost_access_log.2024-03-04.txt": access(),
            "db1/postgresql.log": postgresql(),
            "ops1/syslog": syslog("ops1"),
            "ops1/syslog.1.gz": gzip.compress(syslog("ops1", count=9).replace("on-call", "second").encode(), mtime=0),
            "web1/access.log": access(0)[:-20],
            "web1/access.log.copy": access(0)[:-20],
            "web1/notes.txt": "no line of this has a time\nand nobody knows its format\n",
        },
    )


def tarred(files: Mapping[str, str | bytes], kind: str = "gz") -> bytes:
    """Pack files into a tar, compressed where `kind` says how."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{kind}" if kind else "w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), int(STOOD)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """Pack files into a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name, (2024, 3, 4, 4, 0, 0)), content)
    return out.getvalue()


def hashes(case: Path, *, but: tuple[str, ...] = ("case.toml",)) -> dict[str, str]:
    """Give the SHA-256 of every file of a case but those named."""
    return {
        path.relative_to(case).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(case.rglob("*"))
        if path.is_file() and path.relative_to(case).as_posix() not in but
    }
