"""Events of quiet days, in twelve formats: real wording, odd but harmless, and users' texts that quote error words.

Everything is invented. A signature above `low` that fires on any of them has misread it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import polars as pl

from pirtimeline.schema import EVENT_COLUMNS

SAYINGS = [
    "java.lang.OutOfMemoryError: Java heap space, what does that mean?",
    "my shop shows 503 Service Unavailable and Connection refused, help",
    "deploy finished? rollback started? please tell me",
    "firewall rule updated by hand, is that fine",
    "FATAL: too many connections",
    "No space left on device when I upload",
    "I read 'deadlock detected' on the screen",
    "Killed process 12 (java) - out of memory",
    "certificate has expired!!!",
    "kernel panic, segfault at 0 ip 0",
    "the page said [FIRING:1] and status page updated",
    "Tomcat stopped: Pausing ProtocolHandler",
    "no heap left, GC overhead limit exceeded",
]
"""What people type into forms, tickets and chats."""

NAMES = "cart order pay stock user item price tax ship mail search cache login page image report sync export"
WORDS = NAMES.split()


def _class(rng: random.Random) -> str:
    return f"org.example.{rng.choice(WORDS)}.{rng.choice(WORDS).capitalize()}Service"


def app(rng: random.Random) -> dict[str, Any]:
    word, number, saying = rng.choice(WORDS), rng.randint(1, 99999), rng.choice(SAYINGS)
    message = rng.choice(
        [
            f"{word} {number} placed for customer C{number:05d} amount {rng.randint(1, 999)}",
            f"loaded {number} {word}s in {rng.randint(1, 900)} ms",
            f'comment saved: "{saying}"',
            f"ticket {number} created, subject: {saying}",
            f"customer wrote: {saying}",
            f"search query={saying}",
            f"feedback received text='{saying}' stars=1",
            f'{{"type":"review","body":"{saying}"}}',
            f"feature usage: {number} exports today",
            f"{word} released from reservation {number}",
            f"transaction {number} rolled back by user cancel",
            f"session {number} timed out after 30 min of silence, removed",
            f"retry 1 of 3 for {word} {number} succeeded",
            f"cache {word} evicted {number} entries",
            f"password reset mail queued for C{number:05d}",
            f"report {number} started by user",
            f"report {number} finished in {rng.randint(1, 90)} s",
            f"no open incident for {word} {number}",
            f"alert settings of C{number:05d} saved",
            f"order {number} acknowledged by warehouse",
            f"shipment {number} escalated to express by customer wish",
            f"index page rendered in {rng.randint(1, 90)} ms",
            f"validation failed: field {word} is empty",
            f"invalid coupon code ERROR{number}",
            f"user C{number:05d} logged in from 203.0.113.{rng.randint(1, 254)}",
            f"HikariPool-1 - Pool stats (total=10, active={rng.randint(0, 4)}, idle=6, waiting=0)",
            "Initializing Spring DispatcherServlet 'dispatcherServlet'",
            f"Completed initialization in {rng.randint(1, 9)} ms",
        ]
    )
    level = rng.choices(["INFO", "WARN", "DEBUG"], [90, 7, 3])[0]
    parser = rng.choice(["log4j_pattern", "spring_boot"])
    return {
        "parser": parser,
        "severity": level,
        "logger_name": _class(rng),
        "thread_name": "exec-3",
        "message": message,
    }


def tomcat(rng: random.Random) -> dict[str, Any]:
    message = rng.choice(
        [
            "At least one JAR was scanned for TLDs yet contained no TLDs.",
            "Loaded Apache Tomcat Native library [2.0.6] using APR version [1.7.2].",
            'Initializing ProtocolHandler ["http-nio-8080"]',
            'Starting ProtocolHandler ["http-nio-8080"]',
            "Server initialization in [431] milliseconds",
            "Creation of SecureRandom instance for session ID generation using [SHA1PRNG] took [118] milliseconds.",
            "The configured Executor [tomcatThreadPool] has no maximum queue size",
            f"Session [{rng.getrandbits(64):x}] has already been invalidated",
        ]
    )
    logger = rng.choice(["org.apache.jasper.servlet.TldScanner.scanJars", "org.apache.coyote.AbstractProtocol.init"])
    return {"parser": "tomcat_juli", "severity": "INFO", "logger_name": logger, "message": message}


def request(rng: random.Random) -> dict[str, Any]:
    saying = rng.choice(SAYINGS)
    path, query = rng.choice(
        [
            (f"/{rng.choice(WORDS)}/{rng.randint(1, 9999)}", None),
            ("/search", f"q={saying.replace(' ', '+')}"),
            ("/docs/OutOfMemoryError", None),
            ("/blog/rollback-started-deploy-finished", None),
            ("/api/orders", f"customer=C{rng.randint(1, 9999):05d}&amount={rng.randint(1, 999)}"),
            ("/static/Connection-refused.png", "v=1.2"),
            ("/union-select-committee", "year=1=1"),
        ]
    )
    status = rng.choices([200, 304, 302, 404, 401], [85, 7, 4, 3, 1])[0]
    line = f"GET {path}{'?' + query if query else ''} HTTP/1.1"
    return {
        "parser": rng.choice(["nginx_access", "tomcat_access", "httpd_access"]),
        "http_method": "GET",
        "url_path": path,
        "url_query": query,
        "http_status_code": status,
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
        "message": f'192.0.2.7 - - "{line}" {status} 512',
    }


def proxy_error(rng: random.Random) -> dict[str, Any]:
    message = rng.choice(
        [
            f"*{rng.randint(1, 9999)} client 203.0.113.9 closed keepalive connection",
            'using the "epoll" event method',
            f"start worker process {rng.randint(100, 9999)}",
            "*12 a client request body is buffered to a temporary file /var/cache/nginx/client_temp/0000000001",
            '*31 open() "/srv/www/favicon.ico" failed (2: No such file or directory), client: 203.0.113.9',
            "*32 an upstream response is buffered to a temporary file while reading upstream",
        ]
    )
    return {"parser": "nginx_error", "severity": "INFO", "message": message}


def database(rng: random.Random) -> dict[str, Any]:
    saying = rng.choice(SAYINGS).replace("'", "")
    parser, message = rng.choice(
        [
            ("postgresql", "checkpoint starting: time"),
            ("postgresql", "checkpoint complete: wrote 112 buffers (0.7%); 0 WAL file(s) added"),
            ("postgresql", f'automatic vacuum of table "shop.public.{rng.choice(WORDS)}": index scans: 0'),
            ("postgresql", f"statement: INSERT INTO tickets VALUES (1, '{saying}')"),
            ("postgresql", f"duration: {rng.randint(1, 900)}.123 ms  statement: SELECT * FROM {rng.choice(WORDS)}"),
            ("postgresql", "connection received: host=192.0.2.4 port=50112"),
            ("postgresql", "disconnection: session time: 0:00:01.123 user=shop database=shop host=192.0.2.4"),
            ("mysql_error", "InnoDB: Buffer pool(s) load completed at 310314  8:15:45"),
            ("mysql_error", "Event Scheduler: Loaded 0 events"),
            ("redis_server", "10000 changes in 60 seconds. Saving..."),
            ("redis_server", "Background saving terminated with success"),
            ("kafka_server", "[GroupCoordinator 1]: Stabilized group shop generation 4 (__consumer_offsets-3)"),
            ("kafka_server", "[Log partition=orders-3, dir=/var/kafka] Rolled new log segment at offset 4711"),
            ("elasticsearch_server", "[node-1] [gc][4711] overhead, spent [251ms] collecting in the last [1s]"),
            (
                "elasticsearch_server",
                "Cluster health status changed from [YELLOW] to [GREEN] (reason: [shards started]).",
            ),
        ]
    )
    return {"parser": parser, "severity": "INFO", "message": message}


def daemon(rng: random.Random) -> dict[str, Any]:
    number = rng.randint(1, 99999)
    process, message = rng.choice(
        [
            ("CRON", f"(root) CMD (run-parts /etc/cron.hourly #{number})"),
            ("CRON", "(deploy) CMD (/usr/local/bin/deploy started --check)"),
            ("cron", "(root) CMD (/usr/local/bin/check-firewall updated)"),
            ("systemd", f"Started Session {number} of user ann."),
            ("systemd", "Starting Daily apt download activities..."),
            ("systemd", "Started Daily apt upgrade and clean activities."),
            ("systemd", "logrotate.service: Deactivated successfully."),
            ("systemd", "Finished Rotate log files."),
            ("systemd-logind", f"New session {number} of user ann."),
            ("sshd", f"Connection closed by 192.0.2.{rng.randint(1, 254)} port {number} [preauth]"),
            ("sshd", "pam_unix(sshd:session): session opened for user ann by (uid=0)"),
            ("sudo", "pam_unix(sudo:session): session opened for user root by ann(uid=1000)"),
            ("kernel", "TCP: request_sock_TCP: dropping request, cookies are on"),
            ("kernel", "audit: type=1400 apparmor=\"STATUS\" operation=\"profile_replace\""),
            ("kernel", "perf: interrupt took too long (2512 > 2500), lowering kernel.perf_event_max_sample_rate"),
            ("dhclient", "DHCPACK of 192.0.2.4 from 192.0.2.1"),
            ("chronyd", "Selected source 192.0.2.1"),
            ("ntpd", "kernel reports TIME_ERROR: 0x41: Clock Unsynchronized"),
            ("rsyslogd", "[origin software=\"rsyslogd\" swVersion=\"8.2112.0\"] rsyslogd was HUPed"),
            ("postfix/qmgr", f"4XyZ{number}: from=<shop@example.org>, size=812, nrcpt=1 (queue active)"),
            ("postfix/smtpd", "connect from localhost[127.0.0.1]"),
            ("dbus-daemon", "[system] Successfully activated service 'org.freedesktop.hostname1'"),
            ("NetworkManager", "<info>  [1709528767.1] dhcp4 (eth0): state changed new lease"),
            ("backup", f"backup of shop finished, {number} files"),
            ("backup", "backup of shop started"),
            ("snapd", "autorefresh.go: Cannot prepare auto-refresh change due to a permanent network error"),
            ("monitor", f"report sent: 12 checks, 0 problems, page took {number} ms"),
            ("named", f"client @0x7f 192.0.2.9#{number} (shop.example.org): query: shop.example.org IN A"),
            ("named", "zone example.org/IN: loaded serial 2024030401"),
            ("helpdesk", f'ticket {number} from ann: "{rng.choice(SAYINGS)}"'),
            ("chat", f"ann said: {rng.choice(SAYINGS)}"),
            ("logger", f"heartbeat app1 ok {number}"),
            ("smartd", "3 out of 5 disks checked, all passed"),
            ("monitor", f"OK load average 0.{number}, CPU at 12 %, disk usage at 41 %"),
            ("monitor", "OK - 200 in 0.012 s"),
            ("systemd", "[  OK  ] Reached target Network."),
            ("setup", "step 3 [OK]"),
            ("tmpreaper", f"removed {number} files, 12 K freed"),
            ("sshd", f"session {number} timed out"),
            ("dovecot", "imap-login: Login: user=<ann>, method=PLAIN, rip=203.0.113.4, TLS"),
            ("squid", "NETDB state saved; 0 entries, 0 msec"),
            ("iscsid", "Connection1:0 to target is operational now"),
            ("thermald", "sensor 1 at 41.5 C"),
            ("fwupd", "updating cache of firmware 1.2.3 metadata"),
            ("collector", "published 4711 metrics to queue"),
            ("scheduler", "nightly import started"),
            ("scheduler", "nightly import finished successfully, 0 errors"),
            ("mailer", f"newsletter {number} released to 400 readers"),
            ("crm", "customer 12 notified about shipment"),
            ("build", "compilation finished, 0 warnings"),
            ("ops", "reminder: deployment freeze from Friday on"),
            ("unattended-upgrades", "No packages found that can be upgraded unattended"),
            ("containerd", "time=\"2024-03-04T05:06:07Z\" level=info msg=\"shim disconnected\" id=abc"),
            ("kubelet", "I0304 05:06:07.891011 1 reconciler.go:224] VerifyControllerAttachedVolume started"),
        ]
    )  # fmt: skip
    parser = rng.choice(["syslog_rfc3164", "syslog_rfc5424", "rsyslog_iso"])
    if process == "CRON":
        parser = "cron_job"
    return {"parser": parser, "process_name": process, "process_pid": number, "message": message}


def collection(rng: random.Random) -> dict[str, Any]:
    before = rng.randint(100, 200)
    pause = rng.choice([3.1, 12.5, 80.4, 310.9])
    return {
        "parser": "jvm_gc_unified",
        "severity": "INFO",
        "message": f"GC({before}) Pause Young (Normal) (G1 Evacuation Pause) {before}M->40M(224M) {pause}ms",
        "jvm_gc_action": "Pause Young",
        "duration_ms": pause,
    }


def document(rng: random.Random) -> dict[str, Any]:
    saying = rng.choice(SAYINGS).replace('"', "'")
    return {
        "parser": "ecs_json",
        "severity": "INFO",
        "service_name": "shop-api",
        "message": rng.choice(
            ["request done", "mail sent", f'note stored: "{saying}"', f"order {rng.randint(1, 999)} paid"]
        ),
        "extra": f'{{"labels":{{"note":"{saying}"}}}}',
    }


KINDS = [app, app, app, tomcat, request, request, request, proxy_error, database, daemon, daemon, collection, document]


def events(count: int, seed: int = 5) -> Iterator[dict[str, Any]]:
    rng = random.Random(seed)
    for _ in range(count):
        yield rng.choice(KINDS)(rng)


def table(count: int, seed: int = 5) -> pl.DataFrame:
    """Make an event table of quiet events, one a second on one of five hosts."""
    schema = {**EVENT_COLUMNS, "parser": pl.String(), "event_id": pl.String()}
    used = ["parser", "severity", "logger_name", "thread_name", "message", "http_method", "url_path", "url_query"]
    used += ["http_status_code", "user_agent", "process_name", "process_pid", "jvm_gc_action", "duration_ms", "extra"]
    used += ["service_name"]
    frame = pl.DataFrame(
        [[event.get(name) for name in used] for event in events(count, seed)],
        schema={name: schema[name] for name in used},
        orient="row",
    ).with_columns(
        event_id=pl.format("0123456789ab:{}", pl.int_range(pl.len()) * 100),
        timestamp=pl.datetime(2024, 1, 1, time_zone="UTC") + pl.duration(seconds=pl.int_range(pl.len())),
        host_name=pl.format("host{}", pl.int_range(pl.len()) % 5),
        event_kind=pl.lit("event"),
    )
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(missing)
