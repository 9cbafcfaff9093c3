import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pirtimeline import CaseError, store
from pirtimeline.schema import EVENT_COLUMNS


def rows(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"parser": ["mine"], "source_id": ["0a1b2c3d4e5f"], "byte_offset": [0], **columns})


def mark(source_id: str, *parts: str, path: str = "a.log") -> dict[str, Any]:
    return {"source_id": source_id, "paths": [path], "parts": list(parts)}


def test_file_that_holds_the_bytes_already_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.json"
    assert store.write_bytes(path, b"{}")
    before = path.stat()
    assert not store.write_bytes(path, b"{}")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert store.write_bytes(path, b"[]")
    assert path.read_bytes() == b"[]"


def test_file_that_cannot_be_written_leaves_the_old_one_and_nothing_half_written(tmp_path: Path) -> None:
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from pirtimeline import CaseError, store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    store.write_bytes(Path(sys.argv[1]), b'x' * 5000)\n"
        "except CaseError as error:\n"
        "    print(error)\n"
    )
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    said = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True).stdout
    assert "plan.json: cannot write: file too large" in said and "free some space" in said
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]


@given(value=st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text()))))
def test_json_comes_back_as_it_was_written(value: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    store.write_json(path, value)
    assert store.read_json(path) == value


def test_json_that_is_broken_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(CaseError, match="cannot be read"):
        store.read_json(tmp_path / "plan.json")
    assert store.read_json(tmp_path / "absent.json") == {}


def test_part_holds_every_column_of_the_table_in_its_order(tmp_path: Path) -> None:
    name, sha256 = store.write_part(
        tmp_path, "0a1b2c3d4e5f-00000000000000", rows(message=["a"], zebra=["z"], ant=["y"])
    )
    assert name == "events/parser=mine/0a1b2c3d4e5f-00000000000000.parquet"
    table = pl.read_parquet(tmp_path / name, hive_partitioning=False)
    assert table.columns == [*EVENT_COLUMNS, "ant", "zebra"]
    assert dict(list(table.schema.items())[:-2]) == EVENT_COLUMNS
    assert len(sha256) == 64


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    written = [store.write_part(tmp_path / one, "a", rows(message=["a"])) for one in ("x", "y")]
    assert written[0] == written[1]


def test_commit_mark_is_named_after_its_first_source_and_read_in_the_order_of_paths(tmp_path: Path) -> None:
    assert store.commit(tmp_path, [mark("b" * 12, path="z.log"), mark("a" * 12, path="b.log")]) == "b" * 12 + ".jsonl"
    store.commit(tmp_path, [mark("c" * 12, path="m.log")])
    assert [one["paths"][0] for one in store.read_sources(tmp_path)] == ["b.log", "m.log", "z.log"]
    assert {name: len(batch) for name, batch in store.each_batch(tmp_path)} == {
        "b" * 12 + ".jsonl": 2,
        "c" * 12 + ".jsonl": 1,
    }


def test_sweep_keeps_what_a_mark_lists_and_throws_away_the_rest(tmp_path: Path) -> None:
    kept, _ = store.write_part(tmp_path, "kept", rows())
    lost, _ = store.write_part(tmp_path, "lost", rows(parser=["other"]))
    store.commit(tmp_path, [mark("a" * 12, kept)])
    strays = [tmp_path / ".plan.json.1.ab.tmp", tmp_path / "sources" / ".a.jsonl.1.ab.tmp"]
    for stray in strays:
        stray.write_bytes(b"half")
    store.sweep(tmp_path)
    assert (tmp_path / kept).exists()
    assert not (tmp_path / lost).parent.exists()
    assert not any(stray.exists() for stray in strays)


def test_run_does_not_sweep_what_another_run_may_still_write(tmp_path: Path) -> None:
    case = tmp_path / "case"
    with store.writing(case):
        with store.writing(case):
            part, _ = store.write_part(case, "mine", rows())
        assert (case / part).exists()
    assert not (case / part).exists()


@pytest.mark.parametrize("name", ["photo.jpg", ".git"])
def test_folder_that_holds_something_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(CaseError, match="not a case"), store.writing(tmp_path):
        pass
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_folder_that_a_run_left_at_its_first_write_is_taken(tmp_path: Path) -> None:
    (tmp_path / ".plan.json.1.ab.tmp").write_bytes(b"half")
    with store.writing(tmp_path):
        pass
    assert [*tmp_path.iterdir()] == []


def test_file_is_no_case(tmp_path: Path) -> None:
    (tmp_path / "case").write_text("mine")
    with pytest.raises(CaseError, match="file, not a case"), store.writing(tmp_path / "case"):
        pass


def test_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CaseError, match="cannot write: not a directory"), store.writing(tmp_path / "file" / "case"):
        pass


def test_two_writers_of_one_file_leave_one_whole(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom pirtimeline import store\n"
        "for i in range(200):\n    store.write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * (i + 1))\n"
    )
    path = tmp_path / "a.json"
    running = [subprocess.Popen([sys.executable, "-c", script, str(path), letter]) for letter in "ab"]
    assert [one.wait() for one in running] == [0, 0]
    assert path.read_bytes() in (b"a" * 200, b"b" * 200)
    assert [*tmp_path.iterdir()] == [path]
