"""Write `inc-2024-00123.tar.gz`, the logs of an invented incident, and `inc-2024-00123.truth.json`, what happened.

Nothing here looks at a clock or throws real dice: each run writes the same bytes, as far as zlib compresses alike.

    python sample_logs/make_inc_2024_00123.py [FOLDER]
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

from inc_2024_00123 import heap, hosts, proxy, story, tomcat, traffic
from inc_2024_00123.story import HOUR, NEW_YORK, SECOND
from inc_2024_00123.traffic import Request

Lines = list[tuple[int, str]]
File = tuple[str, int, bytes]
"""A member: its path, its mtime in seconds, its bytes."""

_TOP = "inc-2024-00123"
_COPIED = story.at("2024-03-04 03:12:00")
"""When an investigator first copied the growing log of checkout."""


def write(folder: Path) -> None:
    """Write the archive and the truth into a folder."""
    requests = traffic.requests()
    (folder / f"{_TOP}.tar.gz").write_bytes(packed(archive(files(requests))))
    text = json.dumps(truth(requests), indent=1) + "\n"
    (folder / f"{_TOP}.truth.json").write_text(text, encoding="utf-8")


def files(requests: list[Request]) -> list[File]:
    """Make every member of the archive, in the order of their paths."""
    made = [*_app1(requests), *_app2(requests), *_others(requests), *_web1(requests)]
    return sorted(made)


def _app1(requests: list[Request]) -> list[File]:
    """Make app1's logs: Tomcat writes its console and, but for the JVM's own words, the same by day."""
    console, application = tomcat.checkout_console(requests), tomcat.application(requests)
    return [
        _file("app1/syslog", hosts.app1()),
        _file("app1/tomcat/catalina.out", tomcat.with_stderr(console)),
        *_daily("app1/tomcat/catalina.{}.log", console),
        *_daily("app1/tomcat/localhost_access_log.{}.txt", tomcat.access(requests, "checkout")),
        _file("app1/tomcat/checkout.log", application),
        _file("app1/tomcat/checkout.log.copy", [(now, text) for now, text in application if now < _COPIED]),
        _file("app1/tomcat/gc-2024-03-01_21-14-07.log", heap.first_life(requests)),
        _file("app1/tomcat/gc-2024-03-03_22-30-09.log", heap.second_life(requests)),
    ]


def _app2(requests: list[Request]) -> list[File]:
    return [
        _file("app2/syslog", hosts.app2()),
        _file("app2/tomcat/catalina.out", tomcat.catalog_console()),
        *_daily("app2/tomcat/localhost_access_log.{}.txt", tomcat.access(requests, "catalog")),
    ]


def _others(requests: list[Request]) -> list[File]:
    backup = hosts.windows()
    text = "".join(line for _, line in backup)
    return [
        _file("db1/postgresql/postgresql.log", hosts.database(requests)),
        _file("mail1/mail.log", hosts.mail()),
        _file("mon1/alerts.ndjson", hosts.alerts()),
        _file("mon1/siem-cef.log", hosts.siem()),
        _file("mon1/syslog", hosts.mon1()),
        ("win1/backup-agent.log", backup[-1][0] // SECOND, b"\xff\xfe" + text.encode("utf-16-le")),
    ]


def _web1(requests: list[Request]) -> list[File]:
    """Make web1's logs: the oldest day is rotated and compressed, the newest still written, its last line half."""
    lines, errors = proxy.access(requests), _file("web1/nginx/error.log", proxy.errors(requests))
    turns = [story.at("2024-03-03 00:00:00"), story.at("2024-03-04 00:00:00")]
    _, mtime, old = _file("", [line for line in lines if line[0] < turns[0]])
    now, last = lines[-1]
    current = [*(line for line in lines[:-1] if line[0] >= turns[1]), (now, last[: len(last) // 2])]
    return [
        ("web1/nginx/access.log.2.gz", mtime, packed(old)),
        _file("web1/nginx/access.log.1", [line for line in lines if turns[0] <= line[0] < turns[1]]),
        _file("web1/nginx/access.log", current),
        errors,
        ("web1/nginx/error.log.copy", *errors[1:]),
        _file("web1/syslog", hosts.web1()),
    ]


def _file(path: str, lines: Lines) -> File:
    """Join the lines that were written before the logs were collected."""
    kept = [line for line in lines if line[0] < story.END]
    return path, kept[-1][0] // SECOND, "".join(text for _, text in kept).encode()


def _daily(path: str, lines: Lines) -> list[File]:
    """Cut lines into files by New York's days."""
    days = sorted({story.day(now, NEW_YORK) for now, _ in lines})
    return [_file(path.format(day), [line for line in lines if story.day(line[0], NEW_YORK) == day]) for day in days]


def archive(members: list[File]) -> bytes:
    """Put the members into a tar, all of nobody and with the times of their last lines."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, mtime, data in members:
            info = tarfile.TarInfo(f"{_TOP}/{path}")
            info.size, info.mtime, info.mode = len(data), mtime, 0o644
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


def packed(data: bytes) -> bytes:
    """Compress without a name and a time."""
    return gzip.compress(data, 9, mtime=0)


def truth(requests: list[Request]) -> dict[str, object]:
    """Say what happened, with the counts that web1's access log gives for the incident."""
    failed = [r for r in requests if r.status >= 500 and story.OOM <= r.at < story.OOM + HOUR]
    clients = len({r.client for r in failed})
    return {
        "incident": story.INCIDENT,
        "zones": story.ZONES,
        "failed_requests": len(failed),
        "ok_requests": sum(r.status < 400 for r in requests),
        "affected_customers": clients,
        "events": [{"time": _iso(now), "kind": kind, "what": what} for now, kind, what in story.EVENTS],
        "failed_5xx": len(failed),
        "first_5xx": _iso(failed[0].at // SECOND * SECOND),
        "last_5xx": _iso(failed[-1].at // SECOND * SECOND),
        "clients": clients,
    }


def _iso(millis: int) -> str:
    return story.moment(millis).isoformat()


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
