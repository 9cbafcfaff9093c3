"""What is held of very many sources is bounded, and still tells what each of them is."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence_scenes import access, console, write

from pirtimeline import evidence
from pirtimeline.parsing import survey
from pirtimeline.parsing.registry import installed


def test_less_is_held_of_each_source_where_there_are_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{n}.log": access(n % 5, count=400) if n % 2 else console(n % 5, count=400) for n in range(8)}
    folder = write(tmp_path, files)
    whole = survey.survey(evidence.walk([folder]), installed())
    monkeypatch.setattr(survey, "KEPT", 100 << 10)
    for name, size in (("HEAD", 32 << 10), ("TAIL", 16 << 10)):
        monkeypatch.setattr(survey, name, size)
    less = survey.survey(evidence.walk([folder]), installed())
    held = sum(len(data) for one in less.looked for _, data in one.pieces)
    assert held < 130 << 10 < sum(len(data) for one in whole.looked for _, data in one.pieces)
    assert [one.formats for one in less.plans.values()] == [one.formats for one in whole.plans.values()]
    for one in less.looked:
        text = files[one.paths[0]].encode()
        assert one.pieces[0][0] == 0 and text.startswith(one.pieces[0][1])
        assert text.endswith(one.pieces[-1][1]) and text[one.pieces[-1][0] :] == one.pieces[-1][1]
