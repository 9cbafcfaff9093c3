"""Versions, arguments and limits that start-up lines state, each as of its line.

The texts are those that the programs print at start-up (Tomcat's VersionLoggerListener, HotSpot's unified GC log,
thread dumps and `hs_err` files, nginx, PostgreSQL and others, each as its own source code prints it).
"""

from __future__ import annotations

import polars as pl

from pirtimeline.analysis.facts import Defect, Setting

BANNERS: tuple[tuple[str, str, str], ...] = (
    ("Apache Tomcat", "Apache Tomcat/", r"Server version(?: name)?:\s+Apache Tomcat/(\S+)"),
    ("Apache Tomcat", "Servlet engine:", r"Starting Servlet [Ee]ngine: \[?Apache Tomcat/([^\s\]]+)"),
    ("Apache Tomcat version number", "number:", r"Server (?:version )?number:\s+(\S+)"),
    ("Apache Tomcat built", "Server built:", r"Server built:\s+(\S.*?)\s*$"),
    ("JVM version", "JVM Version:", r"JVM Version:\s+(\S.*?)\s*$"),
    ("JVM version", "Version: ", r"^\s*Version: (\S+) \((?:release|fastdebug|slowdebug)\)"),
    ("JVM version", "JRE version:", r"JRE version: (.+?)\s*$"),
    ("JVM version", " using Java ", r"Starting \S+(?: \S+)? using Java (\S+)"),
    ("JVM", "Full thread dump ", r"Full thread dump (.+? \(\S+)"),
    ("JVM vendor", "JVM Vendor:", r"JVM Vendor:\s+(\S.*?)\s*$"),
    ("Java home", "Java Home:", r"Java Home:\s+(\S.*?)\s*$"),
    ("Operating system", "OS Name:", r"OS Name:\s+(\S.*?)\s*$"),
    ("Operating system version", "OS Version:", r"OS Version:\s+(\S.*?)\s*$"),
    ("Architecture", "Architecture:", r"^\s*Architecture:\s+(\S+)"),
    ("Kernel", "Linux version ", r"Linux version (\S+)"),
    ("Kernel", "OS: Linux ", r"^OS: Linux (\S+)"),
    ("Operating system", "OS: ", r"^OS: ((?:Linux|Darwin|FreeBSD|Windows)\S*)"),
    ("CATALINA_BASE", "CATALINA_BASE:", r"CATALINA_BASE:\s+(\S.*?)\s*$"),
    ("Maximum heap (-Xmx)", "-Xmx", r"(?:^|\s)-Xmx(\d+[kKmMgGtT]?)\b"),
    ("Maximum heap (GC log)", "Heap Max Capacity:", r"Heap Max Capacity: (\S+)"),
    ("Garbage collector", "Using ", r"^\s*Using ((?:G1|Serial|Parallel|Concurrent|Shenandoah|The Z|Epsilon)\b.*?)\s*$"),
    ("Processors", "CPUs: ", r"^\s*CPUs: (\d+) total"),
    ("Host memory", "Memory: ", r"^\s*Memory: (\d+[KMGT])\b"),
    ("Container memory limit", "emory limit", r"(?i)(?:container|cgroup) memory limit(?: in bytes)?(?: is)?:? (\S+)"),
    ("JVM argument", "Command line argument:", r"Command line argument:\s+(-.*?)\s*$"),
    ("nginx", "nginx/", r"^nginx/(\S+)"),
    ("Apache httpd", "resuming normal operations", r"Apache/(\S+) .*configured -- resuming normal operations"),
    ("HAProxy", "aproxy version", r"(?i)haproxy version (?:is )?([\d.]+\S*)"),
    ("PostgreSQL", "starting PostgreSQL ", r"starting PostgreSQL (\S+)"),
    ("MySQL", "mysqld", r"mysqld(?:\.exe)? \(mysqld ([\d.]+\S*?)\) starting"),
    ("MariaDB", "Starting MariaDB ", r"Starting MariaDB (\S+)"),
    ("Redis", "Redis version=", r"Redis version=([\d.]+)"),
    ("MongoDB", "db version", r"db version v?([\d.]+)"),
    ("Elasticsearch", "version[", r"^(?:\[\S+\] )?version\[([\d.]+)\], pid\["),
    ("Kafka", "Kafka version", r"Kafka version\s*:\s*(\S+)"),
    ("RabbitMQ", "Starting RabbitMQ ", r"Starting RabbitMQ (\S+)"),
    ("ZooKeeper", "zookeeper.version=", r"zookeeper\.version=([\w.]+)"),
    ("Spring Boot", ":: Spring Boot ::", r":: Spring Boot ::\s+\(v?([^)]+)\)"),
    ("Jetty", "jetty-", r"\bjetty-(\d[\w.]+)"),
    ("Hibernate ORM", "Hibernate", r"Hibernate ORM core version (\S+)"),
    ("WildFly", "WildFly", r"WildFly(?: Full)? ([\d.]+\S*) \(WildFly Core"),
    ("Application", " v", r"^Starting (\S+ v\d[\w.-]*) (?:using Java|on )"),
)  # fmt: skip
"""Name, a literal that stands in the line, and the regex (Rust's) whose group is the value."""

LENGTH = 2_000
"""Banners stand at the beginning of a message."""

SINGLE = ("Apache Tomcat", "JVM version", "PostgreSQL", "nginx", "MySQL", "MariaDB", "Maximum heap (-Xmx)", "Kernel")
"""Of these a host has one value: two are worth a remark."""


def banners(events: pl.LazyFrame) -> pl.DataFrame:
    """Give the lines that may state something: those that hold the literal of a banner."""
    needles = sorted({needle for _, needle, _ in BANNERS})
    message = pl.col("message")
    kept = events.filter(message.str.contains_any(needles) & pl.col("http_status_code").is_null())
    return kept.select("event_id", "host_name", "timestamp", message.str.slice(0, LENGTH)).collect(engine="streaming")


def environment(lines: pl.DataFrame) -> tuple[Setting, ...]:
    """Collect what start-up lines state: one entry for each name, value and host, as of its first line.

    Example:
        >>> row = {"event_id": "a:0", "host_name": "web1", "timestamp": None, "message": "nginx/1.22.1"}
        >>> lines = pl.DataFrame([row], schema_overrides={"timestamp": pl.Datetime("us", "UTC")})
        >>> [(s.name, s.value, s.host_name) for s in environment(lines)]
        [('nginx', '1.22.1', 'web1')]
    """
    found = [_stated(lines, order, *banner) for order, banner in enumerate(BANNERS)]
    first = (
        pl.concat(found)
        .sort("timestamp", "event_id", nulls_last=True)
        .group_by("name", "value", "host_name", maintain_order=True)
        .agg(pl.col("order").min(), pl.col("timestamp").first(), pl.col("event_id").head(5))
        .sort("host_name", "order", "timestamp", "value", nulls_last=True)
    )
    return tuple(
        Setting(
            name=r["name"],
            value=r["value"],
            host_name=r["host_name"],
            as_of=r["timestamp"],
            event_ids=tuple(r["event_id"]),
        )
        for r in first.iter_rows(named=True)
    )


def _stated(lines: pl.DataFrame, order: int, name: str, needle: str, regex: str) -> pl.DataFrame:
    message = pl.col("message")
    return (
        lines.filter(message.str.contains(needle, literal=True))
        .select(
            pl.lit(name).alias("name"),
            pl.lit(order).alias("order"),
            message.str.extract("(?m)" + regex).alias("value"),
            "host_name",
            "timestamp",
            "event_id",
        )
        .filter(pl.col("value").is_not_null())
    )


def conflicts(settings: tuple[Setting, ...]) -> list[Defect]:
    """Name the hosts that state two values of what they should have one of, and versions that differ between hosts."""
    found = []
    for host in sorted({s.host_name or "" for s in settings}):
        for name in SINGLE:
            here = [s for s in settings if (s.host_name or "") == host and s.name == name]
            if len({s.value.split(" ")[0] for s in here}) > 1:
                values = ", ".join(
                    f"{s.value} (as of {s.as_of:%Y-%m-%d %H:%M:%SZ})" if s.as_of else s.value for s in here
                )
                found.append(
                    Defect(
                        kind="environment_conflict",
                        title=f"{name} is stated differently on {host or 'an unnamed host'}",
                        detail=values,
                        host_name=host or None,
                        event_ids=tuple(e for s in here for e in s.event_ids[:1]),
                    )
                )
    return found
