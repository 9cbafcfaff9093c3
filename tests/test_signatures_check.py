"""Broken rules: each fault is named at its line, none loads silently, none ends in a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from pirtimeline import signatures
from pirtimeline.errors import SignatureError

GOOD = """\
title: Something happened
id: 5f2f8f0a-6b1e-4a5b-9d53-0c8f0d3b7a11
status: test
description: It did.
references:
  - https://example.org
author: ann
date: 2024-03-04
tags:
  - attack.execution
logsource:
  product: windows
  category: process_creation
detection:
  selection:
    Image|endswith: '\\tool.exe'
    CommandLine|contains: ' -x '
  filter:
    User: SYSTEM
  condition: selection and not filter
falsepositives:
  - none
level: high
"""
CORRELATION = """\
title: Base
name: base
logsource: {product: windows, category: process_creation}
detection: {s: {Image: a}, condition: s}
---
title: Often
name: often
correlation:
  type: event_count
  rules:
    - base
  group-by:
    - User
  timespan: 5m
  condition:
    gte: 3
level: high
"""

LOGSOURCE = "logsource:\n  product: windows\n  category: process_creation\n"
DETECTION = GOOD[GOOD.index("detection") : GOOD.index("falsepos")]

# name: what is replaced, by what, the line that the fault is at, a word of the message
LINES: dict[str, tuple[str, str, int, str]] = {
    "unknown modifier": ("Image|endswith", "Image|endswiths", 16, "modifier"),
    "modifier of another dialect": ("Image|endswith", "Image|iendswith", 16, "modifier"),
    "number where text is needed": ("    Image|endswith: '\\tool.exe'", "    Image|endswith: 5", 16, "incompatible"),
    "text where a number is needed": ("    User: SYSTEM", "    LogonId|gt: many", 19, "many"),
    "cidr of nonsense": ("    User: SYSTEM", "    SourceIp|cidr: 192.0.2.0/33", 19, "192.0.2.0/33"),
    "cidr with host bits": ("    User: SYSTEM", "    SourceIp|cidr: 192.0.2.1/24", 19, "192.0.2.1/24"),
    "regex not closed": ("    User: SYSTEM", "    User|re: 'a(b'", 19, "a(b"),
    "regex with nothing to repeat": ("    User: SYSTEM", "    User|re: '*a'", 19, "*a"),
    "regex flag without regex": ("    User: SYSTEM", "    User|i: abc", 19, "abc"),
    "regex after another modifier": ("    User: SYSTEM", "    User|contains|re: abc", 19, "egular"),
    "base64 of a wildcard": ("    User: SYSTEM", "    User|base64: 'a*b'", 19, "ase64"),
    "base64offset of a wildcard": ("    User: SYSTEM", "    User|base64offset|contains: 'a?b'", 19, "ase64"),
    "wide of what is not ascii": ("    User: SYSTEM", "    User|wide: 'é€'", 19, "ide"),
    "exists of a text": ("    User: SYSTEM", "    User|exists: maybe", 19, "maybe"),
    "exists after another modifier": ("    User: SYSTEM", "    User|contains|exists: true", 19, "ncompatible"),
    "fieldref with a wildcard": ("    User: SYSTEM", "    User|fieldref: 'Parent*'", 19, "ield"),
    "too many dashes": ("    User: SYSTEM", "    User|windash: '-a -b -c -d'", 19, "dash"),
    "placeholder without values": ("    User: SYSTEM", "    User|expand: '%admins%'", 19, "placeholder"),
    "hour of a text": ("    User: SYSTEM", "    User|hour: late", 19, "late"),
    "condition names nothing": ("selection and not filter", "selection and not filters", 20, "filters"),
    "condition selects nothing": ("selection and not filter", "1 of sel_*", 20, "sel_"),
    "condition not closed": ("selection and not filter", "(selection and filter", 20, "nbalanced"),
    "condition with two operators": ("selection and not filter", "selection and or filter", 20, "xpected"),
    "condition empty": ("condition: selection and not filter", "condition: ''", 20, "xpected"),
    "condition missing": ("  condition: selection and not filter\n", "", 14, "condition"),
    "condition with an aggregation": ("selection and not filter", "selection | count() > 5", 20, "aggregation"),
    "condition with a bad quantifier": ("selection and not filter", "2 of selection*", 20, "xpected"),
    "logsource missing": (LOGSOURCE, "", 1, "log source"),
    "logsource empty": (LOGSOURCE, "logsource: {}\n", 11, "empty"),
    "logsource a text": (LOGSOURCE, "logsource: windows\n", 11, "map"),
    "logsource's product a number": ("product: windows", "product: 5", 11, "product"),
    "title missing": ("title: Something happened\n", "", 1, "title"),
    "title a list": ("title: Something happened", "title: [a]", 1, "title"),
    "title too long": ("Something happened", "x" * 300, 1, "256"),
    "id no uuid": ("5f2f8f0a-6b1e-4a5b-9d53-0c8f0d3b7a11", "tool-1", 2, "UUID"),
    "status unknown": ("status: test", "status: good", 3, "good"),
    "level unknown": ("level: high", "level: urgent", 23, "urgent"),
    "level a number": ("level: high", "level: 5", 23, "level"),
    "date unreadable": ("date: 2024-03-04", "date: yesterday", 8, "yesterday"),
    "tags a text": ("tags:\n  - attack.execution\n", "tags: attack.execution\n", 9, "ags"),
    "tag without a namespace": ("attack.execution", "execution", 10, "namespace"),
    "references a text": ("references:\n  -", "references:", 5, "references"),
    "falsepositives a text": ("falsepositives:\n  - none\n", "falsepositives: none\n", 21, "falsepositives"),
    "author a list": ("author: ann", "author: [ann]", 7, "author"),
    "description a list": ("description: It did.", "description: [It did]", 4, "description"),
    "detection a text": (DETECTION, "detection: everything\n", 14, "etection"),
    "detection missing": (DETECTION, "", 1, "detection"),
    "detection without selections": (
        GOOD[GOOD.index("  selection") : GOOD.index("  condition")], "", 14, "etection",
    ),
    "selection empty": ("  filter:\n    User: SYSTEM\n", "  filter: {}\n", 18, ""),
    "map within a value": ("    User: SYSTEM", "    User: {name: SYSTEM}", 19, ""),
    "list within a list": ("    User: SYSTEM", "    User: [[a]]", 19, ""),
    "pir a text": ("level: high", "level: high\npir: cause", 24, "pir"),
    "role unknown": ("level: high", "level: high\npir:\n  role: villain", 25, "villain"),
    "yaml with a tab": ("    User: SYSTEM", "\tUser: SYSTEM", 19, "YAML"),
    "yaml with a quote left open": ("' -x '", "' -x", 17, "YAML"),
    "key given twice": ("level: high", "level: high\nlevel: low", 24, "twice"),
}  # fmt: skip
CORRELATIONS: dict[str, tuple[str, str, int, str]] = {
    "correlation of nothing known": ("    - base", "    - bass", 11, "bass"),
    "correlation of an unknown type": ("type: event_count", "type: event_counts", 9, "event_counts"),
    "correlation without a timespan": ("  timespan: 5m\n", "", 8, "timespan"),
    "timespan without a unit": ("timespan: 5m", "timespan: '5'", 14, "imespan"),
    "timespan of nothing": ("timespan: 5m", "timespan: 0m", 14, "imespan"),
    "condition with an unknown operator": ("gte: 3", "atleast: 3", 15, "condition"),
    "condition that counts words": ("gte: 3", "gte: three", 15, "three"),
    "value_count without a field": ("event_count", "value_count", 8, "field"),
    "correlation of itself": ("    - base", "    - often", 11, "itself"),
    "correlation of no rule": ("    - base\n", "    []\n", 10, "rules"),
    "correlation of what is no name": ("    - base", "    - {}", 10, "rules"),
    "correlation with a key misspelt": ("  group-by:", "  group_by:", 12, "group_by"),
    "group-by a number": ("    - User", "    - 5", 12, "group-by"),
    "generate a text": ("  timespan: 5m", "  timespan: 5m\n  generate: maybe", 15, "generate"),
}


def written(folder: Path, text: str) -> Path:
    path = folder / "rule.yml"
    path.write_text(text)
    return path


def test_sound_rules_have_no_problem(tmp_path: Path) -> None:
    for text in (GOOD, CORRELATION):
        assert signatures.check([written(tmp_path, text)]) == []


CASES = [(GOOD, name, *case) for name, case in LINES.items()]
CASES += [(CORRELATION, name, *case) for name, case in CORRELATIONS.items()]


@pytest.mark.parametrize(("text", "name", "old", "new", "line", "word"), CASES, ids=[case[1] for case in CASES])
def test_fault_is_named_at_its_line(
    tmp_path: Path, text: str, name: str, old: str, new: str, line: int, word: str
) -> None:
    assert old in text
    path = written(tmp_path, text.replace(old, new, 1))
    problems = [problem for problem in signatures.check([path]) if problem.fatal]
    assert problems, "it loads silently"
    told = [(problem.line, problem.what) for problem in problems]
    assert any(at == line and word in what for at, what in told), told
    with pytest.raises(SignatureError, match=r"rule\.yml"):
        signatures.load([path], builtin=False)


def test_every_rule_that_cannot_run_is_named_at_once(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yml").write_text(GOOD if name == "b" else GOOD.replace("level:", f"level: {name}\nold:"))
    with pytest.raises(SignatureError) as caught:
        signatures.load([tmp_path], builtin=False)
    told = str(caught.value).splitlines()
    assert [line.split(":")[0].rsplit("/")[-1] for line in told] == ["a.yml", "c.yml", "Hint"], told


def test_there_are_sixty_faults() -> None:
    assert len(CASES) >= 60


def test_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rule.yml"
    path.write_bytes(b"title: \xff\xfe")
    assert "UTF-8" in signatures.check([path])[0].what
    assert "cannot be read" in signatures.check([tmp_path / "absent.yml"])[0].what
    assert "not a map" in signatures.check([written(tmp_path, "- a\n- b\n")])[0].what


def test_two_rules_of_one_id_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD)
    (tmp_path / "b.yml").write_text(GOOD)
    found = signatures.check([tmp_path])
    assert [Path(p.path).name for p in found] == ["b.yml"] and found[0].line == 2


def test_second_document_is_told_by_its_own_line(tmp_path: Path) -> None:
    broken = GOOD.replace("5f2f8f0a", "6f2f8f0a").replace("Image|endswith", "Image|endwith")
    found = signatures.check([written(tmp_path, GOOD + "---\n" + broken)])
    assert [p.line for p in found] == [len(GOOD.splitlines()) + 1 + 16]


def test_slow_pattern_is_a_remark_and_an_unknown_logsource_too(tmp_path: Path) -> None:
    slow = written(tmp_path, GOOD.replace("    User: SYSTEM", "    User|re: 'a(?!b)'"))
    (remark,) = signatures.check([slow])
    assert not remark.fatal and "look-around" in remark.what and remark.line == 19
    strange = written(tmp_path, GOOD.replace("product: windows", "product: plan9"))
    (remark,) = signatures.check([strange])
    assert not remark.fatal and "plan9" in remark.what
    assert signatures.load([strange], builtin=False).table()["applicable"][0].startswith("no, because")
