import json
from pathlib import Path

import polars as pl
import pytest
from evidence_scenes import access, console, incident, write

from pirtimeline import Case, CaseError, Settings, SourceError, build
from pirtimeline.ingest import ingest
from pirtimeline.schema import EVENT_COLUMNS, FINDING_COLUMNS, TIMELINE_COLUMNS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made")
    incident(made / "evidence")
    long = "2024-03-04 02:58:03,004 WARN [main] org.example.A - " + "x" * (2 << 20) + "\n"
    write(made / "evidence", {"app1/long.log": long + "2024-03-04 02:58:04,004 WARN [main] org.example.A - after it\n"})
    build(made / "case", Settings(evidence=(str(made / "evidence"),), zones=(("ops1/*", "Europe/Berlin"),)))
    return made


@pytest.fixture(scope="module")
def case(folder: Path) -> Case:
    return Case(folder / "case")


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_folder_without_a_case_says_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaseError) as caught:
        Case(tmp_path / name)
    assert "this is not a case" in str(caught.value) and "pirtimeline build" in caught.value.hint


def test_rows_hold_pieces_and_events_are_whole(case: Case) -> None:
    rows, events = case.rows().collect(), case.events().collect()
    assert rows.columns == events.columns == [*EVENT_COLUMNS, "parser", "event_id"]
    assert events["continues"].null_count() == events.height
    assert "structure" not in set(events["parser"])
    pieces = rows.filter(pl.col("continues").is_not_null())
    assert pieces.height == 2 and pieces["continues"].n_unique() == 1
    assert events["event_id"].n_unique() == events.height


def test_events_of_one_parser_show_its_own_columns(case: Case) -> None:
    juli = case.events("tomcat_juli").collect()
    assert set(juli["parser"]) == {"tomcat_juli"}
    assert "function_name" in juli.columns
    assert "function_name" not in case.events().collect_schema().names()
    both = case.events(["tomcat_juli", "postgresql"]).collect()
    assert set(both["parser"]) == {"tomcat_juli", "postgresql"}
    assert "function_name" not in both.columns
    assert case.events("nobody_writes_this").collect().height == 0


def test_event_of_several_pieces_gives_all_its_bytes(case: Case, folder: Path) -> None:
    data = (folder / "evidence" / "app1" / "long.log").read_bytes()
    (event,) = case.rows().filter(pl.col("continues").is_not_null()).collect()["continues"].unique()
    assert case.raw([event]) == {event: data[: data.index(b"\n") + 1]}


def test_bytes_come_in_the_order_asked_each_once(case: Case) -> None:
    ids = case.events().select(pl.col("event_id").sort(descending=True)).head(9).collect().to_series().to_list()
    assert list(case.raw([*ids, ids[0]])) == ids


def test_excerpt_has_what_stands_around_it(case: Case, folder: Path) -> None:
    data = (folder / "evidence" / "app1" / "catalina.out").read_bytes()
    events = case.events("tomcat_juli").sort("byte_offset").collect()
    one = events.row(10, named=True)
    (found,) = case.excerpts([one["event_id"]], around=100)
    begin, end = one["byte_offset"], one["byte_offset"] + one["byte_length"]
    assert (found.before, found.data, found.after) == (
        data[begin - 100 : begin],
        data[begin:end],
        data[end : end + 100],
    )
    assert (found.path, found.line) == ("app1/catalina.out", 11)
    assert "request rq-0010" in found.text
    (first,) = case.excerpts([events["event_id"][0]], around=100)
    assert first.before == b""


@pytest.mark.parametrize("asked", ["0a1b2c3d4e5f:0", "nonsense", "0a1b2c3d4e5f:x", ""])
def test_event_that_is_not_there_is_an_error_in_words(case: Case, asked: str) -> None:
    with pytest.raises(CaseError, match="no event"):
        case.raw([asked])


def test_evidence_that_is_gone_is_an_error_in_words(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": console()})
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "evidence"),)))
    case = Case(tmp_path / "case")
    event = case.events().first().collect()["event_id"][0]
    (tmp_path / "evidence").rename(tmp_path / "moved")
    with pytest.raises(SourceError, match="no such file"):
        case.raw([event])
    assert case.raw([event], moved=tmp_path / "moved")
    write(tmp_path / "moved", {"a.log": b""})
    with pytest.raises(SourceError, match="shorter"):
        case.raw([event], moved=tmp_path / "moved")


def test_evidence_of_several_arguments_is_found_in_the_folder_they_moved_to(tmp_path: Path) -> None:
    write(tmp_path / "old", {"b.log": console(), "a.log": console(0)})
    named = tuple(str(tmp_path / "old" / name) for name in ("b.log", "a.log"))
    ingest(tmp_path / "case", Settings(evidence=named))
    (tmp_path / "old").rename(tmp_path / "new")
    case = Case(tmp_path / "case")
    ids = case.events().collect()["event_id"].to_list()
    found = case.raw(ids, moved=tmp_path / "new")
    assert len(found) == 120


def test_query_knows_the_six_tables(case: Case) -> None:
    for table in ("events", "rows", "findings", "timeline", "duplicates", "sources"):
        assert case.query(f"SELECT count(*) AS n FROM {table}")["n"][0] >= 0
    told = case.query("SELECT paths, mtime FROM sources WHERE host_name = 'db1'")
    assert told["paths"].to_list() == [["db1/postgresql.log"]]
    assert told.schema["mtime"] == pl.Datetime("us", "UTC")
    failed = case.query("SELECT count(*) AS n FROM events WHERE exception_type = 'java.lang.OutOfMemoryError'")
    assert failed["n"][0] == 20


@pytest.mark.parametrize("sql", ["SELECT nothing FROM events", "SELEKT 1", "SELECT * FROM nowhere", "", "DROP TABLE x"])
def test_query_that_cannot_be_answered_is_an_error_in_words(case: Case, sql: str) -> None:
    with pytest.raises(CaseError, match="cannot answer the query"):
        case.query(sql)


def test_case_that_was_only_ingested_has_empty_results(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"a.log": console()})
    ingest(tmp_path / "case", Settings(evidence=(str(tmp_path / "evidence"),)))
    case = Case(tmp_path / "case")
    assert case.report == {}
    assert case.findings().collect().schema == FINDING_COLUMNS
    assert case.timeline().collect().schema == TIMELINE_COLUMNS
    assert case.duplicates().collect().height == 0


def test_order_of_sources_is_that_of_their_first_paths(case: Case) -> None:
    first = [one["paths"][0] for one in case.sources]
    assert first == sorted(first)


def test_case_shows_itself_by_its_path(case: Case) -> None:
    assert repr(case) == f"Case({str(case.path)!r})"


def test_part_is_read_as_it_stands_by_other_readers(case: Case) -> None:
    import pyarrow.dataset as ds

    table = ds.dataset(case.path / "events", partitioning="hive").to_table(columns=["message", "parser", "timestamp"])
    assert table.num_rows == case.rows().select(pl.len()).collect().item()


def test_custody_names_what_was_handed_over_and_nothing_of_this_machine(case: Case, folder: Path) -> None:
    assert [one["path"] for one in case.custody["arguments"]] == ["."]
    assert str(folder) not in json.dumps([case.custody, case.plan, case.sources, case.report])


def test_failures_without_an_outage_are_not_denied(tmp_path: Path) -> None:
    write(tmp_path / "evidence", {"web1/access.log": access(0)})
    build(tmp_path / "case", Settings(evidence=(str(tmp_path / "evidence"),)))
    failed = Case(tmp_path / "case").report["impact"]["failed_requests"]
    assert failed["value"] is None
    assert failed["reason"] == "20 requests failed, but no outage stands out among them"
