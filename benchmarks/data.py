"""Logs to measure on, written from a seed: the same bytes each time."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl

START = datetime(2024, 3, 3, 0, 0, 0)
PATHS = ("/api/orders", "/api/cart", "/api/items/4711", "/health", "/login", "/static/app.js")
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Chrome/124.0", "okhttp/4.12.0", "curl/8.5.0")
ROWS = 500_000
TRACE = """	java.lang.IllegalStateException: order {n} cannot be placed
		at com.example.shop.OrderService.place(OrderService.java:{a})
		at com.example.shop.OrderResource.post(OrderResource.java:{b})
		at org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:129)
		at org.apache.tomcat.util.threads.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:976)
		at java.base/java.lang.Thread.run(Thread.java:840)
	Caused by: java.sql.SQLTransientConnectionException: ShopPool - Connection is not available
		at com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)
		... 14 more
"""


def _times(seed: random.Random, mean_ms: int) -> Iterator[datetime]:
    at = START
    while True:
        at += timedelta(milliseconds=seed.randrange(2 * mean_ms))
        yield at


def catalina(seed: random.Random) -> Iterator[str]:
    """Tomcat's JULI lines, one in twenty with a stack trace below it."""
    for n, at in enumerate(_times(seed, 40)):
        level = seed.choice(("INFO", "INFO", "INFO", "WARNING"))
        thread = f"http-nio-8080-exec-{seed.randrange(1, 200)}"
        when = f"{at:%d-%b-%Y %H:%M:%S}.{at.microsecond // 1000:03}"
        if n % 20 == 19:
            yield f"{when} SEVERE [{thread}] com.example.shop.OrderResource.post Failed to place order {n}\n"
            yield TRACE.format(n=n, a=seed.randrange(40, 400), b=seed.randrange(40, 400))
        else:
            said = f"order {n} placed for customer C{seed.randrange(9999):04} amount {seed.randrange(1, 999)}"
            yield f"{when} {level} [{thread}] com.example.shop.OrderService.place {said}\n"


def access(seed: random.Random) -> Iterator[str]:
    """nginx's combined log."""
    for at in _times(seed, 20):
        status = seed.choice((200, 200, 200, 200, 304, 404, 500))
        address = f"198.51.100.{seed.randrange(1, 255)}"
        request = f"GET {seed.choice(PATHS)}?q={seed.randrange(9999)} HTTP/1.1"
        yield (
            f'{address} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "{request}" {status} {seed.randrange(90000)} '
            f'"https://shop.example.org/" "{seed.choice(AGENTS)}"\n'
        )


def json_lines(seed: random.Random) -> Iterator[str]:
    """Records as a JSON encoder writes them."""
    for n, at in enumerate(_times(seed, 20)):
        level = seed.choice(("INFO", "INFO", "WARN", "ERROR"))
        yield (
            f'{{"@timestamp":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z","level":"{level}",'
            f'"logger_name":"com.example.shop.OrderService","thread_name":"exec-{n % 200}",'
            f'"message":"order {n} placed","customer":"C{n % 9999:04}","amount":{seed.randrange(999)}.50}}\n'
        )


def syslog(seed: random.Random) -> Iterator[str]:
    """A host's syslog: several programs, no year."""
    for n, at in enumerate(_times(seed, 100)):
        said = seed.choice(
            (
                f"sshd[{n % 9999}]: Accepted publickey for deploy from 192.0.2.{n % 255} port 50022 ssh2",
                "CRON[812]: (root) CMD (run-parts /etc/cron.hourly)",
                f"kernel: [{n}.000000] eth0: link is up",
                f"postfix/smtp[77]: {n:X}: to=<a@example.org>, relay=mx.example.org[192.0.2.9]:25, status=sent",
            )
        )
        yield f"{at:%b %e %H:%M:%S} host{n % 3} {said}\n"


def generic(seed: random.Random) -> Iterator[str]:
    """An application that nobody has declared."""
    for n, at in enumerate(_times(seed, 30)):
        level = seed.choice(("info", "info", "warn", "error"))
        header = f"{at:%Y/%m/%d-%H:%M:%S}.{at.microsecond:06} <{level}> (worker-{n % 16})"
        yield f"{header} stock.sync: item {n} synced in {n % 97} ms\n"


KINDS: dict[str, Callable[[random.Random], Iterator[str]]] = {
    "catalina": catalina,
    "access": access,
    "json": json_lines,
    "syslog": syslog,
    "generic": generic,
}


def write(kind: str, folder: Path, size: int) -> Path:
    """Write `size` bytes or a little more of a kind; keep a file that is there."""
    path = folder / f"{kind}-{size >> 20}.log"
    if path.exists() and path.stat().st_size >= size:
        return path
    seed = random.Random(kind)
    written = 0
    with path.open("w", encoding="utf-8") as out:
        for line in KINDS[kind](seed):
            out.write(line)
            written += len(line)
            if written >= size:
                return path
    return path


def huge(folder: Path, size: int) -> Path:
    """Write an access log of many GB, some 300 MB a second; keep a file that is there.

    A line every 20 ms: ten minutes are some 4 MB, wherever they lie.
    """
    path = folder / f"huge-{size >> 20}.log"
    if path.exists() and path.stat().st_size >= size:
        return path
    with path.open("wb") as out:
        for first in count(0, ROWS):
            n = pl.int_range(first, first + ROWS, dtype=pl.Int64, eager=True).alias("n")
            at = (pl.lit(START) + pl.duration(milliseconds=20 * pl.col("n"))).dt.strftime("%d/%b/%Y:%H:%M:%S")
            spread = pl.col("n") * 7919 % 9973
            line = pl.format(
                '198.51.100.{} - - [{} +0000] "GET /api/orders?q={} HTTP/1.1" {} {} "https://shop.example.org/" "{}"',
                spread % 254 + 1,
                at,
                spread,
                pl.when(spread < 100).then(500).otherwise(200),
                spread * 9,
                pl.when(spread % 3 == 0).then(pl.lit(AGENTS[0])).otherwise(pl.lit(AGENTS[1])),
            )
            lines = n.to_frame().select(line).to_series()
            out.write("\n".join(lines).encode() + b"\n")
            if out.tell() >= size:
                return path
    return path


def compressed(path: Path) -> Path:
    """Compress a file beside it."""
    packed = path.with_suffix(".log.gz")
    if not packed.exists():
        with path.open("rb") as plain, gzip.GzipFile(packed, "wb", mtime=0) as out:
            while piece := plain.read(1 << 20):
                out.write(piece)
    return packed


def small_files(folder: Path, many: int, size: int = 2048) -> Path:
    """Write many small files of Tomcat's lines."""
    into = folder / f"small-{many}"
    if into.is_dir():
        return into
    into.mkdir()
    lines = catalina(random.Random("small"))
    for n in range(many):
        text = ""
        while len(text) < size:
            text += next(lines)
        (into / f"node{n % 100:03}-{n:06}.log").write_text(text, encoding="utf-8")
    return into
