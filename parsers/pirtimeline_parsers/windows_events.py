"""What a Windows event says, in whatever dress it comes: columns of the event table, the names that rules know, a rest.

The shape of an event is that of Microsoft's event schema (`System`, `EventData`, `UserData`); exporters flatten it in
ways of their own, which `of_export` undoes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

NAMES = """
AccessList AccessMask Accesses Account AccountName Action AllowedToDelegateTo Application AttributeLDAPDisplayName
AttributeValue AuditPolicyChanges AuthenticationPackageName CallTrace CallerProcessName Channel ClassName CommandLine
Company Configuration Contents CreationUtcTime CurrentDirectory Data Description DestAddress DestPort Destination
DestinationHostname DestinationIp DestinationIsIpv6 DestinationPort DestinationPortName Details Device EngineVersion
EventNamespace EventType FailureCode FileName FileNameBuffer FileVersion Filter GrantedAccess GroupName Hash Hashes
HostApplication HostName HostVersion Image ImageLoaded ImagePath ImpersonationLevel Initiated IntegrityLevel IpAddress
IpPort IsExecutable KeyLength LogonGuid LogonId LogonProcessName LogonType MandatoryLabel Message ModifyingApplication
Name NewName NewProcessId NewProcessName NewSd NewTargetUserName NewUacValue NewValue ObjectClass ObjectDN ObjectName
ObjectServer ObjectType ObjectValueName OldTargetUserName OldUacValue OldValue Operation OriginalFileName
ParentCommandLine ParentImage ParentProcessGuid ParentProcessId ParentProcessName ParentUser PasswordLastSet Path
Payload PipeName PossibleCause PreviousCreationUtcTime PrivilegeList ProcessCommandLine ProcessGuid ProcessId
ProcessName ProcessPath Product Properties Protocol Provider_Name Query QueryName QueryResults QueryStatus
RelativeTargetName RuleName SamAccountName ScriptBlockId ScriptBlockText Service ServiceFileName ServiceName
ServicePrincipalNames ServiceStartType ServiceType ShareLocalPath ShareName SidHistory Signature SignatureStatus
Signed Source SourceAddress SourceHostname SourceImage SourceIp SourceIsIpv6 SourceName SourcePort SourceProcessId
StartAddress StartFunction StartModule StartType State Status SubStatus SubcategoryGuid SubjectDomainName
SubjectLogonId SubjectUserName SubjectUserSid TargetDomainName TargetFilename TargetImage TargetInfo TargetLogonId
TargetName TargetObject TargetOutboundUserName TargetProcessAddress TargetProcessId TargetServerName TargetSid
TargetUserName TargetUserSid TaskContent TaskName TicketEncryptionType TicketOptions Type User UserAccountControl
UserName Value Workstation WorkstationName param1 param2 param3 param4 param5
"""
"""Names of event data that published rules ask for; each is a column of its own, all else is in `extra`."""

DATA = NAMES.split()

SYSTEM = ("EventRecordID", "Keywords", "Level", "Opcode", "Task", "UserID")
COLUMNS: Mapping[str, pl.DataType] = dict.fromkeys(sorted({*DATA, *SYSTEM}), pl.String())

SEVERITY = {"1": "FATAL", "2": "ERROR", "3": "WARN", "4": "INFO", "5": "DEBUG", "0": "INFO"}
"""Windows' levels: critical, error, warning, information, verbose, and 0, which is always logged."""

TYPES: Mapping[str, pl.DataType] = {
    "byte_offset": pl.UInt64(),
    "byte_length": pl.UInt32(),
    "line": pl.UInt64(),
    "line_count": pl.UInt32(),
    "process_pid": pl.Int64(),
    "source_port": pl.Int32(),
    "destination_port": pl.Int32(),
    **dict.fromkeys(
        ("parser", "timestamp_text", "severity", "severity_text", "message", "host_name", "user_name", "source_ip"),
        pl.String(),
    ),
    **dict.fromkeys(("destination_ip", "event_kind", "event_code", "extra", "reject_reason"), pl.String()),
    **COLUMNS,
}

Row = dict[str, Any]


def frame(rows: list[Row]) -> pl.DataFrame:
    """Make a table of rows, with every column that a Windows event can fill."""
    full = [{name: row.get(name) for name in TYPES} for row in rows]
    return pl.DataFrame(full, schema=TYPES, orient="row")


def row(event: Mapping[str, Any]) -> Row:
    """Read one event of the shape `{"System": ..., "EventData": ...}` into columns.

    Example:
        >>> said = row({"System": {"EventID": 1, "Computer": "pc1"}, "EventData": {"Image": "C:\\\\a.exe", "Odd": 1}})
        >>> said["event_code"], said["Image"], said["extra"]
        ('1', 'C:\\\\a.exe', '{"Odd":"1"}')
    """
    known, rest = _system(event.get("System") or {})
    data = dict(_data(event))
    own = {name: data.pop(name) for name in list(data) if name in COLUMNS and name not in ("Channel", "Provider_Name")}
    rendered = (event.get("RenderingInfo") or {}).get("Message")
    rest.update(data)
    out: Row = {**known, **own, "message": _text(rendered) or _message(own, data), "event_kind": "event"}
    out["extra"] = json.dumps(rest, ensure_ascii=False, separators=(",", ":")) if rest else None
    out.update(_shared(own))
    return out


def _system(system: Mapping[str, Any]) -> tuple[Row, Row]:
    """Read the header that Windows gives every event; what has no column is the rest."""
    level = _text(system.get("Level"))
    provider, execution = _attributes(system.get("Provider")), _attributes(system.get("Execution"))
    known: Row = {
        "timestamp_text": _text(_attributes(system.get("TimeCreated")).get("SystemTime")),
        "host_name": _text(system.get("Computer")),
        "event_code": _text(system.get("EventID")),
        "process_pid": _whole(execution.get("ProcessID")),
        "severity": SEVERITY.get(level or ""),
        "severity_text": level,
        "Channel": _text(system.get("Channel")),
        "Provider_Name": _text(provider.get("Name") or provider.get("EventSourceName")),
        "UserID": _text(_attributes(system.get("Security")).get("UserID")),
        **{name: _text(system.get(name)) for name in SYSTEM if name != "UserID"},
    }
    rest = {
        "Provider_Guid": _text(provider.get("Guid")),
        "ThreadID": _text(execution.get("ThreadID")),
        "Version": _text(system.get("Version")),
        "ActivityID": _text(_attributes(system.get("Correlation")).get("ActivityID")),
    }
    return known, {name: value for name, value in rest.items() if value}


def _attributes(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    attributes = value.get("#attributes", value.get("@attributes"))
    return attributes if isinstance(attributes, Mapping) else {key.lstrip("@"): v for key, v in value.items()}


def _data(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List the data of an event by name: that of `EventData`, or of whatever stands in `UserData`."""
    for part in ("EventData", "UserData"):
        yield from _leaves(event.get(part))


def _leaves(value: Any, name: str = "Data") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        if "#text" in value:
            yield from _leaves(value["#text"], name)
            return
        for key, inner in value.items():
            if key not in ("#attributes", "@attributes", "xmlns", "@xmlns", "Name"):
                yield from _leaves(inner, key)
    elif isinstance(value, list):
        if all(not isinstance(each, Mapping | list) for each in value):
            yield name, ", ".join(_text(each) or "" for each in value)
        else:
            for each in value:
                named = _attributes(each).get("Name") if isinstance(each, Mapping) else None
                yield from _leaves(each, str(named or name))
    elif (text := _text(value)) is not None:
        yield name, text


def _text(value: Any) -> str | None:
    """Write a value as Windows does."""
    if isinstance(value, Mapping):
        return _text(value.get("#text"))
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _whole(value: Any) -> int | None:
    text = _text(value)
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None


def _message(own: Mapping[str, str], rest: Mapping[str, str]) -> str | None:
    """Say what an event without rendered text says: its data by name."""
    said = "; ".join(f"{name}={value}" for name, value in {**own, **rest}.items() if value and name not in SYSTEM)
    return (said if len(said) <= 400 else said[:399] + "…") or None


def _shared(own: Mapping[str, str]) -> Row:
    """Fill columns of the event table that event data answer."""

    def first(*names: str) -> str | None:
        return next((v for name in names if (v := own.get(name)) and v not in ("-", "::", "0")), None)

    return {
        "user_name": first("User", "SubjectUserName", "TargetUserName"),
        "source_ip": first("SourceIp", "IpAddress", "SourceAddress"),
        "source_port": _port(first("SourcePort", "IpPort")),
        "destination_ip": first("DestinationIp", "DestAddress"),
        "destination_port": _port(first("DestinationPort", "DestPort")),
    }


def _port(text: str | None) -> int | None:
    number = _whole(text)
    return number if number is not None and 0 <= number <= 65535 else None


FLAT = frozenset(["EventID", "Id", "EventId", "event_id"])


def of_export(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Bring an exported event into Microsoft's shape, or give None where it is no Windows event.

    Known are evtx_dump and Zircolite (`Event`), Winlogbeat (`winlog`), NXLog and other flat exports (`EventID` beside
    `Channel`), and PowerShell's `Get-WinEvent | ConvertTo-Json` (`Id` beside `LogName`).
    """
    event = found.get("Event")
    if isinstance(event, Mapping) and isinstance(event.get("System"), Mapping):
        return event
    if isinstance(found.get("System"), Mapping):
        return found
    if isinstance(found.get("winlog"), Mapping):
        return _of_winlogbeat(found, found["winlog"])
    if "LogName" in found and "Id" in found:
        return _of_powershell(found)
    if "EventID" in found and ("Channel" in found or "SourceName" in found or "Provider_Name" in found):
        return _of_flat(found)
    return None


def _of_winlogbeat(found: Mapping[str, Any], log: Mapping[str, Any]) -> Mapping[str, Any]:
    process = log.get("process") or {}
    code = log.get("event_id", (found.get("event") or {}).get("code"))
    return {
        "System": {
            "Provider": {"Name": log.get("provider_name"), "Guid": log.get("provider_guid")},
            "EventID": code,
            "Level": _level((found.get("log") or {}).get("level")),
            "Task": log.get("task"),
            "Opcode": log.get("opcode"),
            "Keywords": ", ".join(map(str, log.get("keywords") or ())) or None,
            "TimeCreated": {"SystemTime": log.get("time_created") or found.get("@timestamp")},
            "EventRecordID": log.get("record_id"),
            "Execution": {
                "ProcessID": process.get("pid"),
                "ThreadID": (process.get("thread") or {}).get("id"),
            },
            "Channel": log.get("channel"),
            "Computer": log.get("computer_name") or (found.get("host") or {}).get("name"),
            "Security": {"UserID": (log.get("user") or {}).get("identifier")},
        },
        "EventData": log.get("event_data"),
        "UserData": log.get("user_data"),
        "RenderingInfo": {"Message": found.get("message")},
    }


LEVELS = {
    "critical": "1", "error": "2", "warning": "3", "information": "4", "info": "4", "verbose": "5", "debug": "5",
}  # fmt: skip


def _level(word: Any) -> str | None:
    text = _text(word)
    return LEVELS.get(text.lower(), text) if text else None


def _of_powershell(found: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = [p.get("Value") if isinstance(p, Mapping) else p for p in found.get("Properties") or ()]
    return {
        "System": {
            "Provider": {"Name": found.get("ProviderName"), "Guid": found.get("ProviderId")},
            "EventID": found.get("Id"),
            "Version": found.get("Version"),
            "Level": found.get("Level"),
            "Task": found.get("Task"),
            "Opcode": found.get("Opcode"),
            "Keywords": found.get("Keywords"),
            "TimeCreated": {"SystemTime": _powershell_time(found.get("TimeCreated"))},
            "EventRecordID": found.get("RecordId"),
            "Execution": {"ProcessID": found.get("ProcessId"), "ThreadID": found.get("ThreadId")},
            "Channel": found.get("LogName"),
            "Computer": found.get("MachineName"),
            "Security": {"UserID": _sid(found.get("UserId"))},
        },
        "EventData": {**_in_message(_text(found.get("Message")) or ""), "Data": properties},
        "RenderingInfo": {"Message": found.get("Message")},
    }


def _sid(user: Any) -> Any:
    return user.get("Value") if isinstance(user, Mapping) else user


def _powershell_time(value: Any) -> str | None:
    """Read `/Date(1709527507123)/` (PowerShell 5) or a time in words (7), also as an object that holds it."""
    text = _text(value.get("value") if isinstance(value, Mapping) else value)
    if text and text.startswith("/Date("):
        number = int(text[6:].split(")")[0].split("+")[0])
        seconds = pl.Series([number]).cast(pl.Datetime("ms"))
        return f"{seconds.dt.to_string('iso')[0].replace(' ', 'T')}Z"
    return text


def _in_message(message: str) -> dict[str, str]:
    """Read `Name: value` lines of a rendered message: the export has values without their names."""
    pairs = (line.split(":", 1) for line in message.splitlines()[1:] if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs if name.strip() in COLUMNS}


HEADER = {
    "Provider_Name": "Provider", "SourceName": "Provider", "ProviderName": "Provider", "EventID": "EventID",
    "Version": "Version", "Level": "Level", "SeverityValue": "", "Task": "Task", "Opcode": "Opcode",
    "OpcodeValue": "Opcode", "Keywords": "Keywords", "EventRecordID": "EventRecordID", "RecordNumber": "EventRecordID",
    "Channel": "Channel", "Computer": "Computer", "Hostname": "Computer",
}  # fmt: skip
TIMES = ("SystemTime", "TimeCreated", "EventTime", "UtcTime", "@timestamp", "TimeGenerated")


def _of_flat(found: Mapping[str, Any]) -> Mapping[str, Any]:
    system: dict[str, Any] = {}
    for name, column in HEADER.items():
        if found.get(name) is not None and column:
            system.setdefault(column, {"Name": found[name]} if column == "Provider" else found[name])
    at = next((found[name] for name in TIMES if found.get(name)), None)
    system["TimeCreated"] = {"SystemTime": at}
    data = {k: v for k, v in found.items() if k not in HEADER and k not in (*TIMES[:3], "@timestamp", "Message")}
    return {"System": system, "EventData": data, "RenderingInfo": {"Message": found.get("Message")}}
