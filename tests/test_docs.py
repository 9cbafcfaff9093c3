import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import pirtimeline
import pirtimeline_parsers
from pirtimeline import errors, schema
from pirtimeline.cli import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
}
EVERYTHING = "\n".join(DOCUMENTS.values())


def commands(group: click.Group, *above: str) -> list[str]:
    """Name every command below a group, with the words before it."""
    found = []
    for name in group.list_commands(click.Context(group)):
        one = group.get_command(click.Context(group), name)
        found += commands(one, *above, name) if isinstance(one, click.Group) else [" ".join((*above, name))]
    return found


@pytest.mark.parametrize("command", commands(cli))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"pirtimeline {command}" in DOCUMENTS["README.md"]


@pytest.mark.parametrize("table", ["EVENT_COLUMNS", "FINDING_COLUMNS", "TIMELINE_COLUMNS", "DUPLICATE_COLUMNS"])
def test_every_column_is_documented(table: str) -> None:
    told = set(re.findall(r"`(\w+)`", DOCUMENTS["docs/tables.md"]))
    assert set(getattr(schema, table)) - told == set()


@pytest.mark.parametrize("words", ["TIME_BASES", "SEVERITIES", "ROLES"])
def test_every_word_of_a_closed_list_is_documented(words: str) -> None:
    assert [word for word in getattr(schema, words) if word not in DOCUMENTS["docs/tables.md"]] == []


def test_every_error_is_documented() -> None:
    named = [one.__name__ for one in vars(errors).values() if isinstance(one, type)]
    assert [name for name in named if f"`{name}`" not in EVERYTHING] == []


def test_every_public_name_is_there_and_documented() -> None:
    assert len(pirtimeline.__all__) <= 30
    assert sorted(pirtimeline.__all__) == pirtimeline.__all__
    assert all(getattr(pirtimeline, name) is not None for name in pirtimeline.__all__)
    assert [name for name in pirtimeline.__all__ if f"`{name}`" not in DOCUMENTS["docs/tables.md"]] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pirtimeline.nothing  # noqa: B018


def test_every_format_is_documented() -> None:
    shipped = {path.stem for path in Path(pirtimeline_parsers.__file__).parent.glob("*.toml")}
    assert shipped - set(re.findall(r"^### (\w+)$", DOCUMENTS["docs/formats.md"], re.MULTILINE)) == set()


def test_every_floor_is_in_the_table_of_floors_in_their_order() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [sorted(layer.split(" | ")) for layer in contracts[0]["layers"]]
    table = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", DOCUMENTS["docs/architecture.md"], re.MULTILINE)
    assert [sorted(re.findall(r"\w+", row)) for row in table] == layers


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_links_lead_somewhere(document: str) -> None:
    prose = re.sub(r"```.*?```", "", DOCUMENTS[document], flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose)
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (ROOT / document).parent.joinpath(target).exists()] == []


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_no_document_names_a_machine(document: str) -> None:
    assert re.findall(r"/(?:work|root|Users|tmp)/\w+|[A-Z]:\\Users", DOCUMENTS[document]) == []


def test_module_is_the_command_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pirtimeline", "--version"], capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"pirtimeline, version \d+\.\d+\.\d+\n", done.stdout)


def test_notebooks_hold_no_outputs_and_import_public_names_alone() -> None:
    for path in ROOT.glob("notebooks/*.ipynb"):
        text = path.read_text("utf-8")
        assert '"output_type"' not in text, path
        assert '"execution_count": null' in text, path
        for names in re.findall(r"from pirtimeline import ([\w, ]+)", text):
            assert {name.strip() for name in names.split(",")} <= set(pirtimeline.__all__), path
        assert not re.search(r"(?:from|import) pirtimeline\.", text), path
