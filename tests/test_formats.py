"""Format files: the rules of the loader, and every format that comes with the program held against them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pirtimeline_parsers
from pirtimeline.errors import FormatError
from pirtimeline.parsing import framing
from pirtimeline.parsing.detect import detect
from pirtimeline.parsing.formats import inspect, load, parse
from pirtimeline.parsing.places import line_of
from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.samples import faults_of, file_errors, load_checked, said_of

FILES = sorted(Path(pirtimeline_parsers.__file__).parent.glob("*.toml"))
FORMATS = {path.stem: load(path) for path in FILES}

WEB = {"access_log", "httpd_access", "nginx_access", "tomcat_access"}
"""Formats of one family: their lines can be alike, and the path decides."""

MAY_SHARE = [WEB]

PROSE = [
    "",
    "The release of 14 March 2031 went well, and 3 of 5 probes were green at 08:15:42.",
    "ERROR",
    "INFO: this is a sentence that begins with a level",
    "at 2031-03-14 08:15:42 the pool ran dry",
    "    at org.example.shop.Cart.add(Cart.java:41)",
    "Caused by: java.sql.SQLException: no connection",
    "java.lang.OutOfMemoryError: Java heap space",
    "0.123: seconds, as measured",
    "Mar 14 is a Friday: nobody deploys",
    "[x] done: write the report",
    "(root) said CMD (and nothing else)",
    "<p>14-Mar-2031 08:15:42</p>",
    "GET /index.html HTTP/1.1",
    '{"colour": "blue"}',
    "key=value other=thing",
]

GOOD = """title = "acme"
url = "https://www.example.org/"

[[pattern]]
regex = '^(?P<timestamp_text>\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d) (?P<severity_text>[A-Z]+) (?P<message>.*)$'
time  = "%Y-%m-%d %H:%M:%S"

[[sample]]
text   = '2031-03-14 08:15:42 WARN low'
expect = { severity = "WARN", message = "low", local_timestamp = 2031-03-14T08:15:42 }
"""

BROKEN = {
    "a_key_that_is_unknown": (("time  =", "tiem  ="), 6, "unknown key 'tiem'", "'time'"),
    "no_title": (('title = "acme"', ""), 1, "missing key 'title'", ""),
    "no_sample": (("[[sample]]", "[[pattern]]"), 9, "unknown key 'text'", ""),
    "a_title_that_is_a_number": (('"acme"', "3"), 1, "'title' must be a string", ""),
    "a_kind_that_is_unknown": (('url = "https://www.example.org/"', 'kind = "yaml"'), 2, "unknown kind 'yaml'", "json"),
    "a_zone_of_its_own": (('url = "https://www.example.org/"', 'zone = "Europe/Berlin"'), 2, "only be UTC", "--zone"),
    "look_around": (("(?P<message>.*)$", "(?!x)(?P<message>.*)$"), 5, "look-around", "Rust"),
    "a_back_reference": (("(?P<message>.*)$", r"(?P<message>.*)\1$"), 5, "backreferences are not supported", "Rust"),
    "an_unclosed_group": (("(?P<message>.*)$", "(?P<message>.*$"), 5, "unclosed group", "Rust"),
    "no_anchor": (("'^(?P", "'(?P"), 5, "not anchored", "^"),
    "a_column_that_does_not_exist": (("P<message>", "P<mesage>"), 5, "'mesage' is no column", "'message'"),
    "a_column_of_the_engine": (("P<severity_text>", "P<severity>"), 5, "filled by the engine alone", "severity_text"),
    "a_unit_that_does_not_exist": (("P<message>", "P<duration_ms__weeks>"), 5, "unknown unit 'weeks'", "ms"),
    "no_time_group": (("(?P<timestamp_text>", "(?:"), 5, "no group timestamp_text", "undated"),
    "no_time": (('time  = "%Y-%m-%d %H:%M:%S"', ""), 5, "how is timestamp_text written", "iso8601"),
    "a_time_that_does_not_exist": (('"%Y-%m-%d %H:%M:%S"', '"sundial"'), 6, "sundial", ""),
    "a_time_that_does_not_read_the_sample": (("%Y-%m-%d", "%d.%m.%Y"), 9, "not dated", "time"),
    "two_lines_without_starts": (("[[sample]]", "header_lines = 2\n\n[[sample]]"), 8, "needs `starts`", "starts"),
    "a_sample_that_nothing_matches": (("WARN low", "warn low"), 9, "no pattern matches the sample", ""),
    "an_expectation_that_does_not_hold": (
        ('message = "low"', 'message = "high"'),
        10,
        "expected message = 'high', got 'low'",
        "",
    ),
    "an_own_column_of_the_table": (
        ("[[sample]]", '[columns]\nmessage = "string"\n\n[[sample]]'),
        9,
        "is a column of the event table",
        "",
    ),
    "an_own_column_of_unknown_type": (
        ("[[sample]]", '[columns]\ncart = "text"\n\n[[sample]]'),
        9,
        "unknown type 'text'",
        "string",
    ),
    "a_severity_that_does_not_exist": (
        ("[[sample]]", '[severity]\nodd = "LOUD"\n\n[[sample]]'),
        9,
        "unknown severity 'LOUD'",
        "ERROR",
    ),
    "an_envelope_of_nothing": (
        ("[[sample]]", '[envelope]\ninner = "user_name"\n\n[[sample]]'),
        9,
        "filled by nothing",
        "message",
    ),
    "a_line_that_does_not_belong": (
        ("'2031-03-14 08:15:42 WARN low'", "'''\n2031-03-14 08:15:42 WARN low\nand more\n'''"),
        9,
        "does not belong to the event above",
        "continues",
    ),
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_format_keeps_the_rules_and_reads_its_own_samples(path: Path) -> None:
    assert [str(error) for error in file_errors(path)] == []


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_samples_stand_last_so_that_a_start_needs_not_read_them(name: str) -> None:
    quick = load(next(path for path in FILES if path.stem == name), samples=False)
    assert quick.samples == ()
    assert quick.patterns == FORMATS[name].patterns


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_format_names_its_specification(name: str) -> None:
    assert FORMATS[name].url.startswith("https://")


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_prose_opens_no_event(name: str) -> None:
    opened = framing.openings(pl.Series("text", PROSE), [FORMATS[name]])
    assert [line for line, place in zip(PROSE, opened, strict=True) if place == 0] == []


def _fellows(name: str) -> set[str]:
    return next((family for family in MAY_SHARE if name in family), {name})


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_samples_are_read_by_no_other_format(name: str) -> None:
    one = FORMATS[name]
    others = [
        other for other in FORMATS.values() if other.name not in _fellows(name) and bool(other.inner) == bool(one.inner)
    ]
    text = pl.Series("text", [sample.text for sample in one.samples])
    readers = {other.name for other in others for sample in text if _reads(other, sample)}
    assert readers == set()


def _reads(one: Format, text: str) -> bool:
    first = pl.Series("text", [text.split("\n", maxsplit=1)[0]])
    if framing.openings(first, [one])[0] != 0:
        return False
    if one.kind != "lines":
        return True
    headers = ["\n".join(text.split("\n")[: pattern.header_lines]) for pattern in one.patterns]
    return any(
        pl.Series([header]).str.contains(p.regex).item() for p, header in zip(one.patterns, headers, strict=True)
    )


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_broken_file_is_refused_with_its_line(case: tuple[tuple[str, str], int, str, str], tmp_path: Path) -> None:
    (old, new), line, what, hint = case
    path = tmp_path / "acme_log.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        load_checked(path)
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.at == f"{path}:{line}"


def test_good_file_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "acme_log.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert load_checked(path).name == "acme_log"


def test_text_that_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(FormatError, match="not TOML") as caught:
        parse("title = 'x'\nregex = ^x\n", name="acme_log", origin="acme_log.toml")
    assert caught.value.at == "acme_log.toml:2"


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        load(tmp_path / "acme_log.toml")


def test_two_patterns_for_one_sample_are_refused() -> None:
    twice = GOOD + "\n[[pattern]]\nregex = '^2031(?P<message>.*)'\nundated = true\n"
    told = [fault.what for fault in faults_of(parse(twice, name="acme_log"))]
    assert told[0].startswith("patterns 1 and 2 both match")


def test_pattern_without_sample_is_refused() -> None:
    more = GOOD + "\n[[pattern]]\nregex = '^never(?P<message>.*)'\nundated = true\n"
    told = [fault.what for fault in faults_of(parse(more, name="acme_log"))]
    assert told == ["no sample shows this pattern"]


def test_sample_line_that_opens_an_event_of_its_own_is_refused() -> None:
    text = GOOD.replace(
        "'2031-03-14 08:15:42 WARN low'", "'''\n2031-03-14 08:15:42 WARN low\n2031-03-14 08:15:43 INFO next\n'''"
    )
    told = [fault.what for fault in faults_of(parse(text, name="acme_log"))]
    assert any("opens an event of its own" in what for what in told)


@pytest.mark.parametrize("name", ["Acme", "acme-log", "9acme", "unrecognised", "structure"])
def test_name_that_is_no_format_name_is_refused(name: str) -> None:
    assert inspect(GOOD, name=name, origin="x").faults


def test_several_groups_can_fill_one_column() -> None:
    text = GOOD.replace(
        "(?P<message>.*)$", "(?P<message>(?:took (?P<duration_ms__s>[0-9.]+)s|(?P<duration_ms>[0-9.]+)ms|.*))$"
    )
    text = text.replace("WARN low'", "WARN took 1.5s'").replace('message = "low"', "duration_ms = 1500.0")
    assert [*faults_of(parse(text, name="acme_log"))] == []


def test_key_in_a_multi_line_sample_is_no_key() -> None:
    text = "title = 'x'\n[[sample]]\ntext = '''\ntitle = 'y'\n[[pattern]]\n'''\nexpect = {}\n[[pattern]]\nregex = 'a'\n"
    assert line_of(text, "pattern", 0, "regex") == 9
    assert line_of(text, "sample", 0, "expect") == 7


@given(st.text(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_refused(text: str) -> None:
    try:
        parse(text, name="acme_log")
    except FormatError as error:
        assert error.what


@given(st.lists(st.sampled_from([*GOOD.split("\n"), "[x]", "a = 1", "'''", "[[sample]]", "text = ''"]), max_size=12))
def test_shuffled_lines_are_read_or_refused(lines: list[str]) -> None:
    try:
        parse("\n".join(lines), name="acme_log")
    except FormatError as error:
        assert error.at


def _detected(text: str, path: str) -> list[str]:
    lines = text.split("\n")
    columns = {"source_id": "a", "piece": 0, "line": range(len(lines)), "text": lines}
    types = {"piece": pl.UInt32, "line": pl.UInt32}
    found = detect(pl.DataFrame(columns, schema_overrides=types), {"a": path}, list(FORMATS.values()))
    return [use.format.name for use in found["a"]]


COMBINED = '192.0.2.17 - - [14/Mar/2031:08:15:42 +0000] "GET /cart HTTP/1.1" 200 512 "-" "curl/8.5.0"'


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/some.log", "access_log"),
        ("a/tomcat/localhost_access_log.2031-03-14.txt", "tomcat_access"),
        ("a/nginx/access.log.1", "nginx_access"),
        ("a/apache2/access.log", "httpd_access"),
        ("localhost_access_log.txt", "tomcat_access"),
    ],
)
def test_path_tells_whose_access_log_it_is(path: str, name: str) -> None:
    assert _detected("\n".join([COMBINED] * 5), path) == [name]


def test_two_writers_in_one_file_are_both_found() -> None:
    juli = "14-Mar-2031 08:15:42.377 INFO [main] org.example.Gate.open up"
    stderr = 'Exception in thread "main" java.lang.OutOfMemoryError: Java heap space'
    gc = "[2031-03-14T08:15:42.377-0500][0.538s][info][gc] GC(0) Pause Full (System.gc()) 5M->2M(20M) 6.010ms"
    assert set(_detected("\n".join([juli, juli, stderr, gc]), "x")) == {"tomcat_juli", "jvm_stderr", "jvm_gc_unified"}


QUICK = sorted(name for name, one in FORMATS.items() if any(pattern.quick for pattern in one.patterns))

WORDS = st.sampled_from(
    ["a", "GET /x?y=1", "-", "[main]", "x.Y", ":", '"', "7", " ", "(b)", "\\", "ä", "<4>", "--- ", "é.Z"]
)


@given(st.sampled_from(QUICK), st.data())
@settings(max_examples=300)
def test_quick_regex_says_what_the_whole_one_says(name: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(sample_lines(name)))
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(WORDS | st.just("")) + text[at + data.draw(st.integers(0, 3)) :]
    header = pl.Series([text])
    for pattern in FORMATS[name].patterns:
        if pattern.quick and header.str.contains(pattern.quick).item():
            assert said_of(header, pattern.quick) == said_of(header, pattern.regex)


def test_quick_regex_that_says_otherwise_is_named() -> None:
    wrong = GOOD.replace("time  =", "quick = '^(?P<timestamp_text>[0-9 :-]{19}) (?P<message>.*)$'\ntime  =")
    said = [fault.what for fault in faults_of(parse(wrong, name="acme"))]
    assert "quick and regex do not say the same of a sample" in said


def sample_lines(name: str) -> list[str]:
    file = next(file for file in FILES if file.stem == name)
    return [sample["text"].splitlines()[0] for sample in tomllib.loads(file.read_text("utf-8"))["sample"]]
