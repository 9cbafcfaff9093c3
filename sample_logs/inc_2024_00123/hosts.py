"""The other voices: syslog of four hosts, the SIEM, the mail server, the database, a Windows host."""

from __future__ import annotations

import json
from datetime import UTC, timezone

from inc_2024_00123 import story
from inc_2024_00123.story import BERLIN, HOUR, INCIDENT, MINUTE, NEW_YORK, SECOND, Dice, moment, syslog
from inc_2024_00123.traffic import Request

Lines = list[tuple[int, str]]

_OPS = "TTY=pts/1 ; PWD=/home/oncall ; USER=root ; COMMAND="


def _said(host: str, zone: timezone, lines: list[tuple[int, str]]) -> Lines:
    ordered = sorted(lines, key=lambda line: line[0])
    return [(now, f"{syslog(now, zone)} {host} {text}\n") for now, text in ordered]


def _routine(host: str) -> list[tuple[int, str]]:
    """Make what every host's syslog is full of."""
    dice, made = Dice(f"syslog-{host}"), list[tuple[int, str]]()
    for hour in range(story.BEGIN // HOUR + 1, story.END // HOUR + 1):
        pid = dice.between(2000, 32_000)
        made.append((hour * HOUR + MINUTE + SECOND, f"CROND[{pid}]: (root) CMD (run-parts /etc/cron.hourly)"))
        made.append(
            (
                hour * HOUR + 10 * MINUTE + dice.below(50) * SECOND,
                "systemd[1]: Started Cleanup of Temporary Directories.",
            )
        )
        if hour % 4 == 1:
            user, when = dice.pick(("deploy", "backup")), hour * HOUR + dice.between(14, 58) * MINUTE
            port = dice.between(40_000, 60_000)
            made.append((when, f"sshd[{pid + 7}]: Accepted publickey for {user} from 192.0.2.90 port {port} ssh2"))
            made.append((when, f"sshd[{pid + 7}]: pam_unix(sshd:session): session opened for user {user} by (uid=0)"))
            made.append(
                (when + 40 * SECOND, f"sshd[{pid + 7}]: pam_unix(sshd:session): session closed for user {user}")
            )
    return made


def app1() -> Lines:
    """Write app1's syslog: deployment, restart, roll-back."""
    tomcat = "Apache Tomcat 9 Web Application Server"
    change = "on app1 by release-bot change CHG-3307"
    return _said("app1", NEW_YORK, [
        *_routine("app1"),
        (story.BEGIN - 4 * SECOND, f"systemd[1]: Starting {tomcat}..."),
        (story.BEGIN + 9 * SECOND, f"systemd[1]: Started {tomcat}."),
        (story.DEPLOY, f"deploy[23817]: deploy started: checkout {story.OLD} -> {story.NEW} {change}"),
        (story.DEPLOYED, f"deploy[23817]: deploy finished: checkout {story.NEW} on app1"),
        (story.RESTART, f"sudo:   oncall : {_OPS}/bin/systemctl restart tomcat9"),
        (story.RESTART, f"systemd[1]: Stopping {tomcat}..."),
        (story.STOPPED, f"systemd[1]: Stopped {tomcat}."),
        (story.STOPPED, f"systemd[1]: Starting {tomcat}..."),
        (story.RESTARTED, f"systemd[1]: Started {tomcat}."),
        (story.ROLLBACK, f"deploy[29102]: rollback started: checkout {story.NEW} -> {story.OLD} {change}"),
        (story.ROLLED_BACK, f"deploy[29102]: rollback finished: checkout {story.OLD} on app1"),
    ])  # fmt: skip


def app2() -> Lines:
    """Write app2's syslog: a deployment nearer to the incident than the guilty one, and innocent."""
    change = "on app2 by release-bot change CHG-3311"
    return _said("app2", NEW_YORK, [
        *_routine("app2"),
        (story.OTHER_DEPLOY, f"deploy[11408]: deploy started: catalog 2.8.0 -> 2.8.1 {change}"),
        (story.OTHER_DEPLOYED, "deploy[11408]: deploy finished: catalog 2.8.1 on app2"),
    ])  # fmt: skip


def web1() -> Lines:
    """Write web1's syslog: the firewall."""
    block = "TTY=pts/0 ; PWD=/home/secops ; USER=root ; COMMAND=/usr/sbin/iptables -I INPUT -s 198.51.100.77 -j DROP"
    rule = "secops[7120]: firewall rule updated: block 198.51.100.77 on web1 rule-id FW-118"
    return _said(
        "web1", UTC, [*_routine("web1"), (story.FIREWALL, f"sudo:   secops : {block}"), (story.FIREWALL, rule)]
    )


def mon1() -> Lines:
    """Write mon1's syslog: pager, on-call, status page."""
    page = f"pager[812]: page sent to on-call primary for {INCIDENT} checkout health check failing"
    return _said("mon1", BERLIN, [
        *_routine("mon1"),
        (story.PAGE, page),
        (story.ACK, f"oncall[812]: acknowledged {INCIDENT} by on-call engineer"),
        (story.STATUS_PAGE, f"statuspage[955]: status page updated: {INCIDENT} checkout monitoring, fix rolled out"),
    ])  # fmt: skip


def siem() -> Lines:
    """Write the SIEM's CEF over syslog: its epoch stands beside Berlin's time."""
    made: Lines = []
    for hour in range(story.at("2024-03-02 04:00:00") // HOUR, story.END // HOUR + 1, 8):
        made.append(_cef(hour * HOUR + 30 * MINUTE + 214, "HB-001|heartbeat|1", "dhost=mon1 msg=sensor alive act=none"))
    service = "dhost=app1 dvc=192.0.2.31 cs1Label=service cs1=checkout"
    failing = f"{service} msg=4 of 5 probes failed, last status 504 act=notify"
    well = f"{service} msg=6 consecutive probes ok act=notify"
    scan = "src=198.51.100.77 dhost=web1 cs1Label=service cs1=shop cnt=31 msg=requests for unknown paths act=none"
    made.append(_cef(story.ALERT + 9, "HC-100|checkout health check failing|8", failing))
    made.append(_cef(story.SCAN + 4 * MINUTE + 377, "WS-020|web scan suspected|5", scan))
    made.append(_cef(story.RESOLVED + 12, "HC-101|checkout health check recovered|3", well))
    return sorted(made)


def _cef(now: int, event: str, extension: str) -> tuple[int, str]:
    return now, f"{syslog(now, BERLIN)} mon1 siem: CEF:0|Example|Watchtower|4.1|{event}|rt={now} {extension}\n"


def alerts() -> Lines:
    """Write the alerts as Elastic exports them."""
    rule = "checkout health check failing"
    made = []
    for now, status, reason in ((story.ALERT + 9, "active", "4 of 5 probes failed, last status 504"),
                                (story.RESOLVED + 12, "recovered", "6 consecutive probes ok")):  # fmt: skip
        alert = {
            "@timestamp": moment(now).isoformat(timespec="milliseconds"), "kibana.alert.rule.name": rule,
            "kibana.alert.status": status, "kibana.alert.severity": "critical", "kibana.alert.reason": reason,
            "host.name": "app1", "service.name": "checkout", "event.kind": "signal",
        }  # fmt: skip
        made.append((now, json.dumps(alert) + "\n"))
    return made


def mail() -> Lines:
    """Write the mail log of mail1: nightly reports, and the one to the engineering team."""
    dice, made = Dice("mail"), list[tuple[int, str]]()
    for hour in range(story.at("2024-03-02 05:00:00") // HOUR, story.END // HOUR, 6):
        made += _delivery(
            dice, hour * HOUR + 12 * MINUTE, "reports@example.org", "accounting@example.org", "Order report"
        )
    team = _delivery(
        dice, story.MAIL, "oncall@example.org", "engineering@example.org", f"{INCIDENT} checkout unavailable"
    )
    return _said("mail1", BERLIN, [*made, *team])


def _delivery(dice: Dice, now: int, sender: str, to: str, subject: str) -> list[tuple[int, str]]:
    queue, pid = f"4T{dice.hex(10).upper()}", dice.between(3000, 9000)
    header = (
        f"info: header Subject: {subject} from localhost[127.0.0.1]; from=<{sender}> to=<{to}> proto=ESMTP helo=<mail1>"
    )
    timing = (
        f"delay=0.41, delays=0.06/0.01/0.12/0.22, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {dice.hex(8).upper()}"
    )
    return [
        (now, f"postfix/cleanup[{pid}]: {queue}: {header}"),
        (now, f"postfix/qmgr[1204]: {queue}: from=<{sender}>, size={dice.between(900, 5200)}, nrcpt=1 (queue active)"),
        (
            now,
            f"postfix/smtp[{pid + 2}]: {queue}: to=<{to}>, relay=mx.example.org[192.0.2.25]:25, {timing})",
        ),
        (now + SECOND, f"postfix/qmgr[1204]: {queue}: removed"),
    ]


def database(requests: list[Request]) -> Lines:
    """Write PostgreSQL's log on db1: calm, but for the clients that went away with the restart."""
    dice = Dice("database")
    made = [(story.BEGIN - 86_000, "[910] LOG:  database system is ready to accept connections")]
    made.insert(
        0,
        (
            story.BEGIN - 86_400,
            f"[910] LOG:  starting PostgreSQL 12.7 on x86_64-pc-linux-gnu, compiled by gcc (GCC) {_GCC}, 64-bit",
        ),
    )
    for hour in range(story.BEGIN // HOUR + 1, story.END // HOUR + 1):
        made += _checkpoint(dice, hour * HOUR + dice.below(500) * SECOND)
    for request in requests:
        if request.path.startswith("/catalog/search") and dice.chance(1.5):
            duration = f"{request.millis - 8}.{dice.below(1000):03} ms"
            query = f"{_QUERY} /* request {request.rid} */"
            text = f"[{2300 + dice.below(9)}] catalog@shop LOG:  duration: {duration}  {query}"
            made.append((request.at - 5, text))
    for pid in range(2210, 2218):
        made.append(
            (
                story.STOPPED - 250 + pid % 7,
                f"[{pid}] checkout@shop LOG:  could not receive data from client: Connection reset by peer",
            )
        )
    return sorted((now, f"{moment(now):%Y-%m-%d %H:%M:%S}.{now % SECOND:03} UTC {text}\n") for now, text in made)


_GCC = "4.8.5 20150623 (Red Hat 4.8.5-44)"
_QUERY = (
    "statement: SELECT id, title, price\n\t  FROM items\n\t WHERE title ILIKE '%' || 'lamp' || '%'\n\t ORDER BY price"
)


def _checkpoint(dice: Dice, now: int) -> list[tuple[int, str]]:
    buffers, write = dice.between(40, 900), dice.between(4000, 89_000)
    done = (
        f"[912] LOG:  checkpoint complete: wrote {buffers} buffers ({buffers / 163.84:.1f}%); 0 WAL file(s) added, "
        f"0 removed, 1 recycled; write={write / 1000:.3f} s, sync=0.004 s, total={(write + 9) / 1000:.3f} s; "
        f"sync files={buffers // 9}, longest=0.002 s, average=0.001 s; distance={buffers * 9} kB, "
        f"estimate={buffers * 11} kB"
    )
    return [(now, "[912] LOG:  checkpoint starting: time"), (now + write + 9, done)]


def windows() -> Lines:
    """Write the log of win1's backup agent, which will be stored in UTF-16 with Windows' line ends."""
    dice, made = Dice("windows"), list[tuple[int, str]]()
    for hour in range(story.BEGIN // HOUR + 1, story.END // HOUR + 1, 2):
        now = hour * HOUR + 5 * MINUTE + dice.below(900)
        done = f"INFO  Job Täglich-Büro finished, {dice.between(200, 900)} MB copied"
        job = (
            (0, "INFO  Job Täglich-Büro started"),
            (2, "INFO  Volume C: snapshot created"),
            (dice.between(95, 240), done),
        )
        for wait, text in job:
            millis = now + wait * SECOND
            made.append((millis, f"{moment(millis):%Y-%m-%d %H:%M:%S}.{millis % SECOND:03}Z {text}\r\n"))
    return sorted(made)
