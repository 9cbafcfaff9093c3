"""When what happened, in milliseconds since 1970, and how each host writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import TypeVar

INCIDENT = "INC-2024-00123"
NEW_YORK = timezone(timedelta(hours=-5))
BERLIN = timezone(timedelta(hours=1))
ZONES = {
    "app1": "America/New_York",
    "app2": "America/New_York",
    "db1": "UTC",
    "mail1": "Europe/Berlin",
    "mon1": "Europe/Berlin",
    "web1": "UTC",
    "win1": "UTC",
}

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
T = TypeVar("T")


def at(text: str, millis: int = 0) -> int:
    """Read an instant in UTC: `2024-03-04 02:58:03`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND + millis


BEGIN = at("2024-03-02 02:14:09", 118)
"""Tomcat starts on app1, and the logs with it."""
END = at("2024-03-04 05:30:00")

DEPLOY, DEPLOYED = at("2024-03-03 22:10:00"), at("2024-03-03 22:10:47")
OTHER_DEPLOY, OTHER_DEPLOYED = at("2024-03-04 01:40:00"), at("2024-03-04 01:40:31")
SLOW = at("2024-03-04 02:41:00")
OOM = at("2024-03-04 02:58:03", 412)
ALERT = at("2024-03-04 03:00:00")
PAGE = at("2024-03-04 03:00:04")
ACK = at("2024-03-04 03:02:17")
SCAN, FIREWALL = at("2024-03-04 03:04:30"), at("2024-03-04 03:15:00")
MAIL = at("2024-03-04 03:15:22")
RESTART, STOPPED, RESTARTED = at("2024-03-04 03:30:00"), at("2024-03-04 03:30:09"), at("2024-03-04 03:30:21")
LAST_FAILURE = at("2024-03-04 03:30:19", 640)
RESOLVED = at("2024-03-04 03:33:00")
ROLLBACK, ROLLED_BACK = at("2024-03-04 04:00:00"), at("2024-03-04 04:00:38")
STATUS_PAGE = at("2024-03-04 04:00:50")

OLD, NEW = "5.2.4", "5.3.0"

EVENTS = (
    (BEGIN // SECOND * SECOND, "start", "Tomcat starts on app1 with checkout 5.2.4"),
    (DEPLOY, "deploy", "deployment of checkout 5.3.0 on app1 begins: it keeps a part of every order"),
    (DEPLOYED, "deploy-end", "deployment of checkout 5.3.0 finished"),
    (OTHER_DEPLOY, "deploy", "deployment of catalog 2.8.1 on app2 begins: innocent"),
    (OTHER_DEPLOYED, "deploy-end", "deployment of catalog 2.8.1 finished"),
    (OOM // SECOND * SECOND, "oom", "first OutOfMemoryError on app1"),
    (ALERT, "alert", "checkout health check failing"),
    (PAGE, "page", "on-call paged"),
    (ACK, "ack", "page acknowledged"),
    (FIREWALL, "containment", "firewall blocks a scanner on web1"),
    (MAIL, "mail", "mail to the engineering team delivered"),
    (RESTART, "restart", "restart of Tomcat on app1 begins"),
    (RESTARTED, "restarted", "Tomcat on app1 started again, still with checkout 5.3.0"),
    (RESOLVED, "resolved", "checkout healthy again"),
    (ROLLBACK, "rollback", "roll-back to checkout 5.2.4 begins"),
    (ROLLED_BACK, "rollback-end", "roll-back finished"),
    (STATUS_PAGE, "statuspage", "status page updated"),
    (END, "end", "the logs end"),
)


class Dice:
    """Chance that falls alike everywhere: only `random()` and `getrandbits()` are promised to stay."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def below(self, count: int) -> int:
        """Throw a number from 0."""
        return int(self._random.random() * count)

    def between(self, low: int, high: int) -> int:
        """Throw a number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def chance(self, percent: float) -> bool:
        """Say yes so often."""
        return self._random.random() * 100 < percent

    def pick(self, choices: Sequence[T]) -> T:
        """Pick one."""
        return choices[self.below(len(choices))]

    def hex(self, digits: int) -> str:
        """Throw hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"


def moment(millis: int, zone: timezone = UTC) -> datetime:
    """Put an instant on a clock."""
    return datetime.fromtimestamp(millis // SECOND, zone) + timedelta(milliseconds=millis % SECOND)


_MONTH = {2: "Feb", 3: "Mar"}


def juli(millis: int) -> str:
    """Write a time as Tomcat's one-line formatter does, in New York."""
    t = moment(millis, NEW_YORK)
    return f"{t.day:02}-{_MONTH[t.month]}-{t.year} {t:%H:%M:%S}.{millis % SECOND:03}"


def log4j(millis: int) -> str:
    """Write a time as log4j's ISO date does, in New York."""
    return f"{moment(millis, NEW_YORK):%Y-%m-%d %H:%M:%S},{millis % SECOND:03}"


def clf(millis: int, zone: timezone = UTC) -> str:
    """Write a time as access logs do."""
    t = moment(millis, zone)
    return f"{t.day:02}/{_MONTH[t.month]}/{t:%Y:%H:%M:%S %z}"


def syslog(millis: int, zone: timezone = UTC) -> str:
    """Write a time as RFC 3164 does: no year, no zone."""
    t = moment(millis, zone)
    return f"{_MONTH[t.month]} {t.day:2} {t:%H:%M:%S}"


def day(millis: int, zone: timezone = UTC) -> str:
    """Name a day."""
    return f"{moment(millis, zone):%Y-%m-%d}"
