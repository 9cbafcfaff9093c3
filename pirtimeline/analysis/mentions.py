"""What an operations message speaks of: an action, its phase, a service, versions, hosts.

The words are those that deployment tools, pagers and people write. What is not said stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ACTIONS = (
    ("rollback", r"roll(?:ed|ing)?[\s_-]?back|revert(?:ed|ing|s)?\b|downgrad|\brollout undo\b|\bundo\b"),
    ("deploy", r"deploy|releas(?:ed?|ing)\b|roll(?:ed|ing)?[\s_-]?out|upgrad|scaled (?:up|down) replica set"),
    ("migration", r"migrat|alter table|create index|reindex|\bddl\b|schema change|changeset"),
    ("failover", r"fail(?:ed|ing)?[\s_-]?over|promot(?:ed?|ing)\b|switchover"),
    ("restart", r"restart|\bbounce"),
    ("firewall", r"firewall|rate[\s_-]?limit|iptables|\bnft\b|\bufw\b|security group"),
    ("configuration", r"config|\breload|feature flag|setting|parameter"),
    ("scaling", r"\bscal(?:ed?|ing)\b|resiz"),
    ("maintenance", r"maintenance|vacuum|backup|restore|\bbatch\b|\bjob\b"),
    ("stop", r"\bstop(?:ped|ping)?\b|shut(?:ting)?[\s_-]?down|terminat|\bkill"),
)
"""Actions and the words for them, the more telling first."""

PHASES = (
    ("failed", r"\bfail(?:ed|ure)?\b|\baborted\b|\bcancell?ed\b"),
    (
        "finished",
        r"\bfinish(?:ed|es)?\b|\bcomplet(?:ed?|es|ion)\b|\bdone\b|\bsucceeded\b|\bsuccessful(?:ly)?\b|\bended\b",
    ),
    ("started", r"\bstart(?:ed|ing|s)?\b|\bbeg[iau]n(?:s|ning)?\b|\binitiated\b|\bin progress\b|\brunning\b"),
)

_VERSION = r"v?\d+(?:\.\d+)+(?:[.+-][0-9A-Za-z]+)*"
_NAME = r"[A-Za-z][\w.-]*[A-Za-z]\w*|[A-Za-z][\w-]*"
_STEP = re.compile(rf"\b({_VERSION})\s*(?:->|=>|→|\bto\b)\s*({_VERSION})\b")
_NAMED = re.compile(rf"\b({_NAME})(?:\s+|[:@=/-])(?:version\s+|release\s+|to\s+|tag\s+)?({_VERSION})(?![\w.]*\d:)")
_ADDRESS = re.compile(r"(?:\d{2,3}\.\d{1,3}|\d{1,3}\.\d{3})(?:\.\d{1,3}){2}$")
_NO_NAMES = (
    "version release to from tag build deploy deployed deploying deployment rollback rolled back on of at in with for "
    "started finished completed the new old java jdk http https tomcat upgraded upgrade image"
)
_NO_NAME = frozenset(_NO_NAMES.split())
_PLACE = re.compile(r"\b(?:on|at|to|host)[ =:]+([a-z][\w-]*\d[\w.-]*)", re.IGNORECASE)
_SUDO = re.compile(r"\bUSER=(\S+) ; (?:\S+=\S* ; )*COMMAND=(.+)$")
_WORD = re.compile(r"[a-z][a-z0-9]*")
_COMMON_WORDS = (
    "api app apps application service services svc server web www http https health check checks failing failed fail "
    "error errors high low rate alert alerts prod production staging test the for and with status probe probes active "
    "recovered resolved firing critical warning page sent call primary engineer host node pod main default cluster "
    "latency burst total request requests response time timeout down over from that this not are was has been slo "
    "new old live user users client clients get post put html php jsp com org net example internal local lan index "
    "availability monitor monitoring threshold exceeded above below last minutes seconds none null true false "
    "database started finished stopped running host hosts backend frontend public private version release"
)
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Mention:
    """What one message speaks of."""

    action: str = ""
    phase: str = ""
    service: str = ""
    old_version: str = ""
    version: str = ""
    hosts: tuple[str, ...] = ()


def mention(text: str, hosts: Iterable[str] = ()) -> Mention:
    """Read a message for its action, phase, service, versions and hosts: known ones, else what stands as a place.

    Of a command under sudo the command is read, not the person who gave it.

    Example:
        >>> mention("deploy started: shop 1.4.1 -> 1.4.2 on app1 by bot", ["app1", "db1"])
        Mention(action='deploy', phase='started', service='shop', old_version='1.4.1', version='1.4.2', hosts=('app1',))
    """
    text = spoken(text)
    lower = text.lower()
    step = _STEP.search(text)
    named = next((m for m in _NAMED.finditer(text) if m[1].lower() not in _NO_NAME and not _ADDRESS.match(m[2])), None)
    old, new = (step[1], step[2]) if step else ("", named[2] if named else "")
    return Mention(
        action=_first(ACTIONS, lower),
        phase=_first(PHASES, lower),
        service=named[1].rstrip("-._") if named else "",
        old_version=old,
        version=new,
        hosts=named_hosts(text, hosts)
        or tuple(m[1] for m in _PLACE.finditer(text) if not re.match(_VERSION, m[1]))[:1],
    )


def spoken(message: str) -> str:
    """Put a message on one line; of a command under sudo keep the command, not the person.

    Example:
        >>> spoken("alice : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/systemctl restart tomcat9")
        'Command as root: /bin/systemctl restart tomcat9'
    """
    line = " ".join(message.split())
    sudo = _SUDO.search(line)
    return f"Command as {sudo[1]}: {sudo[2]}" if sudo else line


def named_hosts(text: str, hosts: Iterable[str]) -> tuple[str, ...]:
    """List the hosts whose name stands in a text as a word of its own.

    Example:
        >>> named_hosts("firewall updated on web1", ["web1", "web10"])
        ('web1',)
    """
    words = set(re.findall(r"[\w.-]+", text.lower()))
    short = {word.split(".")[0] for word in words}
    return tuple(h for h in sorted(set(hosts)) if h.lower() in words or h.lower().split(".")[0] in short)


def tokens(text: str) -> frozenset[str]:
    """Split a name or message into the words that tell one service from another.

    Example:
        >>> sorted(tokens("orders-api health check failing"))
        ['orders']
    """
    return frozenset(w for w in _WORD.findall(text.lower()) if len(w) >= 3 and w not in _COMMON)


def kin(one: frozenset[str], other: frozenset[str]) -> bool:
    """Tell whether two sets of words share one, singular and plural alike.

    Example:
        >>> kin(tokens("orders-api"), tokens("order database"))
        True
    """
    stems = {w.rstrip("s") for w in one}
    return any(w.rstrip("s") in stems for w in other)


def headline(found: Mention, fallback: str) -> str:
    """Put a mention into a short factual sentence, or give the fallback where it says too little.

    Example:
        >>> headline(Mention("deploy", "started", "shop", "1.4.1", "1.4.2", ("app1",)), "")
        'Deploy of shop 1.4.2 started on app1 (was 1.4.1)'
    """
    names = {"rollback": "Roll-back", "deploy": "Deploy"}
    if found.action not in names or not found.phase or not (found.service or found.version):
        return fallback
    to = "to " if found.action == "rollback" and found.service else ""
    what = " ".join(filter(None, (found.service, to + found.version if found.version else "")))
    where = f" on {', '.join(found.hosts)}" if found.hosts else ""
    was = f" (was {found.old_version})" if found.old_version and found.action == "deploy" else ""
    return f"{names[found.action]} of {what} {found.phase}{where}{was}"


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in table if re.search(pattern, text)), "")
