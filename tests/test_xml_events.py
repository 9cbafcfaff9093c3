"""Elements: Windows events, the XML of Java's loggers, and text that is none."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from pirtimeline.parsing.plugin import Format
from pirtimeline.parsing.xml_events import read

PLAIN = Format(name="mine", title="", kind="xml")


def one(text: str) -> dict[str, Any]:
    return {key: value for key, value in read(pl.Series([text]), PLAIN).row(0, named=True).items() if value is not None}


def test_windows_event() -> None:
    row = one(
        '<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System>'
        '<Provider Name="App" Guid="{1}"/>'
        "<EventID Qualifiers='0'>4624</EventID><Level>2</Level><TimeCreated SystemTime='2026-11-23T08:00:00.1234567Z'/>"
        "<Execution ProcessID='4' ThreadID='8'/><Channel>Security</Channel>"
        "<Computer>pc1.example.org</Computer></System><EventData><Data Name='TargetUserName'>ann</Data>"
        "<Data Name='IpAddress'>192.0.2.7</Data><Data>x</Data></EventData>"
        "<RenderingInfo Culture='en'><Message>logged on</Message></RenderingInfo></Event>"
    )
    expected = {
        "timestamp_text": "2026-11-23T08:00:00.1234567Z",
        "_time": "iso8601",
        "_severity": "ERROR",
        "logger_name": "App",
        "event_code": "4624",
        "host_name": "pc1.example.org",
        "process_pid": 4,
        "user_name": "ann",
        "source_ip": "192.0.2.7",
        "message": "logged on",
    }
    assert {key: row[key] for key in expected} == expected
    extra = json.loads(row["extra"])
    assert (extra["Event.System.Channel"], extra["Event.EventData.Data"]) == ("Security", "x")


def test_log4j_with_a_prefix_that_nothing_declares() -> None:
    row = one(
        '<log4j:event logger="a.B" timestamp="1795424010133" level="ERROR" thread="main">\n'
        "<log4j:message><![CDATA[it <failed>]]></log4j:message>\n"
        "<log4j:throwable><![CDATA[a.C: no\n\tat a.B.d(B.java:1)]]></log4j:throwable>\n</log4j:event>"
    )
    assert (row["timestamp_text"], row["_time"], row["severity_text"]) == ("1795424010133", "epoch_ms", "ERROR")
    assert (row["message"], row["thread_name"], row["logger_name"]) == ("it <failed>", "main", "a.B")
    assert (row["exception_type"], row["exception_message"]) == ("a.C", "no")


def test_log4j2_instant() -> None:
    row = one(
        '<Event level="WARN" loggerName="a.B"><Instant epochSecond="1795424010" nanoOfSecond="5"/>'
        "<Message>x</Message></Event>"
    )
    assert (row["timestamp_text"], row["_time"]) == ("1795424010.000000005", "epoch_s")


def test_java_util_logging_record_with_frames() -> None:
    row = one(
        "<record><date>2026-11-23T08:00:00.5Z</date><millis>1795420800500</millis><logger>a.B</logger><level>SEVERE</level>"
        "<thread>1</thread><message>bad</message><exception><message>java.io.IOException: x</message>"
        "<frame><class>a.B</class><method>c</method><line>3</line></frame></exception></record>"
    )
    assert row["stack_trace"] == "java.io.IOException: x\n\tat a.B.c(3)"
    assert (row["exception_type"], row["exception_message"], row["message"]) == ("java.io.IOException", "x", "bad")


def test_what_is_no_element_says_why() -> None:
    texts = ["<a>", "<a/><b/>", "x <a/>", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "<a>\x01</a>", "<é>\n<b></é>"]
    assert read(pl.Series(texts), PLAIN)["_reject"].to_list() == [
        "not an XML element: mismatched tag at byte 3",
        "not an XML element, but text or several",
        "not an XML element, but text or several",
        "not an XML element: it has a document type, which is not read",
        None,
        "not an XML element: mismatched tag at byte 10",
    ]
