"""Rules in the public style for every kind of log: through ingest and field maps they find the lines they are about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pirtimeline import Case, Settings, signatures
from pirtimeline.ingest import ingest
from pirtimeline.investigation import own_events, parser_columns
from pirtimeline.signatures.fields import load_fields
from pirtimeline.signatures.model import Logsource

SAMPLES = Path(__file__).parent / "signatures"
KINDS: dict[str, Any] = {
    file: kind
    for name in ("kinds.yaml", "keywords.yaml")
    for file, kind in yaml.safe_load((SAMPLES / name).read_text("utf-8")).items()
}


def names(file: str) -> list[str]:
    return [f"{file}.{number}" for number in range(len(KINDS[file]["rules"]))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("kinds")
    (made / "evidence").mkdir()
    for file, kind in KINDS.items():
        (made / "evidence" / file).write_text("".join(f"{line}\n" for line in kind["lines"]), "utf-8")
    documents = [
        {"title": name, "name": name, **{k: v for k, v in rule.items() if k != "finds"}, "level": "low"}
        for file, kind in KINDS.items()
        for name, rule in zip(names(file), kind["rules"], strict=True)
    ]
    (made / "rules.yml").write_text(yaml.safe_dump_all(documents), "utf-8")
    ingest(made / "case", Settings(evidence=(str(made / "evidence"),), years=(("*", "2024"),)), workers=1)
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[tuple[str, str], list[int]]:
    """Give for each rule and file the lines that it matches."""
    case = Case(folder / "case")
    rules = signatures.load([folder / "rules.yml"], builtin=False)
    hits = signatures.match(case.events(), rules, own=own_events(case)).hits
    paths = {one["source_id"]: Path(one["paths"][0]).name for one in case.sources}
    placed = hits.join(case.events().select("event_id", "line").collect(), on="event_id").sort("line")
    out: dict[tuple[str, str], list[int]] = {}
    for rule, event, line in placed.select("signature_id", "event_id", "line").iter_rows():
        out.setdefault((rule, paths[event.split(":")[0]]), []).append(line - 1)
    return out


@pytest.mark.parametrize("file", KINDS)
def test_rules_find_their_lines_and_no_others_of_the_file(file: str, found: dict[tuple[str, str], list[int]]) -> None:
    expected = {name: rule["finds"] for name, rule in zip(names(file), KINDS[file]["rules"], strict=True)}
    assert {name: found.get((name, file), []) for name in expected} == expected


def test_every_rule_of_these_kinds_is_said_to_apply(folder: Path) -> None:
    rules = signatures.load([folder / "rules.yml"], builtin=False)
    told = rules.table(parser_columns())
    assert told.filter(pl.col("applicable") != "yes").rows() == []


LOGSOURCES = {
    "windows": (
        "process_creation registry_event registry_add registry_delete registry_set registry_rename file_event"
        " file_access"
        " file_change file_delete file_rename file_executable_detected network_connection dns_query image_load"
        " pipe_created"
        " ps_script ps_module ps_classic_start ps_classic_script wmi_event driver_load create_remote_thread"
        " process_access"
        " process_tampering create_stream_hash raw_access_thread sysmon_error sysmon_status",
        "security system application applocker bits-client codeintegrity-operational diagnosis-scripted dns-server"
        " driver-framework firewall-as ldap lsa-server msexchange-management ntlm openssh powershell powershell-classic"
        " printservice-admin printservice-operational security-mitigations shell-core smbclient-security"
        " smbserver-connectivity sysmon taskscheduler terminalservices-localsessionmanager vhdmp windefend wmi"
        " appmodel-runtime appxdeployment-server appxpackaging-om capi2 certificateservicesclient-lifecycle-system iis",
    ),
    "linux": (
        "process_creation network_connection file_event",
        "auditd auth clamav cron guacamole sshd sudo syslog vsftpd",
    ),
    "macos": ("process_creation file_event network_connection", ""),
    "aws": ("", "cloudtrail guardduty"),
    "azure": ("", "activitylogs auditlogs signinlogs pim riskdetection"),
    "gcp": ("", "gcp.audit google_workspace.admin google_workspace.login"),
    "google_workspace": ("", "admin login"),
    "m365": ("", "audit exchange threat_management threat_detection"),
    "okta": ("", "okta"),
    "onelogin": ("", "onelogin.events"),
    "github": ("", "audit"),
    "bitbucket": ("", "audit"),
    "cisco": ("", "aaa bgp ldp duo asa"),
    "huawei": ("", "bgp"),
    "juniper": ("", "bgp"),
    "fortios": ("", "sslvpnd event"),
    "zeek": ("", "conn dns http smb_files rdp kerberos dce_rpc x509"),
    "kubernetes": ("application", "audit"),
    "": ("dns firewall proxy webserver antivirus database application", "apache nginx"),
    **dict.fromkeys(
        (
            "django",
            "jvm",
            "nodejs",
            "opencanary",
            "python",
            "rpc_firewall",
            "ruby_on_rails",
            "spring",
            "sql",
            "velocity",
        ),
        ("application", ""),
    ),
}
"""Product -> the categories and the services that public collections of rules are written for."""


@pytest.mark.parametrize("product", LOGSOURCES)
def test_every_public_logsource_is_bound(product: str) -> None:
    maps = load_fields()
    categories, services = (words.split() for words in LOGSOURCES[product])
    asked = [Logsource(category=word, product=product) for word in categories]
    asked += [Logsource(product=product, service=word) for word in services]
    assert [str(each) for each in asked if not maps.bindings(each)] == []


NOT_HERE = [
    ({"category": "edr"}, {"s": {"x": 1}}, "no field map knows the logsource category edr"),
    ({"product": "qualys"}, {"s": {"event.category": "x"}}, "no field map knows the logsource product qualys"),
    (
        {"product": "macos", "category": "process_creation"},
        {"s": {"Image|endswith": "/osascript"}},
        "no parser of product macos, category process_creation yields Image",
    ),
    (
        {"product": "linux", "service": "cron"},
        {"k": ["x"], "s": {"nonsense": 1}},
        "yes",
    ),
    (
        {"product": "aws", "service": "cloudtrail"},
        {"s": {"eventName": "x"}},
        "yes",
    ),
    (
        {"product": "linux", "category": "network_connection"},
        {"s": {"Initiated": "true"}},
        "no parser of product linux, category network_connection yields Initiated",
    ),
]


@pytest.mark.parametrize(("logsource", "detection", "told"), NOT_HERE)
def test_rule_that_cannot_fire_says_why(
    tmp_path: Path, logsource: dict[str, str], detection: dict[str, Any], told: str
) -> None:
    rule = {"title": "Rule", "name": "rule", "logsource": logsource, "level": "low"}
    file = tmp_path / "rule.yml"
    file.write_text(yaml.safe_dump({**rule, "detection": {**detection, "condition": "1 of them"}}), "utf-8")
    shown = signatures.load([file], builtin=False).table(parser_columns())["applicable"].item()
    assert shown == (told if told == "yes" else f"no, because {told}")
