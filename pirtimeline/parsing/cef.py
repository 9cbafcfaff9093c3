r"""Events of kinds `cef` and `leef`: alerts and events that security products send to a SIEM.

CEF: "ArcSight Common Event Format, Implementation Standard": seven fields between pipes, then `key=value` pairs whose
values may hold blanks; `\|`, `\=`, `\\` and `\n` are escapes. LEEF: IBM's "QRadar Log Event Extended Format", versions
1 and 2: five fields between pipes, then pairs between tabs, or between what version 2 names in a sixth field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from pirtimeline.parsing.extras import objects
from pirtimeline.parsing.fields import field_map, known
from pirtimeline.parsing.pairs import assign
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.values import TEXT

_CEF_NAMES = ("cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "severity")
_LEEF_NAMES = ("leefVersion", "leefVendor", "leefProduct", "leefProductVersion", "leefEventId")

_BEFORE = r"^[\s\x{FEFF}]*(?:<\d{1,3}>)?\s*"
_FIELD = r"((?:[^|\\]|\\.)*)"
_CEF = rf"(?s){_BEFORE}(?:CEF:\s?)?(\d(?:\.\d)?)\|{_FIELD}\|{_FIELD}\|{_FIELD}\|{_FIELD}\|{_FIELD}\|{_FIELD}\|?(.*)$"
_LEEF = rf"(?s){_BEFORE}(?:LEEF:\s?)?(\d(?:\.\d)?)\|{_FIELD}\|{_FIELD}\|{_FIELD}\|([^|\t]*)\|?(.*)$"

_PIECE, _SPLIT = "\x1e", "\x1f"
_KEY = r"[A-Za-z_][\w.\[\]-]*"


def looks_like_cef(text: pl.Expr) -> pl.Expr:
    """Test whether a line is CEF, behind a syslog priority too, and where a relay cut its first four letters off.

    Example:
        >>> lines = ["CEF:0|Acme|Watch|1|7|down|9|", "0|Acme|Watch|1|7|down|9|rt=1", "a|b|c"]
        >>> pl.DataFrame({"t": lines}).select(looks_like_cef(pl.col("t"))).to_series().to_list()
        [True, True, False]
    """
    head = r"[01](?:\.\d)?\|(?:(?:[^|\\]|\\.)*\|){5}(?:\d{1,2}|[A-Za-z -]{3,10})?\|"
    return text.str.contains(rf"{_BEFORE}(?:CEF:\s?\d(?:\.\d)?\||{head})")


def looks_like_leef(text: pl.Expr) -> pl.Expr:
    r"""Test whether a line is LEEF, also where a relay took its first word for the name of a process.

    Example:
        >>> lines = ["LEEF:1.0|Acme|Watch|1|7|src=192.0.2.1", "2.0|Acme|Watch|1|7|^|src=192.0.2.1", "LEEF"]
        >>> pl.DataFrame({"t": lines}).select(looks_like_leef(pl.col("t"))).to_series().to_list()
        [True, True, False]
    """
    head = rf"[12]\.\d\|(?:[^|\t]*\|){{4}}(?:[^|\t]{{0,6}}\|)?{_KEY}="
    return text.str.contains(rf"{_BEFORE}(?:LEEF:\s?\d(?:\.\d)?\||{head})")


def read_cef(texts: pl.Series, one: Format) -> pl.DataFrame:
    r"""Read one CEF event a text; see `json_lines.read` for the result.

    A custom field that has a label (`cs1Label=service cs1=shop`) also counts as a field of that name.

    Example:
        >>> mine = Format(name="mine", title="", kind="cef")
        >>> found = read_cef(pl.Series([r"CEF:0|Acme|Watch|1|7|too \| slow|8|rt=1795424010133 msg=a\=b c cs1=x"]), mine)
        >>> found.select("timestamp_text", "rule_name", "message", "event_code", "_severity", "event_kind").rows()
        [('1795424010133', 'too | slow', 'a=b c', '7', 'ERROR', 'alert')]
        >>> found["extra"][0]
        '{"cefVersion":"0","deviceVendor":"Acme","deviceProduct":"Watch","deviceVersion":"1","cs1":"x"}'
    """
    groups = texts.str.extract_groups(_CEF).struct.unnest()
    header = _header(groups, _CEF_NAMES, {r"\|": "|", r"\\": "\\"})
    return _read(texts, one, pl.concat([header, _pairs(groups["8"])]), groups["1"].is_not_null(), "CEF")


def read_leef(texts: pl.Series, one: Format) -> pl.DataFrame:
    r"""Read one LEEF event a text; see `json_lines.read` for the result.

    Example:
        >>> mine = Format(name="mine", title="", kind="leef")
        >>> lines = ["LEEF:2.0|Acme|Watch|1|login|^|src=192.0.2.1^usrName=ann lee^n=1"]
        >>> read_leef(pl.Series(lines), mine).select("source_ip", "user_name", "event_code").rows()
        [('192.0.2.1', 'ann lee', 'login')]
    """
    groups = texts.str.extract_groups(_LEEF).struct.unnest()
    header = _header(groups, _LEEF_NAMES, {})
    return _read(texts, one, pl.concat([header, _leef_pairs(groups)]), groups["1"].is_not_null(), "LEEF")


_DELIMITER = r"^((?:0?x[0-9A-Fa-f]{2,4}|[^\sA-Za-z0-9|])?)\|"


def _leef_pairs(groups: pl.DataFrame) -> pl.DataFrame:
    """Split pairs at what version 2 names as delimiter, at tabs, and where there is neither, at blanks before a key."""
    written = pl.when(pl.col("1").str.starts_with("2")).then(pl.col("6").str.extract(_DELIMITER, 1))
    told = groups.select(
        delimiter=written.replace("", None).fill_null("\t"),
        body=pl.when(written.is_not_null()).then(pl.col("6").str.replace(_DELIMITER, "")).otherwise(pl.col("6")),
    ).with_row_index("row")
    found = [
        _split_by(part["body"], _character(name)).with_columns(
            pl.col("row").replace_strict(dict(enumerate(part["row"])))
        )
        for (name,), part in told.group_by("delimiter", maintain_order=True)
    ]
    return pl.concat([_NO_PAIRS, *found])


def _character(name: object) -> str:
    """Resolve a delimiter that is written as a hexadecimal number."""
    text = str(name)
    return chr(int(text.lstrip("0x") or "0", 16)) if len(text) > 1 else text


def _split_by(bodies: pl.Series, delimiter: str) -> pl.DataFrame:
    parted = bodies.str.contains(delimiter, literal=True) | (bodies.str.count_matches("=", literal=True) < 2)
    between = _PIECE + bodies.str.replace_all(delimiter, _PIECE, literal=True)
    blanks = bodies.str.replace_all(rf"(?:^|\s)({_KEY})=", f"{_PIECE}${{1}}=")
    marked = pl.select(pl.when(parted).then(between).otherwise(blanks)).to_series()
    return _split(marked.str.replace_all(rf"{_PIECE}\s*({_KEY})=", f"{_PIECE}${{1}}{_SPLIT}"))


_NO_PAIRS = pl.DataFrame(schema={"row": pl.Int64, "name": pl.String, "value": pl.String})


def _pairs(bodies: pl.Series) -> pl.DataFrame:
    """Split CEF's extension: a value ends where a blank and the next key begin."""
    safe = bodies.str.replace_many([_PIECE, _SPLIT], [" ", " "])
    found = _split(safe.str.replace_all(rf"(?:^|\s)({_KEY})=", f"{_PIECE}${{1}}{_SPLIT}"))
    escapes = [r"\\", r"\=", r"\|", r"\n", r"\r"]
    return found.with_columns(pl.col("value").str.replace_many(escapes, ["\\", "=", "|", "\n", "\r"]))


def _split(marked: pl.Series) -> pl.DataFrame:
    """Take marked texts apart: `row`, `name`, `value`; what stands before the first key has the name `rest`."""
    pieces = pl.DataFrame({"row": np.arange(len(marked)), "piece": marked.str.split(_PIECE)}).explode("piece")
    pieces = pieces.filter(pl.col("piece").str.strip_chars() != "")
    halves = pl.col("piece").str.splitn(_SPLIT, 2).struct
    keyed = halves.field("field_1").is_not_null()
    return pieces.select(
        "row",
        name=pl.when(keyed).then(halves.field("field_0")).otherwise(pl.lit("rest")),
        value=pl.coalesce(halves.field("field_1"), "piece").str.strip_chars(),
    )


def _header(groups: pl.DataFrame, names: Sequence[str], escapes: Mapping[str, str]) -> pl.DataFrame:
    """Give the fields between pipes as pairs."""
    plain = [pl.col(str(place)).str.replace_many(escapes).alias(name) for place, name in enumerate(names, 1)]
    told = groups.select(plain).with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
    long = told.unpivot(names, index="row", variable_name="_name", value_name="_value").drop_nulls("_value")
    return long.rename({"_name": "name", "_value": "value"})


def _read(texts: pl.Series, one: Format, found: pl.DataFrame, good: pl.Series, kind: str) -> pl.DataFrame:
    """Fill columns from pairs of all texts, and say which texts have none."""
    found = found.sort("row", maintain_order=True)
    labelled = pl.concat([found.with_columns(alias=pl.lit(False)), _labelled(found)]).sort("row", maintain_order=True)
    names = labelled["name"].unique(maintain_order=True).to_list()
    key = labelled["name"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64) if names else pl.lit(0)
    pairs = labelled.select("row", "value", key=key, form=pl.lit(TEXT, pl.UInt8))
    columns, used = assign(pairs, names, len(texts), one)
    keep = ~used & ~labelled["alias"].to_numpy()
    reason = pl.when(~good).then(pl.lit(f"not {kind}: fewer fields between pipes than its header has"))
    return columns.with_columns(objects(pairs, names, keep, len(texts)), _reject=reason)


def _labelled(found: pl.DataFrame) -> pl.DataFrame:
    """Give custom fields once more under their labels (`cs1Label=service cs1=shop`), where the label is a known key."""
    table = field_map()
    labels = found.filter(pl.col("name").str.ends_with("Label"))
    words = labels["value"].unique().to_list()
    labels = labels.filter(pl.col("value").is_in([word for word in words if known(table, word)]))
    named = labels.select("row", label="value", name=pl.col("name").str.strip_suffix("Label"))
    joined = found.join(named, on=["row", "name"], maintain_order="left")
    return joined.select("row", name="label", value="value", alias=pl.lit(True))
