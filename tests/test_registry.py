"""What is at hand: installed packages by their entry points, folders of the user, and what goes wrong in either."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from pirtimeline.errors import FormatError
from pirtimeline.parsing.plugin import Format, Parser
from pirtimeline.parsing.registry import GROUP, installed

GOOD = """title = "acme"
[[pattern]]
regex   = '^acme (?P<message>.*)$'
undated = true
[[sample]]
text = 'acme is up'
"""

PARSER = """
from collections.abc import Iterator
import polars as pl

class Dump:
    name, title, time, columns = "acme_dump", "Acme's dump", "epoch_s", {}
    def sniff(self, head, path):
        return head.startswith(b"ACME")
    def read(self, stream):
        yield pl.DataFrame()

def parsers():
    yield Dump()
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("acme_")]:
        del sys.modules[name]


def _point(folder: Path, module: str, source: str) -> EntryPoint:
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
    return EntryPoint(name="main", value=f"{module}:parsers", group=GROUP)


def test_own_formats_are_found_by_their_entry_point_in_order_of_name() -> None:
    found = installed()
    assert list(found) == sorted(found)
    assert {"tomcat_juli", "syslog_rfc3164", "jvm_gc_unified"} <= set(found)


def test_what_is_installed_can_be_sent_to_a_worker() -> None:
    found = {name: one for name, one in installed().items() if isinstance(one, Format)}
    assert pickle.loads(pickle.dumps(found)) == found


def test_stranger_may_offer_paths_formats_and_parsers(modules: Path) -> None:
    (modules / "acme_log.toml").write_text(GOOD, encoding="utf-8")
    source = PARSER.replace(
        "    yield Dump()",
        (
            "    from pathlib import Path\n    from pirtimeline.parsing.plugin import Format\n"
            "    yield Dump()\n    yield Path(__file__).with_name('acme_log.toml')\n"
            "    yield Format(name='acme_other', title='x')"
        ),
    )
    found = installed(points=[_point(modules, "acme_all", source)])
    assert list(found) == ["acme_dump", "acme_log", "acme_other"]
    assert isinstance(found["acme_dump"], Parser)


def test_two_of_one_name_are_an_error_that_names_both(modules: Path) -> None:
    one = _point(modules, "acme_one", PARSER)
    two = _point(modules, "acme_two", PARSER)
    with pytest.raises(FormatError, match="two formats are named 'acme_dump'") as caught:
        installed(points=[one, two])
    assert "acme_one:parsers" in caught.value.what
    assert "acme_two:parsers" in caught.value.what


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def parsers():\n    raise KeyError('cart')\n", "KeyError: 'cart'"),
        ("import no_such_module_here\n", "ModuleNotFoundError"),
        ("x = 1\n", "AttributeError"),
        ("def parsers():\n    return 3\n", "TypeError"),
        ("def parsers():\n    yield 'acme'\n", "gives 'acme'"),
        (PARSER.replace("yield Dump()", "yield Dump"), "gives <class"),
        (PARSER.replace("def sniff", "def snif"), "gives <acme_"),
    ],
)
def test_broken_provider_is_named_with_its_fault(modules: Path, source: str, fault: str) -> None:
    with pytest.raises(FormatError) as caught:
        installed(points=[_point(modules, "acme_bad", source)])
    assert "acme_bad:parsers" in caught.value.what
    assert fault in caught.value.what


def test_what_a_parser_lacks_is_told(modules: Path) -> None:
    source = PARSER.replace("def sniff", "def snif")
    with pytest.raises(FormatError) as caught:
        installed(points=[_point(modules, "acme_bad", source)])
    assert "here is no sniff" in caught.value.hint


def test_folder_replaces_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "tomcat_juli.toml").write_text(GOOD, encoding="utf-8")
    assert installed([tmp_path])["tomcat_juli"].title == "acme"


def test_last_folder_wins(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "acme_log.toml").write_text(GOOD.replace('"acme"', f'"{name}"'), encoding="utf-8")
    assert installed([tmp_path / "a", tmp_path / "b"])["acme_log"].title == "b"


def test_folder_may_hold_parsers_in_python(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PARSER, encoding="utf-8")
    assert isinstance(installed([tmp_path])["acme_dump"], Parser)


def test_file_of_a_folder_is_tried_on_its_samples(tmp_path: Path) -> None:
    (tmp_path / "acme_log.toml").write_text(GOOD.replace("'acme is up'", "'other'"), encoding="utf-8")
    with pytest.raises(FormatError, match="no pattern matches") as caught:
        installed([tmp_path])
    assert caught.value.at == f"{tmp_path / 'acme_log.toml'}:6"


def test_broken_python_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def parsers(:\n", encoding="utf-8")
    with pytest.raises(FormatError, match="SyntaxError") as caught:
        installed([tmp_path])
    assert caught.value.at == str(tmp_path / "mine.py")


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such folder"):
        installed([tmp_path / "nowhere"])
