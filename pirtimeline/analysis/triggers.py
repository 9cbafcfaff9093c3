"""The change that an incident may have begun with: which of the changes before it, and whether it was taken back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from pirtimeline.analysis.chains import Beginning
from pirtimeline.analysis.mentions import Mention, headline, kin, mention, spoken, tokens

NOUNS = {
    "rollback": "roll-back",
    "deploy": "deploy",
    "migration": "migration",
    "failover": "fail-over",
    "restart": "restart",
    "firewall": "firewall change",
    "configuration": "configuration change",
    "scaling": "scaling",
    "maintenance": "maintenance",
    "stop": "stop",
}
TAKEN_BACK = r"(?i)roll(?:ed|ing)?[\s_-]?back|revert|undo|cancel|abort|terminat|kill|withdraw|restor|downgrad"
STORES = r"(?i)postgres|mysql|maria|oracle|mongo|redis|cassandra|database|\bdb\b|\bdb[-_]|sql\b"
"""Words for what a service keeps its data in."""

SLOW = timedelta(hours=24)
"""A chain that may take longer than this does not ask for a change shortly before."""

LIFECYCLE = r"^(?:tomcat|spring|systemd|os|k8s|svc)\."
"""Signatures of processes that start and stop: what follows from an act, seldom the act itself."""


STARTS = r"^(?:tomcat\.start(?:ing|ed)|spring\.started|jboss\.started|db\.started|systemd\.started|k8s\.started)$"
"""Signatures of processes that came up: most often that is where a log begins, and changes nothing."""

HERE = r"^(?:change\.(?:\w+_by_hand|package)|sec\.sudo|resp\.service_action|svc\.|db\.)|" + LIFECYCLE
"""Signatures of what is done to the host that logs it."""

SOON = timedelta(minutes=5)
"""A process that came up this long before trouble may have begun it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A change before the incident: its event, what it speaks of, and whether and when it was taken back."""

    event_id: str
    at: datetime
    signature_id: str
    title: str
    message: str
    host_name: str | None
    service_name: str | None
    mention: Mention
    kinship: int
    points: float
    reverted: datetime | None = None
    reverted_ids: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """Say in words what was changed, for the middle of a sentence."""
        return noun(self.mention, self.message or self.title)

    @property
    def sentence(self) -> str:
        """Say in a sentence what was changed."""
        return headline(self.mention, self.message or self.title)


def triggers(points: pl.DataFrame, hosts: list[str], *, before: datetime | None) -> list[Trigger]:
    """Give the changes before an instant (or all) that concern what was affected, or name nothing known."""
    rows = points.filter((pl.col("role") == "change") & pl.col("at").is_not_null() & (pl.col("kinship") >= 1))
    rows = rows if before is None else rows.filter(pl.col("began") < before)
    rows = rows.sort("at", "source_id", "byte_offset").unique("event_id", keep="first", maintain_order=True)
    later = points.filter(pl.col("at").is_not_null() & (pl.col("kinship") >= 1)).sort("at", "source_id", "byte_offset")
    later = later if before is None else later.filter(pl.col("at") >= before)
    found = []
    for row in rows.iter_rows(named=True):
        said = mention(str(row["message"] or ""), hosts)
        back = _taken_back(said, str(row["message"] or ""), later, hosts)
        found.append(
            Trigger(
                event_id=row["event_id"],
                at=row["began"],
                signature_id=row["signature_id"],
                title=row["title"],
                message=spoken(str(row["message"] or "")),
                host_name=row["host_name"],
                service_name=row["service_name"],
                mention=said,
                kinship=row["kinship"],
                points=0.0,
                reverted=back[0],
                reverted_ids=back[1],
            )
        )
    return found


def best(
    candidates: list[Trigger],
    beginning: Beginning,
    core: datetime,
    *,
    stores: frozenset[str] = frozenset(),
    onset: datetime | None = None,
    host: str | None = None,
) -> Trigger | None:
    """Choose the change that a chain most likely begins with, by what it says, whom it concerns and how near it is.

    `stores` are the hosts of what the service depends on: a chain about the loss of one begins there. `onset` is when
    trouble began, where the core has no date of its own but lies between two; `host` is the core's.
    """
    near = [t for t in candidates if core - beginning.within <= t.at <= core]
    if beginning.target:
        near = [t for t in near if _on_store(t, stores)]
    near = [t for t in near if (onset or core) - t.at <= SOON or not re.search(STARTS, t.signature_id)]
    near = [t for t in near if t.mention.action not in beginning.but]
    if beginning.local and host:
        near = [t for t in near if host in (_places(t) or {host})]
    if beginning.only:
        near = [t for t in near if t.mention.action in beginning.actions]
    if not near:
        return None
    return max(near, key=lambda t: (round(_points(t, beginning, core), 3), -t.at.timestamp(), t.event_id))


def _places(trigger: Trigger) -> set[str]:
    """List the hosts on which a change was made, none where its words do not tell."""
    here = {trigger.host_name} if trigger.host_name and re.search(HERE, trigger.signature_id) else set()
    return set(trigger.mention.hosts) or here


def _on_store(trigger: Trigger, stores: frozenset[str]) -> bool:
    targets = set(trigger.mention.hosts) or {trigger.host_name or ""}
    return bool(targets & stores) or bool(re.search(STORES, trigger.message))


def _points(trigger: Trigger, beginning: Beginning, core: datetime) -> float:
    said = trigger.mention
    action = 4.0 - beginning.actions.index(said.action) / 2 if said.action in beginning.actions else 0.0
    apart = (core - trigger.at) / beginning.within
    weight = 2.0 if beginning.within > SLOW else 6.0
    return (
        3.0 * trigger.kinship
        + action
        + (2.0 if said.version else 0.0)
        + (3.0 if trigger.reverted else 0.0)
        + (0.5 if said.phase == "started" else 0.0)
        - (3.0 if re.search(LIFECYCLE, trigger.signature_id) else 0.0)
        + weight / (1.0 + 24.0 * apart)
    )


def _taken_back(
    said: Mention, message: str, later: pl.DataFrame, hosts: list[str]
) -> tuple[datetime | None, tuple[str, ...]]:
    """Find the first later act that takes a change back: it names its service, its old version, or the act itself."""
    if not said.action:
        return None, ()
    own = tokens(said.service or message)
    for row in later.filter(pl.col("message").str.contains(TAKEN_BACK)).iter_rows(named=True):
        other = mention(str(row["message"] or ""), hosts)
        same = kin(own, tokens(other.service or str(row["message"] or "")))
        versions = bool(said.old_version) and other.version == said.old_version
        if versions or (same and (other.action in ("rollback", said.action))):
            return row["at"], (row["event_id"],)
    return None, ()


def noun(said: Mention, text: str) -> str:
    """Put a mention into words for the middle of a sentence.

    Example:
        >>> noun(Mention("deploy", "started", "shop", "1.4.1", "1.4.2", ("app1",)), "")
        'deploy of shop 1.4.2 on app1 (1.4.1 -> 1.4.2)'
        >>> noun(Mention("migration", "started"), "migration 42 started on table orders")
        'migration ("migration 42 started on table orders")'
    """
    what = NOUNS.get(said.action, "change")
    if not (said.service or said.version):
        short = text if len(text) <= 120 else text[:119] + "…"
        return f'{what} ("{short}")'
    named = " ".join(filter(None, (said.service, said.version)))
    where = f" on {', '.join(said.hosts)}" if said.hosts else ""
    step = f" ({said.old_version} -> {said.version})" if said.old_version else ""
    return f"{what} of {named}{where}{step}"
