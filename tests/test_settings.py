from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline import CaseError, Settings
from pirtimeline.settings import declared, read_settings, write_settings

WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=9)
GLOBS = st.dictionaries(WORD, WORD, max_size=3).map(lambda told: tuple(told.items()))
TIME = st.none() | st.datetimes(timezones=st.just(UTC), min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1))
SETTINGS = st.builds(
    Settings,
    evidence=st.lists(WORD, max_size=3, unique=True).map(tuple),
    incident=WORD | st.just(""),
    start=TIME,
    end=TIME,
    collected_at=TIME,
    zones=GLOBS,
    years=GLOBS,
    hosts=GLOBS,
    services=GLOBS,
    parsers=GLOBS,
    parser_folders=st.lists(WORD, max_size=2).map(tuple),
)


@given(said=SETTINGS)
def test_what_was_declared_is_read_back(said: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    case = tmp_path_factory.mktemp("case")
    (case / "case.toml").write_bytes(write_settings(said))
    assert read_settings(case) == said


@given(said=SETTINGS)
def test_saying_it_twice_is_saying_it_once(said: Settings) -> None:
    assert Settings().merged(said) == said
    assert said.merged(said) == said
    assert said.merged(Settings()) == said


def test_what_is_said_later_joins_evidence_and_moves_its_globs_to_the_end() -> None:
    before = Settings(evidence=("a", "b"), incident="INC-1", zones=(("*", "UTC"), ("*app*", "Asia/Tokyo")))
    after = before.merged(Settings(evidence=("b", "c"), zones=(("*", "Europe/Berlin"),)))
    assert after.evidence == ("a", "b", "c")
    assert after.incident == "INC-1"
    assert after.zones == (("*app*", "Asia/Tokyo"), ("*", "Europe/Berlin"))
    assert declared(after.zones, "app1/a.log") == "Europe/Berlin"


def test_glob_crosses_slashes_and_keeps_case() -> None:
    globs = (("*app1*", "Asia/Tokyo"),)
    assert declared(globs, "logs.tar.gz!a/b/app1/c.log") == "Asia/Tokyo"
    assert declared(globs, "logs.tar.gz!a/b/APP1/c.log") is None


@pytest.mark.parametrize(
    "text", ["evidence = [", 'evidenz = ["a"]', '[[zones]]\nglob = "a"', '[[zones]]\nzone = "UTC"', "zones = 3", "\xff"]
)
def test_settings_that_cannot_be_read_are_an_error_in_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "case.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(CaseError, match=r"case\.toml: cannot be read"):
        read_settings(tmp_path)


def test_nothing_said_is_nothing_written() -> None:
    assert write_settings(Settings()) == b""
    assert all(getattr(Settings(), one.name) == one.default for one in fields(Settings))
    assert replace(Settings(), incident="x").to_toml() == {"incident": "x"}
