"""Map the words and numbers by which logs say how grave an event is onto the six severities of OpenTelemetry.

Sources: syslog's RFC 5424 (table 2), java.util.logging and the JDK's own translations of its levels, log4j, Python's
`logging`, PostgreSQL's message severities and their translations, MySQL's and MongoDB's, Apache httpd's `LogLevel`,
glog's letters, Serilog's three letters, pino's and bunyan's numbers, OpenTelemetry's log data model.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from pirtimeline.parsing.distinct import by_distinct
from pirtimeline.schema import SEVERITY

_WORDS: Mapping[str, str] = {
    "TRACE": "trace trc trce finest finer verbose vrb verb v t all silly "
    "trace1 trace2 trace3 trace4 trace5 trace6 trace7 trace8",
    "DEBUG": "debug dbg debg dbug debugging fine config d debug1 debug2 debug3 debug4 debug5 "
    "ddebug subdebug d1 d2 d3 d4 d5 diagnostic",
    "INFO": "info inf ii information informational informative infos notice notic ntc note i n log audit "
    "notification system msg message success successaudit auditsuccess default normal status",
    "WARN": "warn wrn ww warning warnings w deprecation deprecated",
    "ERROR": "error err ee eror errors e severe sever failure failed failureaudit auditfailure exception",
    "FATAL": "fatal ftl incident_error critical crit crt emerg emergency emrg alert alrt panic pnc dpanic f c fault "
    "off_the_scale disaster",
}

_TRANSLATED: Mapping[str, str] = {
    "TRACE": "feiner|am feinsten|feinstes|plus précis|le plus précis|muy detallado|más detallado|migliore|ottimale"
    "|mais detalhado|o mais detalhado|najdrobniejszy|ślad|трассировка|较详细|非常详细|較詳細|最詳細|最も詳細"
    "|보다 미세|가장 미세|추적|トレース|finare|finast",
    "DEBUG": "fein|konfiguration|précis|configurer|configuration|detallado|configurar|configuración|buono"
    "|configurazione|detalhado|configuração|konfiguracja|konfiguracyjny|отладка|конфигурация|configuratie"
    "|配置|详细|詳細|組態|構成|普通|구성|미세|디버그|デバッグ|调试|偵錯|fin|debugowanie",
    "INFO": "information|hinweis|meldung|protokoll|journal|información|informações|informação|informazioni"
    "|informazione|informacja|informacje|информация|инфо|сообщение|замечание|informatie|melding|信息|資訊|情報|정보"
    "|日志|注意|ログ|로그|registro|dziennik|uwaga|avis",
    "WARN": "warnung|attention|avertissement|advertencia|avvertenza|avvertimento|attenzione|advertência|aviso"
    "|ostrzeżenie|предупреждение|внимание|waarschuwing|varning|警告|경고",
    "ERROR": "schwerwiegend|fehler|grave|erreur|errore|erro|poważny|błąd|ошибка|серьезно|серьёзно|ernstig|fout"
    "|allvarlig|fel|严重|嚴重|重大|错误|錯誤|エラー|심각|오류",
    "FATAL": "kritisch|fatale|critique|crítico|critico|krytyczny|katastrofalny|критическая|критично|важно|паника"
    "|kritiek|fataal|致命的|致命错误|致命|위험|치명적|panik|panique|panico|pânico",
}


def _table() -> Mapping[str, str]:
    words = {word: level for level, line in _WORDS.items() for word in line.split()}
    translated = {word: level for level, line in _TRANSLATED.items() for word in line.split("|")}
    return MappingProxyType(translated | words)


LEVEL_WORDS: Mapping[str, str] = _table()
"""Each known word in lower case, and which of `schema.SEVERITIES` it means."""

ENGLISH_WORDS = frozenset(word for line in _WORDS.values() for word in line.split())
"""Those of the words that are not translations."""

SYSLOG_WORDS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
"""Syslog's severities by number."""

_BRACKETS = "[](){}<>:|,;=*\"' \t"

_LOUD = (
    "TRACE|DEBUG|INFO|INFORMATION|NOTIFICATION|NOTICE|WARN|WARNING|ERROR|SEVERE|FINE|FINER|FINEST|CRITICAL|CRIT|FATAL|INCIDENT_ERROR|ALERT|EMERG"
    "|EMERGENCY|PANIC|SUCCESS"
)
_SPOKEN = "trace|debug|info|notice|warn|warning|error|err|critical|crit|fatal|alert|emerg|panic"
_SHORT = "VRB|TRC|DBG|INF|WRN|ERR|FTL"
_PLACES = (
    # level=error, "severity": "WARN", log.level: info - but not inside a query string
    r'(?:^|[\s,;{\[(|])["\']?(?:log[._-]?)?(?:level|lvl|severity|loglevel|levelname)["\']?\s*[=:]\s*["\']?'
    rf"((?i:{_SPOKEN}|severe|verbose|information|informational))\b",
    # what a platform's router says of a request
    rf"(?:^|\s)at=({_SPOKEN}) (?:code|method)=",
    # ERROR: or [error] or <Warning> first of all
    rf"^[\s\[\](){{}}<>|*#=-]{{0,8}}({_LOUD})\b",
    rf"^\s*[\[<(]((?i:{_SPOKEN}))[\])>]",
    rf"^\s*((?i:{_SPOKEN}|severe))\s?:\s",
    # `imap-login: Info: `, `unbound[71:0] error: `, `system,error,critical login failure`
    rf"^[A-Za-z][\w.@()<>/:\[\]-]{{0,60}}[:\])>]:? ((?i:{_SPOKEN}))\s?:\s",
    rf"^[a-z][a-z-]{{2,12}},(?:[a-z-]{{2,12}},)*?((?i:{_SPOKEN}))(?:[ ,])",
    # a field by itself among others: `,ERR,`, a tab on both sides; `(ERROR):` behind a function
    rf'^(?:[^,\n]*,){{1,14}}"?({_LOUD}|{_SHORT})"?(?:,|$)',
    rf'^(?:[^\t\n]*\t){{1,14}}"?({_LOUD}|{_SHORT})"?(?:\t|$)',
    rf"^.{{0,120}}?\(({_LOUD})\)\s?:\s",
    # [ERROR], |WARN|, [core:error] or Solaris' [ID 702911 auth.error] a little later
    rf"^.{{0,120}}?[\[|]\s?(?:ID \d+ )?(?:[a-z0-9_]+[:.])?({_LOUD}|{_SPOKEN})\s{{0,9}}[\]|]",
    # a shouted word behind a thread, or between two fields near the start
    rf"^\[[^\[\]]{{1,60}}\]\s+({_LOUD})\s",
    rf"^.{{0,60}}?(?:\s|[\])|-])({_LOUD})\s?(?::\s|\s-\s|\s\[|\s+\|)",
    r"^PHP (?:Parse |Recoverable |Core |User )?((?i:warning|notice|deprecated|fatal|error))",
    # SAP's work processes, below the line that dates them
    rf"(?:^|\n)(?:[A-Z] )? {{0,2}}\*{{3}} ({_LOUD})(?-u:\b)",
    # X.Org's marks, and PostgreSQL's csvlog
    r"^\((EE|WW|II)\) ",
    rf',"({_LOUD}|LOG)","[0-9A-Z]{{5}}",',
    # java.util.logging's second line, in the languages that Java speaks
    r"^[^\n]{1,300}\n((?i:"
    + "|".join(sorted((one for one in LEVEL_WORDS if len(one) > 2), key=len)[::-1])
    + r"))\s?: ",
)
_NEEDLES = (
    *_SPOKEN.split("|"),
    "severe",
    "verbose",
    "information",
    "fine",
    "success",
    "notification",
    "(ee)",
    "(ww)",
    "(ii)",
    '"log","',
    *_SHORT.lower().split("|"),
)
_CODED = r"(?m)^\W{0,3}[A-Z]{3,7}[0-9]{3,5}(?: ?)([IWE])\b"
"""An IBM message id, whose last letter is the level: `ANS1017E`, `DFHSI1517 I`."""


def severity(text: pl.Expr) -> pl.Expr:
    """Map the word in a log (any case, in brackets or not) to one of our severities, null where it is unknown.

    Example:
        >>> words = pl.DataFrame({"severity_text": ["WARNING", "[error]", "Schwerwiegend", "I", "GET", None]})
        >>> words.select(severity(pl.col("severity_text"))).to_series().to_list()
        ['WARN', 'ERROR', 'ERROR', 'INFO', None, None]
    """
    word = text.str.strip_chars(_BRACKETS).str.to_lowercase()
    return word.replace_strict(dict(LEVEL_WORDS), default=None, return_dtype=SEVERITY)


def mapped(text: pl.Expr, own: Mapping[str, str]) -> pl.Expr:
    """Map the words of a format to severities as it declares them, whatever their case; null where it does not.

    Example:
        >>> pl.select(mapped(pl.lit("Gone"), {"gone": "FATAL"})).item()
        'FATAL'
    """
    known = {word.lower(): level for word, level in own.items()}
    return text.str.to_lowercase().replace_strict(known, default=None, return_dtype=SEVERITY)


def severities(words: pl.Series, own: Mapping[str, str]) -> pl.Series:
    """Map a column of words, of which there are few, by what a format declares of its own, else as `severity` does.

    Example:
        >>> severities(pl.Series(["warn", "gone", "x"]), {"gone": "FATAL"}).to_list()
        ['WARN', 'FATAL', None]
    """
    word = pl.col("word")
    ours = pl.coalesce(mapped(word, own), severity(word)) if own else severity(word)
    return by_distinct(words, lambda texts: texts.to_frame("word").select(ours).to_series())


def syslog_severity(number: pl.Expr) -> pl.Expr:
    """Map syslog's 0 (emergency) to 7 (debug) to our severities; null outside (RFC 5424, table 2).

    Example:
        >>> pl.DataFrame({"n": [0, 3, 4, 6, 9]}).select(syslog_severity(pl.col("n"))).to_series().to_list()
        ['FATAL', 'ERROR', 'WARN', 'INFO', None]
    """
    names = ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")
    return number.cast(pl.Int64).replace_strict(dict(enumerate(names)), default=None, return_dtype=SEVERITY)


def pino_severity(number: pl.Expr) -> pl.Expr:
    """Map pino's and bunyan's 10 (trace) to 60 (fatal), and levels set between them, to our severities.

    Example:
        >>> pl.DataFrame({"n": [10, 30, 35, 50, 7]}).select(pino_severity(pl.col("n"))).to_series().to_list()
        ['TRACE', 'INFO', 'INFO', 'ERROR', None]
    """
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    tens = number.cast(pl.Int64) // 10 - 1
    return tens.replace_strict(dict(enumerate(names)), default=None, return_dtype=SEVERITY)


def otel_severity(number: pl.Expr) -> pl.Expr:
    """Map OpenTelemetry's `SeverityNumber`, 1 to 24, four to a range, to our severities.

    Example:
        >>> pl.DataFrame({"n": [1, 9, 13, 24, 25]}).select(otel_severity(pl.col("n"))).to_series().to_list()
        ['TRACE', 'INFO', 'WARN', 'FATAL', None]
    """
    names = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    range_ = (number.cast(pl.Int64) - 1).floordiv(4)
    return range_.replace_strict(dict(enumerate(names)), default=None, return_dtype=SEVERITY)


def find_level(message: pl.Expr) -> pl.Expr:
    """Find the level word of a message whose header has none, where it stands in an unmistakable place.

    Such are `level=error`, `[error]`, `ERROR:` first of all or after a few fields; a word within a sentence is none.

    Example:
        >>> texts = ["time=3 level=warn msg=slow", "ERROR: no route", "[core:error] AH00035", "the error was mine"]
        >>> pl.DataFrame({"message": texts}).select(find_level(pl.col("message"))).to_series().to_list()
        ['warn', 'ERROR', 'error', None]
    """
    first = message.str.head(400)
    return pl.coalesce([first.str.extract(place, 1) for place in (*_PLACES, _CODED)])


def found_levels(messages: pl.Series) -> pl.Series:
    """Find the level words of messages as `find_level` does, looking closely only at those that hold such a word.

    Example:
        >>> found_levels(pl.Series(["ERROR: no route", "all is well", None])).to_list()
        ['ERROR', None, None]
    """
    first = messages.rename("message").str.head(400)
    held = first.str.contains_any(list(_NEEDLES), ascii_case_insensitive=True) | first.str.contains("\n", literal=True)
    held |= first.str.contains(_CODED)
    rows = held.fill_null(False).arg_true()
    none = pl.repeat(None, len(first), dtype=pl.String, eager=True).alias("word")
    if rows.is_empty():
        return none
    return none.scatter(rows, first.gather(rows).to_frame().select(find_level(pl.col("message"))).to_series())


def with_found(table: pl.DataFrame) -> pl.DataFrame:
    """Let messages say the level that nothing else in an event does.

    Example:
        >>> with_found(pl.DataFrame({"message": ["ERROR: no route", "fine"]}))["severity"].to_list()
        ['ERROR', None]
    """
    if "severity_text" not in table.columns:
        table = table.with_columns(severity_text=pl.lit(None, pl.String))
    if "severity" not in table.columns:
        table = table.with_columns(severity=pl.lit(None, SEVERITY))
    missing = (table["severity_text"].is_null() & table["severity"].is_null()).arg_true()
    if not len(missing):
        return table
    words = found_levels(table["message"].gather(missing))
    found = severities(words, {})
    text = table["severity_text"].scatter(missing, words)
    return table.with_columns(text, table["severity"].scatter(missing, found))
