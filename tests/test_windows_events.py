"""Windows events: from EVTX, whole and damaged, and from what exporters make of them."""

from __future__ import annotations

import io
import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from signatures import evtx_writer

from pirtimeline import Case, Settings, signatures, testing
from pirtimeline.cli import cli
from pirtimeline.ingest import ingest
from pirtimeline.parsing.plugin import Parser
from pirtimeline.schema import STRUCTURE
from pirtimeline_parsers.windows_evtx import WindowsEvtx
from pirtimeline_parsers.windows_exports import WindowsJson, WindowsXml

SHARED = Path(__file__).parents[2] / "shared" / "sigma"
AT = datetime(2024, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)


def read(parser: Parser, data: bytes) -> pl.DataFrame:
    return pl.concat(list(parser.read(io.BytesIO(data))))


def events(parser: Parser, data: bytes) -> list[dict[str, Any]]:
    return read(parser, data).filter(pl.col("parser") != STRUCTURE).to_dicts()


def two_chunks() -> bytes:
    first = [
        (n, AT + timedelta(seconds=n), "4688", {"NewProcessName": f"C:\\tool{n}.exe", "Odd": "x"}) for n in range(1, 4)
    ]
    # numbers repeat in the second chunk, as they do where a log was cleared
    second = [(n, AT + timedelta(hours=1), "4624", {"TargetUserName": f"user{n}"}) for n in range(1, 3)]
    return evtx_writer.file(evtx_writer.chunk(first), evtx_writer.chunk(second))


def test_evtx_keeps_the_contract_of_parsers() -> None:
    assert list(testing.problems(WindowsEvtx(), two_chunks(), path="Security.evtx")) == []


def test_evtx_records_are_events_in_their_order_with_what_they_say() -> None:
    found = events(WindowsEvtx(), two_chunks())
    assert [e["line"] for e in found] == [1, 2, 3, 4, 5]
    assert [e["event_code"] for e in found] == ["4688"] * 3 + ["4624"] * 2
    first = found[0]
    assert first["timestamp_text"] == "2024-03-04T05:06:08.891011Z"
    assert (first["host_name"], first["Channel"], first["severity"]) == ("pc1.example.org", "Security", "INFO")
    assert first["NewProcessName"] == "C:\\tool1.exe" and json.loads(first["extra"])["Odd"] == "x"
    assert [e["TargetUserName"] for e in found[3:]] == ["user1", "user2"]


def test_damaged_record_keeps_time_and_number_and_says_so() -> None:
    data = bytearray(two_chunks())
    second = events(WindowsEvtx(), bytes(data))[1]
    body = second["byte_offset"] + 24
    data[body : body + 40] = b"\xee" * 40
    found = events(WindowsEvtx(), bytes(data))
    assert [e["EventRecordID"] for e in found] == ["1", "2", "3", "1", "2"]
    assert "damaged" in found[1]["extra"] and found[1]["timestamp_text"] == "2024-03-04T05:06:09.891011Z"
    assert found[2]["NewProcessName"] == "C:\\tool3.exe"


def test_truncated_file_gives_the_records_before_the_cut() -> None:
    whole = two_chunks()
    last = events(WindowsEvtx(), whole)[-1]
    cut = whole[: last["byte_offset"] + 30]
    found = events(WindowsEvtx(), cut)
    assert [e["event_code"] for e in found] == ["4688"] * 3 + ["4624", None]
    assert found[-1]["reject_reason"] == "the file ends within an event record" and found[-1]["byte_length"] == 30
    assert found[-1]["timestamp_text"] == "2024-03-04T06:06:07.891011Z"


def test_record_whose_head_or_length_is_broken_is_a_reject_between_its_neighbours() -> None:
    for at in (0, 5):
        data = bytearray(two_chunks())
        second = events(WindowsEvtx(), bytes(data))[1]
        data[second["byte_offset"] + at] ^= 0x7F
        found = events(WindowsEvtx(), bytes(data))
        assert [e["EventRecordID"] for e in found] == ["1", None, "3", "1", "2"]
        assert "damaged" in found[1]["reject_reason"]
        assert (found[1]["byte_offset"], found[1]["byte_length"]) == (second["byte_offset"], second["byte_length"])


def test_record_that_was_altered_is_told_by_its_chunks_checksum() -> None:
    data = bytearray(two_chunks())
    end = 4096 + int.from_bytes(data[4096 + 48 : 4096 + 52], "little")
    data[4096 + 52 : 4096 + 56] = zlib.crc32(data[4096 + 512 : end]).to_bytes(4, "little")
    assert not any("pir_note" in (e["extra"] or "") for e in events(WindowsEvtx(), bytes(data)))
    at = data.index("tool2".encode("utf-16-le"))
    data[at] ^= 0x01
    noted = ["checksum" in (e["extra"] or "") for e in events(WindowsEvtx(), bytes(data))]
    assert noted == [True, True, True, False, False]


def test_slack_behind_the_records_is_no_event_and_no_reject() -> None:
    data = bytearray(two_chunks())
    data[4096 + 65536 - 400 : 4096 + 65536] = b"\x2a\x2a\x00\x00" + b"old" * 132
    assert len(events(WindowsEvtx(), bytes(data))) == 5


def test_chunk_without_its_mark_is_read_all_the_same() -> None:
    data = bytearray(two_chunks())
    data[4096] ^= 0x01
    assert [e["event_code"] for e in events(WindowsEvtx(), bytes(data))] == ["4688"] * 3 + ["4624"] * 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4096 + 2 * 65536 - 1), st.integers(1, 255)), max_size=12), st.integers(0, 70000)
)
def test_bytes_of_damaged_evtx_still_add_up(flips: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(two_chunks())
    for at, mask in flips:
        data[at] ^= mask
    whole = bytes(data[: len(data) - cut])
    rows = read(WindowsEvtx(), whole)
    ends = rows["byte_offset"] + rows["byte_length"]
    assert rows["byte_offset"].to_list() == [0, *ends.to_list()[:-1]]
    assert ends[-1] == len(whole)


EVENT = {
    "System": {
        "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
        "EventID": 1,
        "Level": 4,
        "TimeCreated": {"#attributes": {"SystemTime": "2024-03-04T05:06:07.891011Z"}},
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Computer": "pc1.example.org",
    },
    "EventData": {"Image": "C:\\Tools\\é.exe", "CommandLine": 'é.exe "a b"', "ProcessId": 7112},
}
WINLOGBEAT = {
    "@timestamp": "2024-03-04T05:06:07.891Z",
    "message": "Process Create",
    "winlog": {
        "channel": "Microsoft-Windows-Sysmon/Operational",
        "provider_name": "Microsoft-Windows-Sysmon",
        "event_id": "1",
        "computer_name": "pc1.example.org",
        "record_id": 7,
        "event_data": {"Image": "C:\\Tools\\é.exe", "CommandLine": 'é.exe "a b"', "ProcessId": "7112"},
    },
    "log": {"level": "information"},
}
NXLOG = {
    "EventTime": "2024-03-04T05:06:07.891011Z",
    "Hostname": "pc1.example.org",
    "EventID": 1,
    "SourceName": "Microsoft-Windows-Sysmon",
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Image": "C:\\Tools\\é.exe",
    "CommandLine": 'é.exe "a b"',
    "ProcessId": 7112,
}
POWERSHELL = {
    "Message": 'Process Create:\r\nImage: C:\\Tools\\é.exe\r\nCommandLine: é.exe "a b"\r\nProcessId: 7112',
    "Id": 1,
    "ProviderName": "Microsoft-Windows-Sysmon",
    "LogName": "Microsoft-Windows-Sysmon/Operational",
    "MachineName": "pc1.example.org",
    "TimeCreated": "/Date(1709528767891)/",
    "Level": 4,
    "Properties": [{"Value": "-"}],
}
EXPORTS = {"evtx_dump": {"Event": EVENT}, "winlogbeat": WINLOGBEAT, "nxlog": NXLOG, "powershell": POWERSHELL}


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("shape", ["lines", "pretty", "array", "utf-16"])
def test_every_export_says_the_same_of_an_event(name: str, shape: str) -> None:
    one = EXPORTS[name]
    texts = {
        "lines": "".join(json.dumps(one, ensure_ascii=False) + "\n" for _ in range(3)),
        "pretty": "\n".join(json.dumps(one, indent=2) for _ in range(3)),
        "array": json.dumps([one] * 3, indent=1),
        "utf-16": "\ufeff" + "".join(json.dumps(one, ensure_ascii=False) + "\r\n" for _ in range(3)),
    }
    data = texts[shape].encode("utf-16-le" if shape == "utf-16" else "utf-8")
    assert list(testing.problems(WindowsJson(), data)) == []
    found = events(WindowsJson(), data)
    assert len(found) == 3
    for event in found:
        assert event["timestamp_text"].startswith("2024-03-04T05:06:07.891")
        assert event["event_code"] == "1" and event["host_name"] == "pc1.example.org"
        assert event["Image"] == "C:\\Tools\\é.exe" and event["CommandLine"] == 'é.exe "a b"'
        assert event["ProcessId"] == "7112" and event["Channel"] == "Microsoft-Windows-Sysmon/Operational"


XML = (
    '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
    '<Provider Name="Microsoft-Windows-Sysmon"/>'
    '<EventID Qualifiers="0">1</EventID><TimeCreated SystemTime="2024-03-04T05:06:07.891011Z"/>'
    "<Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>pc1.example.org</Computer></System>"
    '<EventData><Data Name="Image">C:\\Tools\\é.exe</Data><Data Name="CommandLine">é.exe &quot;a b&quot;</Data>'
    "</EventData></Event>"
)


@pytest.mark.parametrize("frame", ["{0}\r\n{0}\r\n", "<?xml version='1.0'?>\n<Events>{0}{0}</Events>\n", "{0}{0}"])
def test_xml_is_read_with_and_without_an_element_around_it(frame: str) -> None:
    data = frame.format(XML).encode()
    assert list(testing.problems(WindowsXml(), data)) == []
    found = events(WindowsXml(), data)
    assert [e["CommandLine"] for e in found] == ['é.exe "a b"'] * 2
    assert found[0]["event_code"] == "1" and found[0]["Provider_Name"] == "Microsoft-Windows-Sysmon"


def test_what_is_no_event_is_refused_in_words() -> None:
    data = (json.dumps({"Event": EVENT}) + '\n{"a": 1}\n{"broken\n').encode()
    reasons = [e["reject_reason"] for e in events(WindowsJson(), data)]
    assert reasons == [None, "it is a JSON object, but no Windows event", "it is no whole JSON object"]
    bomb = XML.replace("<System>", "<!DOCTYPE x [<!ENTITY a 'b'>]><System>")
    assert "document type" in events(WindowsXml(), bomb.encode())[0]["reject_reason"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the rules and events of shared/sigma")
@pytest.mark.parametrize(("parser", "name"), [(WindowsEvtx(), "events.evtx"), (WindowsJson(), "events.json")])
def test_each_published_rule_finds_its_own_event_and_no_other(parser: Parser, name: str) -> None:
    rules = signatures.load([SHARED], builtin=False)
    parts = []
    for folder in sorted(path for path in SHARED.iterdir() if path.is_dir()):
        data = (folder / name).read_bytes()
        assert list(testing.problems(parser, data, path=name)) == []
        parts.append(read(parser, data).with_columns(event_id=pl.format("{}:{}", pl.lit(folder.name), "byte_offset")))
    table = pl.concat(parts).filter(pl.col("parser") != STRUCTURE)
    hits = signatures.match(table.lazy(), rules).hits
    found = {(s, e.split(":")[0]) for s, e in hits.select("signature_id", "event_id").iter_rows()}
    assert found == {(rule.header.signature_id, rule.header.signature_id) for rule in rules.rules}
    assert len(found) == len(rules.rules) == 42


def test_show_renders_a_record_and_gives_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "Security.evtx").write_bytes(two_chunks()[:-100_000] + b"\x2a\x2a")
    (tmp_path / "cut.evtx").write_bytes(two_chunks()[: 4096 + 600])
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "Security.evtx"), str(tmp_path / "cut.evtx"))))
    case = Case(tmp_path / "case")
    found = case.events().select("event_id", "parser", "event_code").collect()
    (first, *_) = found.filter(event_code="4688")["event_id"]
    shown = CliRunner().invoke(cli, ["show", str(case.path), first])
    assert shown.exit_code == 0 and "  NewProcessName: C:\\tool1.exe\n" in shown.stdout
    assert "  Odd: x\n" in shown.stdout and "  00000000  2a 2a 00 00" in shown.stdout
    told = json.loads(CliRunner().invoke(cli, ["show", str(case.path), first, "--json"]).stdout)
    assert told["fields"]["Channel"] == "Security" and bytes.fromhex(told["hex"]) == case.raw([first])[first]
    (lost,) = found.filter(parser="unrecognised")["event_id"]
    assert "ends within an event record" in CliRunner().invoke(cli, ["show", str(case.path), lost]).stdout
