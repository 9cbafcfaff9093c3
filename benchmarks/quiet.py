"""Quiet days: a million lines of ten formats in which nothing is wrong, and what the catalogue says of them.

    python -m benchmarks.quiet [--lines 1000000] [--folder DIR]

The wording is that of real programs, odd but harmless; people's texts quote errors. Everything is invented and seeded. All
lines go the whole way: written to files, ingested, analysed. Findings above `low` are printed with what they cite.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from pirtimeline import Case, Settings
from pirtimeline.ingest import ingest
from pirtimeline.investigation import investigate

START = datetime(2024, 3, 4)
SAID = (
    "java.lang.OutOfMemoryError: Java heap space - what does it mean?",
    "your site said 502 Bad Gateway, connection refused and then it worked",
    "please roll back my order, deployment of the sofa failed",
    "FATAL: password authentication failed for user me",
    "No space left on device when I upload a picture",
    "deadlock found when trying to get lock, lol",
    "the app crashed: segfault at 0, kernel panic, core dumped",
    "certificate has expired, is my card safe?",
    "Killed process 4711 (java), out of memory, says my phone",
    "is the server down? status page updated? incident resolved?",
    "ALERT: error rate high, I want my money back",
    "too many open files on my desk",
)
NAMES = ("ann", "bob", "carol", "dave", "erin", "frank")
THINGS = ("order", "basket", "invoice", "parcel", "voucher", "review", "return", "stock")
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/124.0", "okhttp/4.12.0", "curl/8.5.0", "kube-probe/1.29")

Line = Callable[[random.Random, int, datetime], str]


def _app(rng: random.Random, n: int) -> tuple[str, str]:
    """Give a logger and a message of a shop's back end."""
    thing, name, said = rng.choice(THINGS), rng.choice(NAMES), rng.choice(SAID)
    return f"org.example.shop.{thing.capitalize()}Service", rng.choice(
        (
            f"{thing} {n} stored for {name} in {rng.randint(1, 80)} ms",
            f"{thing} {n} of {name} loaded, 0 errors",
            f"no failed {thing}s since last check",
            f'comment of {name} saved: "{said}"',
            f"note of {name} for {thing} {n}: {said}",
            f"user {name} wrote: {said}",
            f"{name} asked: '{said}'",
            f"search term: {said}",
            f"{thing} {n} cancelled by {name}, transaction rolled back as asked",
            f"retry 1 of 3 for {thing} {n}: succeeded",
            f"cache of {thing}s warmed, {rng.randint(1, 9000)} entries, 0 evicted",
            f"session of {name} ended after 30 minutes of silence",
            f"validation: {thing} {n} has no postcode, asked {name} again",
            f"feature switch 'failover-banner' is off for {name}",
            f"{thing} export: {rng.randint(1, 900)} rows, 0 rejected, 0 failed",
            f"circuit breaker of {thing} is CLOSED, failure rate 0.0 %",
            f"timeout of {thing} lock set to 30 s",
            "health check ok: db up, disk 41 % used, heap 312M of 2048M",
            f"pool stats (total=10, active={rng.randint(0, 6)}, idle=4, waiting=0)",
            f"error codes loaded: {rng.randint(10, 400)}",
            f"login of {name} failed: wrong password",
            f"killed {rng.randint(1, 9)} idle sessions at midnight, as planned",
            f"deprecated method crash() called by test of {thing}",
        )
    )


def catalina(rng: random.Random, n: int, at: datetime) -> str:
    logger, said = _app(rng, n)
    if n % 97 == 0:
        logger, said = rng.choice(
            (
                ("org.apache.tomcat.util.scan.StandardJarScanner.scan", "At least one JAR was scanned for TLDs yet contained no TLDs."),
                ("org.apache.catalina.core.ApplicationContext.log", "No Spring WebApplicationInitializer types detected on classpath"),
                ("org.apache.coyote.http11.Http11Processor.service", "Request used HTTP/1.0, keep-alive not offered"),
                ("org.apache.catalina.util.SessionIdGeneratorBase.createSecureRandom", "Creation of SecureRandom instance took [212] milliseconds."),
            )
        )  # fmt: skip
    level = "WARNING" if "wrong password" in said or "deprecated" in said else "INFO"
    return f"{at:%d-%b-%Y %H:%M:%S}.{at.microsecond // 1000:03} {level} [http-nio-8080-exec-{n % 20}] {logger} {said}"


def spring(rng: random.Random, n: int, at: datetime) -> str:
    logger, said = _app(rng, n)
    when = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
    return f"{when}  {'WARN' if n % 50 == 0 else 'INFO'} 4711 --- [nio-8080-exec-{n % 9}] {logger:40.40} : {said}"


def log4j(rng: random.Random, n: int, at: datetime) -> str:
    logger, said = _app(rng, n)
    level = rng.choice(("INFO ", "INFO ", "DEBUG", "WARN "))
    return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} {level} [worker-{n % 8}] {logger} - {said}"


def access(rng: random.Random, n: int, at: datetime) -> str:
    path = rng.choice(
        ("/shop/cart", "/api/orders/4711", "/health", "/help/out-of-memory", "/search?q=connection+refused", "/static/error.css",
         "/docs/failover", "/api/items?select=name,price", "/reviews/too-many-open-files", "/login", "/img/../logo.png")
    )  # fmt: skip
    status = rng.choices((200, 204, 301, 304, 401, 404), (70, 5, 5, 14, 2, 4))[0]
    return (
        f'198.51.100.{rng.randint(1, 254)} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET {path} HTTP/1.1" {status} '
        f'{rng.randint(90, 9000)} "https://shop.example.org/" "{rng.choice(AGENTS)}"'
    )


def daemons(rng: random.Random, n: int, at: datetime) -> str:
    name, said = rng.choice(NAMES), rng.choice(SAID)
    program, text = rng.choice(
        (
            ("systemd[1]", f"Started Session {n} of user {name}."),
            ("systemd[1]", "Starting Daily apt upgrade and clean activities..."),
            ("systemd[1]", "logrotate.service: Deactivated successfully."),
            ("systemd-logind[612]", f"Removed session {n}."),
            ("CRON[4711]", "(root) CMD (test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily)"),
            ("sshd[4711]", f"pam_unix(sshd:session): session closed for user {name}"),
            ("sshd[4711]", "Received disconnect from 192.0.2.9 port 50112:11: disconnected by user"),
            ("kernel", f"[{n}.123456] usb 1-1: new high-speed USB device number 4 using xhci_hcd"),
            ("kernel", f"[{n}.123456] TCP: eth0: Driver has suspect GRO implementation, TCP performance may be compromised."),
            ("kernel", f"[{n}.123456] EXT4-fs (sda1): re-mounted. Opts: errors=remount-ro"),
            ("kernel", f"[{n}.123456] Memory: 8039840K/8388608K available"),
            ("postfix/qmgr[77]", f"{n:X}: removed"),
            ("postfix/smtpd[78]", "disconnect from unknown[203.0.113.9] ehlo=1 quit=1 commands=2"),
            ("dhclient[88]", "bound to 192.0.2.4 -- renewal in 21600 seconds."),
            ("chronyd[91]", "Selected source 192.0.2.1 (ntp.example.org)"),
            ("rsyslogd", "action 'action-8-builtin:omfwd' resumed (module 'builtin:omfwd')"),
            ("helpdesk[5]", f'ticket {n} of {name}: "{said}"'),
            ("backup[6]", f"snapshot {n} complete, 0 files failed, 0 skipped"),
            ("monitor[7]", "OK: 14 of 14 checks passed, 0 critical, 0 down"),
            ("monitor[7]", "heartbeat ok"),
            ("smartd[9]", "Device: /dev/sda, SMART Usage Attribute: 194 Temperature_Celsius changed from 36 to 37"),
            ("named[10]", "zone example.org/IN: sending notifies (serial 2024030401)"),
            ("deploybot[11]", "nothing to deploy, all services at their wanted version"),
            ("ansible[12]", "ok: [web1] => (item=nginx), changed=0 unreachable=0 failed=0"),
            ("firewall[13]", "rules unchanged, 214 loaded"),
            ("fail2ban[14]", "INFO [sshd] Found 203.0.113.9 - 1 attempt"),
        )
    )  # fmt: skip
    return f"{at:%b %e %H:%M:%S} web{n % 3} {program}: {text}"


def postgresql(rng: random.Random, n: int, at: datetime) -> str:
    said = rng.choice(
        (
            "LOG:  checkpoint starting: time",
            f"LOG:  checkpoint complete: wrote {rng.randint(1, 900)} buffers (0.1%); 0 WAL file(s) added, 0 removed, 1 recycled",
            f'LOG:  automatic vacuum of table "shop.public.orders": index scans: 0, {n} removed',
            'LOG:  automatic analyze of table "shop.public.deadlocks_report"',
            "LOG:  connection received: host=192.0.2.4 port=50112",
            "LOG:  disconnection: session time: 0:00:12.345 user=shop database=shop host=192.0.2.4 port=50112",
            f"NOTICE:  relation \"errors_{n}\" already exists, skipping",
            f"LOG:  statement: INSERT INTO reviews (text) VALUES ('{rng.choice(SAID)}')",
        )
    )  # fmt: skip
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC [{n % 900 + 100}] {said}"


def json_lines(rng: random.Random, n: int, at: datetime) -> str:
    logger, said = _app(rng, n)
    quoted = said.replace('"', '\\"')
    return (
        f'{{"@timestamp":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z","log.level":"INFO","log.logger":"{logger}",'
        f'"service.name":"shop","message":"{quoted}","labels":{{"note":"{rng.choice(SAID)}"}}}}'
    )


def collections(rng: random.Random, n: int, at: datetime) -> str:
    before = rng.randint(150, 300)
    kind = "Pause Full (System.gc())" if n % 4000 == 0 else "Pause Young (Normal) (G1 Evacuation Pause)"
    when = f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}+0000"
    return f"[{when}][info][gc] GC({n}) {kind} {before}M->{rng.randint(80, 140)}M(512M) {rng.uniform(1, 60):.3f}ms"


def proxies(rng: random.Random, n: int, at: datetime) -> str:
    said = rng.choice(
        (
            f"*{n} client 203.0.113.{rng.randint(1, 254)} closed keepalive connection",
            "signal 1 (SIGHUP) received from 1, reconfiguring" if n % 9000 == 0 else f"*{n} using uninitialized \"limit\" variable",
            f'*{n} a client request body is buffered to a temporary file /var/lib/nginx/body/{n:010}, client: 203.0.113.9',
            f'*{n} access forbidden by rule, client: 203.0.113.9, server: shop.example.org, request: "GET /.git/config HTTP/1.1"',
            f'*{n} open() "/srv/www/out-of-memory.html" failed (2: No such file or directory), client: 203.0.113.9',
        )
    )  # fmt: skip
    level = "error" if "forbidden" in said or "open()" in said else rng.choice(("notice", "info", "warn"))
    return f"{at:%Y/%m/%d %H:%M:%S} [{level}] 812#812: {said}"


def unknown(rng: random.Random, n: int, at: datetime) -> str:
    _, said = _app(rng, n)
    return f"{at:%Y/%m/%d-%H:%M:%S}.{at.microsecond:06} <{rng.choice(('info', 'note'))}> (w-{n % 16}) shop.sync: {said}"


FORMATS: dict[str, Line] = {
    "app1/catalina.out": catalina,
    "app2/spring.log": spring,
    "app3/app.log": log4j,
    "web1/access.log": access,
    "web1/syslog": daemons,
    "db1/postgresql.log": postgresql,
    "app4/shop.json": json_lines,
    "app1/gc.log": collections,
    "web2/error.log": proxies,
    "app5/sync.log": unknown,
}


def lines(write: Line, seed: str, count: int) -> Iterator[str]:
    """Spread lines of one format over a day, busier by day than by night."""
    rng, at = random.Random(seed), START
    pause = 86_400_000_000 // count
    for n in range(1, count + 1):
        at += timedelta(microseconds=rng.randrange(2 * pause))
        yield write(rng, n, at) + "\n"


def main() -> None:
    """Write, ingest, analyse, and print what is above `low`."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "pirtimeline-quiet"))
    given = options.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    for name, write in FORMATS.items():
        path = given.folder / "evidence" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as out:
            out.writelines(lines(write, name, given.lines // len(FORMATS)))
    case = given.folder / "case"
    ingest(case, Settings(evidence=(str(given.folder / "evidence"),), years=(("*", "2024"),)))
    investigate(Case(case))
    report(Case(case))


def report(case: Case) -> None:
    events, findings = case.events(), case.findings().collect()
    told = findings.group_by("signature_id", "severity").agg(pl.len().alias("findings"), pl.col("count").sum())
    print(f"{events.select(pl.len()).collect().item()} events, {findings.height} findings")
    for row in told.sort("signature_id").iter_rows():
        print("  {:28} {:14} {:4} findings, {:6} events".format(*row))
    grave = pl.col("severity").is_in(["medium", "high", "critical"])
    print(f"{findings.filter(grave).height} findings above low; of each signature, the gravest first, what it cites:")
    for row in (
        findings.sort(grave, descending=True, maintain_order=True)
        .unique("signature_id", keep="first", maintain_order=True)
        .to_dicts()
    ):
        cited = events.filter(pl.col("event_id").is_in(row["event_ids"])).select("message").collect()
        print(f"{row['signature_id']} ({row['severity']})")
        print("".join(f"    {text[:150]}\n" for text in cited["message"].unique(maintain_order=True).head(12)), end="")


if __name__ == "__main__":
    main()
