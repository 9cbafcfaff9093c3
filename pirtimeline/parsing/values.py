"""Values of structured text to columns: what a text must look like to be a time, a level, an address, a duration.

A reader is an expression over the columns `value` (the text without quotes) and `form` (what kind of value it was).
Where it gives null, the value does not fit the column and stays in `extra`; so it does where only a part of it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from pirtimeline.parsing.fields import LIKELY
from pirtimeline.parsing.levels import severity
from pirtimeline.schema import EVENT_COLUMNS

TEXT, NUMBER, LITERAL, NULL, OBJECT, ARRAY = range(6)
"""The forms of a value: a string, a number, `true` or `false`, `null`, an object, an array."""

VALUE, FORM = pl.col("value"), pl.col("form")


class Reading(NamedTuple):
    """What a value says: the columns that it fills, the one it was meant for first, and whether that is all of it.

    `usual` is a cheap test; where all values pass it and match `shape`, `usually` says the same as `columns`. To
    `shape`, a regex, all digits are alike.
    """

    columns: Mapping[str, pl.Expr]
    whole: pl.Expr
    usual: pl.Expr | None = None
    usually: Mapping[str, pl.Expr] = MappingProxyType({})
    shape: str = ""


@cache
def reading(column: str, hint: str = "", dtype: pl.DataType | None = None) -> Reading:
    """Say how a value fills a column.

    Args:
        column: of the event table, or a format's own.
        hint: a unit or scale, as `fields.toml` writes it.
        dtype: the type of a format's own column.

    Example:
        >>> slow = pl.DataFrame({"value": ["1.5s", "250", "soon"], "form": [TEXT, NUMBER, TEXT]})
        >>> slow.select(reading("duration_ms", "ms").columns["duration_ms"]).to_series().to_list()
        [1500.0, 250.0, None]
    """
    if dtype is not None:
        return _all(column, _own(dtype))
    special = _READERS.get(column)
    if special is not None:
        return special(hint)
    if EVENT_COLUMNS[column].is_integer():
        return _all(column, _integer(column))
    return _all(column, _text())


def _all(column: str, filled: pl.Expr) -> Reading:
    return Reading({column: filled}, pl.lit(True))


def _text() -> pl.Expr:
    """Take a string or number that says something."""
    return pl.when((FORM <= NUMBER) & (VALUE != "") & (VALUE != "-")).then(VALUE)


def _integer(column: str) -> pl.Expr:
    return pl.when(FORM <= NUMBER).then(VALUE).cast(EVENT_COLUMNS[column], strict=False)


def _own(dtype: pl.DataType) -> pl.Expr:
    """Take a value for a format's own column; compound values as their JSON text."""
    told = pl.when((FORM != NULL) & (VALUE != "")).then(VALUE)
    if dtype == pl.String:
        return told
    if dtype == pl.Boolean:
        word = told.str.to_lowercase()
        return word.replace_strict(
            {"true": True, "1": True, "false": False, "0": False}, default=None, return_dtype=dtype
        )
    if dtype.is_integer():
        return told.str.strip_chars().cast(dtype, strict=False)
    return pl.when(FORM <= NUMBER).then(told).str.strip_chars().cast(dtype, strict=False)


_ISO = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?$"
_EPOCH = r"^-?\d{9,20}(?:\.\d*)?$|^\d\.\d+[eE]\+?\d{1,2}$"
_OF_THESE_YEARS = r"^(?:9[5-9]\d|1\d{3}|20\d\d)\d{6}(?:\d{3}|\d{6}|\d{9})?(?:\.\d*)?$"
"""Seconds, or their thousandths, millionths or billionths, of 2000 to 2036."""

_COMPACT = r"^(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?:\.\d*)?$"
"""`20240421123304`: fourteen digits that are a day and a time; as an epoch they would be of the year 2600."""

_CLOCK = r"\d\d?[:.]\d\d|\d{8}T?\d{6}|[T ]\d\dZ"
DAY = r"^(?:\d{2,4}[-/.]\d\d?[-/.]\d{2,4}|\d{8}|\d\d?[-/ ][A-Za-z]{3}[-/ ]\d{2,4})$"
OF_DAY = r"^\d\d?[:.]\d\d(?:[:.]\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?(?:Z|[+-]\d\d:?\d\d)?$"
HALF = "half"
"""The hint under which a day alone or a time of day alone is taken for a time too."""

IN_UTC = " in UTC"
"""Behind how a time is read: what names no zone is in UTC, since its key says so."""

_EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "filetime", "webkit", "cocoa")


def _time(hint: str) -> Reading:
    """Take a time: ISO 8601, an epoch by its hint or its magnitude, or any text with a day and a time of day."""
    number = VALUE.str.contains(_EPOCH) & (FORM <= NUMBER)
    number = number & VALUE.str.contains(_OF_THESE_YEARS) if hint == LIKELY else number & ~VALUE.str.contains(_COMPACT)
    half = VALUE.str.contains(OF_DAY) | VALUE.str.contains(DAY)
    clock = half if hint == HALF else VALUE.str.contains(_CLOCK) & ~half
    clock &= ((FORM == TEXT) | VALUE.str.contains(_COMPACT)) & (VALUE.str.len_bytes() <= 64)
    kind = (
        pl.when((FORM == TEXT) & VALUE.str.contains(_ISO))
        .then(pl.lit("iso8601"))
        .when(number)
        .then(pl.lit(hint) if hint in _EPOCHS else magnitude(VALUE))
        .when(clock & (hint != LIKELY))
        .then(pl.lit("auto"))
    )
    iso = {"timestamp_text": VALUE, "_time": pl.repeat("iso8601", pl.len())}
    columns = {"timestamp_text": pl.when(kind.is_not_null()).then(VALUE), "_time": kind}
    return Reading(columns, pl.lit(True), FORM == TEXT, iso, _ISO)


def magnitude(text: pl.Expr) -> pl.Expr:
    """Name the unit of an epoch by how many digits it has before the point: 9 to 11 are seconds (1973 to 5138).

    Example:
        >>> times = pl.DataFrame({"t": ["1700758468.38", "1700758468384", "1.7e9", "133581763841234567"]})
        >>> times.select(magnitude(pl.col("t"))).to_series().to_list()
        ['epoch_s', 'epoch_ms', 'epoch_s', 'filetime']
    """
    size = text.cast(pl.Float64, strict=False).abs()
    return (
        pl.when(
            size.is_between(1.16e17, 1.6e17)
        )  # 1968 to 2107 by Windows' clock; nanoseconds would be of 1973 to 1975
        .then(pl.lit("filetime"))
        .when(size.is_between(1.16e16, 1.6e16))  # Chromium's, in microseconds
        .then(pl.lit("webkit"))
        .when(size < 1e11)
        .then(pl.lit("epoch_s"))
        .when(size < 1e14)
        .then(pl.lit("epoch_ms"))
        .when(size < 1e17)
        .then(pl.lit("epoch_us"))
        .otherwise(pl.lit("epoch_ns"))
    )


_SYSLOG = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
_SIX = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SCALES: Mapping[str, Mapping[int, str]] = {
    "syslog": dict(enumerate(_SYSLOG)),
    "otel": {number: _SIX[(number - 1) // 4] for number in range(1, 25)},
    "python": dict(zip((5, 10, 20, 30, 40, 50), _SIX, strict=True)),
    "logback": {5000: "TRACE", 10000: "DEBUG", 20000: "INFO", 30000: "WARN", 40000: "ERROR", 50000: "FATAL"},
    "windows": {0: "INFO", 1: "FATAL", 2: "ERROR", 3: "WARN", 4: "INFO", 5: "DEBUG"},
    "suricata": {1: "ERROR", 2: "WARN", 3: "INFO", 4: "INFO", 255: "INFO"},
    "wazuh": {n: "INFO" if n < 4 else "WARN" if n < 7 else "ERROR" if n < 12 else "FATAL" for n in range(17)},
    "cef": {n: "INFO" if n < 4 else "WARN" if n < 7 else "ERROR" if n < 9 else "FATAL" for n in range(11)},
    "": dict(enumerate(_SYSLOG)) | dict(zip(range(10, 70, 10), _SIX, strict=True)),
}
"""Scales of numeric levels: syslog's (RFC 5424), OpenTelemetry's SeverityNumber, Python's logging, logback's, Windows'
event levels, Suricata's alert priority, Wazuh's rule level, CEF's severity (low, medium, high, very high; CVSS divides
its scores alike); where no key tells the scale, 0 to 7 are syslog's and the tens bunyan's and pino's."""


_GRADES: Mapping[str, str] = {
    **dict.fromkeys(("low", "p4", "p5", "minor", "sev4", "sev5"), "INFO"),
    **dict.fromkeys(("medium", "moderate", "p3", "sev3", "average"), "WARN"),
    **dict.fromkeys(("high", "major", "p2", "sev2"), "ERROR"),
    **dict.fromkeys(("very-high", "very high", "p1", "sev1", "blocker"), "FATAL"),
}
"""Words by which alerts are graded: CEF's, Elastic's, Opsgenie's priorities, incidents' severities, Zabbix' average."""


def _severity(hint: str) -> Reading:
    """Keep a level as it is written; give `_severity` where it is a number. One with a point is a score of ten."""
    number = pl.when(VALUE.str.contains(r"^\d{1,5}$")).then(VALUE).cast(pl.Int64, strict=False)
    score = VALUE.str.extract(r"^(\d{1,2})\.\d{1,2}$", 1).cast(pl.Int64, strict=False)
    scale = _SCALES.get(hint, _SCALES[""])
    ours = pl.coalesce(
        number.replace_strict(dict(scale), default=None, return_dtype=pl.String),
        score.replace_strict(dict(_SCALES["cef"]), default=None, return_dtype=pl.String),
    )
    if hint == LIKELY:
        return _all("severity_text", pl.when((FORM == TEXT) & severity(VALUE).is_not_null()).then(VALUE))
    graded = VALUE.str.to_lowercase().replace_strict(dict(_GRADES), default=None, return_dtype=pl.String)
    word = {"severity_text": VALUE, "_severity": pl.lit(None, pl.String)}
    columns = {"severity_text": _text(), "_severity": pl.coalesce(ours, graded)}
    return Reading(columns, pl.lit(True), (FORM == TEXT) & VALUE.is_in(_WORDS_IN_USE), word)


_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "FATAL")
_WORDS_IN_USE = (*_LEVELS, *(word.lower() for word in _LEVELS))
"""The words for levels that are read without a look at their digits and grades."""


_TRACE = (
    r'(?m)\n\s*at \S|^Traceback \(most|\nCaused by:|\n\s+File "|^goroutine \d+|\n\s+\S+\.(?:go|rb|py|js|ts|php|cs):\d+'
    r"|^\s*[\w.$]+(?:Exception|Error)\b[^\n]*\n|\n#\d+ "
)
_TEXTS = r'^\[\s*(?:"(?:[^"\\]|\\.)*"\s*,?\s*)+\]$'


def _stack_trace(hint: str) -> Reading:
    """Take a trace: text (one that looks like it, where the key alone does not tell), or a list of its lines."""
    listed = (FORM == ARRAY) & VALUE.str.contains(_TEXTS)
    lines = pl.when(listed).then(VALUE).str.json_decode(pl.List(pl.String)).list.join("\n")
    said = (FORM == TEXT) & (VALUE != "")
    said = said & VALUE.str.contains(_TRACE) if hint == "maybe" else said
    return _all("stack_trace", pl.when(said).then(VALUE).when(listed).then(lines))


def _one_line(column: str) -> Callable[[str], Reading]:
    """Take text of one line: what spans several under such a key is a stack trace or prose."""
    return lambda _: _all(column, pl.when((FORM == TEXT) & ~VALUE.str.contains("\n", literal=True)).then(_text()))


def _message(_: str) -> Reading:
    """Take text; a number is none, and the line end that a shipper kept says nothing."""
    said, ends = (FORM == TEXT) & (VALUE != ""), VALUE.str.ends_with("\n") | VALUE.str.ends_with("\r")
    told = {"message": pl.when(said).then(VALUE.str.strip_chars_end("\r\n"))}
    return Reading(told, pl.lit(True), said & ~ends, {"message": VALUE})


_ADDRESS = (
    r"^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\d{1,3}(?:\.\d{1,3}){3})?(?:%\w+)?)$"
)
_WITH_PORT = r"^\[?([^\[\]]+?)\]?:(\d{1,5})$"
_PORTED = r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.%\w]+\]):\d{1,5}$"


def _address(column: str) -> Callable[[str], Reading]:
    """Take an IP address, with or without a port beside it."""
    port = {"source_ip": "source_port", "destination_ip": "destination_port"}[column]

    def read(_: str) -> Reading:
        ported = VALUE.str.contains(_PORTED)
        alone = VALUE.str.strip_chars("[]")
        address = pl.when(ported).then(VALUE.str.extract(_WITH_PORT, 1)).when(alone.str.contains(_ADDRESS)).then(alone)
        number = pl.when(ported).then(VALUE.str.extract(_WITH_PORT, 2).cast(pl.Int32, strict=False))
        return Reading({column: pl.when(FORM == TEXT).then(address), port: number}, pl.lit(True))

    return read


_FIRST = r'^[\[\s"]*(?:for=)?"?\[?([0-9A-Fa-f:.]+?)\]?(?::\d+)?"?(?:[,;\s"].*)?\]?$'


def _client_ip(_: str) -> Reading:
    """Take the leftmost address of a list as proxies write it; a list of several stays in `extra` too."""
    first = VALUE.str.extract(r"^\[?\"?([^,\"\]]+)", 1).str.strip_chars(' "')
    bare = (
        pl.when(first.str.contains(_PORTED))
        .then(first.str.extract(_WITH_PORT, 1))
        .otherwise(first.str.strip_chars("[]"))
    )
    usable = FORM.is_in([TEXT, ARRAY]) & bare.str.contains(_ADDRESS)
    return Reading({"client_ip": pl.when(usable).then(bare)}, ~VALUE.str.contains(",", literal=True))


_METHOD = (
    "^(?i:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|PROPFIND|PROPPATCH|MKCOL|COPY|MOVE|LOCK|UNLOCK|REPORT"
    "|SEARCH|PURGE|MKCALENDAR|ACL|SUBSCRIBE|UNSUBSCRIBE|NOTIFY|M-SEARCH|LINK|UNLINK|PRI|DEBUG|TRACK)$"
)


def _method(_: str) -> Reading:
    return _all("http_method", pl.when((FORM == TEXT) & VALUE.str.contains(_METHOD)).then(VALUE))


def _status(_: str) -> Reading:
    code = _integer("http_status_code")
    return _all("http_status_code", pl.when(code.is_between(100, 999)).then(code))


def _url(_: str) -> Reading:
    """Split a URL into path and query; its scheme and host are not lost: such a URL stays in `extra` too."""
    absolute = VALUE.str.contains(r"^[A-Za-z][\w+.-]*://")
    local = pl.when(absolute).then(VALUE.str.extract(r"^[A-Za-z][\w+.-]*://[^/?#]*(.*)$", 1)).otherwise(VALUE)
    halves = local.str.splitn("?", 2)
    path = (
        pl.when(absolute & (halves.struct.field("field_0") == ""))
        .then(pl.lit("/"))
        .otherwise(halves.struct.field("field_0"))
    )
    usable = (FORM == TEXT) & VALUE.str.contains(r"^/|^\*$|^[A-Za-z][\w+.-]*://")
    columns = {
        "url_path": pl.when(usable).then(path),
        "url_query": pl.when(usable).then(halves.struct.field("field_1")),
    }
    return Reading(columns, ~absolute)


_UNITS: Mapping[str, float] = {
    "ns": 1e-6,
    "us": 1e-3,
    "µs": 1e-3,
    "μs": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "m": 6e4,
    "h": 3.6e6,
}
_GO = r"^(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?$"
_WITH_UNIT = r"^(\d+(?:\.\d+)?) ?(ns|us|µs|μs|ms|s|m|h|sec|secs|seconds|msec|millis|milliseconds)$"
_WORDS = {"sec": "s", "secs": "s", "seconds": "s", "msec": "ms", "millis": "ms", "milliseconds": "ms"}
_DAYTIME = r"^(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)$"


def _duration(hint: str) -> Reading:
    """Take a duration in milliseconds: by the unit in the text, else by the key's; without either it is none."""
    unit = VALUE.str.extract(_WITH_UNIT, 2)
    factor = unit.replace(_WORDS).replace_strict(dict(_UNITS), default=None, return_dtype=pl.Float64)
    told = VALUE.str.extract(_WITH_UNIT, 1).cast(pl.Float64, strict=False) * factor
    go = VALUE.str.extract_groups(_GO)
    parts = [go.struct.field(name).cast(pl.Float64, strict=False).fill_null(0.0) * _UNITS[name] for name in "hms"]
    clock = [VALUE.str.extract(_DAYTIME, place).cast(pl.Float64, strict=False) for place in range(1, 5)]
    days = clock[0].fill_null(0.0) * 24 * 3.6e6 + clock[1] * 3.6e6 + clock[2] * 6e4 + clock[3] * 1e3
    number = VALUE.cast(pl.Float64, strict=False) * _factor(hint)
    texts = (
        pl.when(unit.is_not_null())
        .then(told)
        .when(VALUE.str.contains(r"^\d+h?\d*m?[\d.]+s$"))
        .then(pl.sum_horizontal(parts))
        .when(VALUE.str.contains(_DAYTIME))
        .then(days)
        .otherwise(number)
    )
    usable = (FORM <= NUMBER) & (texts >= 0) & texts.is_finite()
    told = pl.when(usable).then(pl.when(FORM == NUMBER).then(number).otherwise(texts))
    columns = {"duration_ms": told}
    return Reading(columns, pl.lit(True), (FORM == NUMBER) & (number >= 0), {"duration_ms": number})


def _factor(hint: str) -> pl.Expr:
    """Give milliseconds per unit; `time-taken` is seconds with a point (W3C's draft), else milliseconds (IIS)."""
    if hint == "w3c":
        return pl.when(VALUE.str.contains(".", literal=True)).then(1e3).otherwise(1.0)
    return pl.lit(_UNITS.get(hint), pl.Float64)


def _kind(_: str) -> Reading:
    """Take `alert` or `event`; Elastic's `signal` is an alert."""
    word = VALUE.str.to_lowercase()
    return Reading(
        {"event_kind": pl.when(word.is_in(["alert", "signal"])).then(pl.lit("alert")).when(word == "event").then(word)},
        VALUE.is_in(["alert", "event"]),
    )


def _outcome(_: str) -> Reading:
    """Take the word; `true` and `false` are success and failure."""
    truth = VALUE.replace_strict({"true": "success", "false": "failure"}, default=None, return_dtype=pl.String)
    return Reading({"event_outcome": pl.when(FORM == LITERAL).then(truth).otherwise(_text())}, FORM != LITERAL)


_READERS: Mapping[str, Callable[[str], Reading]] = {
    "timestamp_text": _time,
    "severity_text": _severity,
    "message": _message,
    "exception_type": _one_line("exception_type"),
    "exception_message": _one_line("exception_message"),
    "stack_trace": _stack_trace,
    "source_ip": _address("source_ip"),
    "destination_ip": _address("destination_ip"),
    "client_ip": _client_ip,
    "http_method": _method,
    "http_status_code": _status,
    "url_path": _url,
    "duration_ms": _duration,
    "event_kind": _kind,
    "event_outcome": _outcome,
}
