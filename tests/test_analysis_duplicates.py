import analysis_scenes as scenes
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.analysis import duplicates
from pirtimeline.analysis.duplicates import _candidates as candidates


def two_files(lines: int, second: str = "app1/catalina.out", host: str = "app1") -> scenes.Scene:
    scene = scenes.Scene()
    for n in range(lines):
        for path in ("app1/catalina.2024-03-04.log", second):
            scene.line(path, host, n * 3, f"message {n % 7}", severity="INFO")
    return scene


def test_lines_in_console_and_file_are_copies_of_those_in_the_smaller_path() -> None:
    scene = two_files(50)
    scene.line("app1/catalina.out", "app1", 10.5, "only on the console")
    events, sources = scene.table()
    copies = duplicates(events.lazy(), sources)
    assert copies.height == 50
    original = scenes.source_id("app1/catalina.2024-03-04.log")
    assert copies["copy_of"].str.starts_with(original).all()
    assert set(copies["copy_of"]).isdisjoint(copies["event_id"])


def test_two_requests_of_one_second_in_two_logs_are_two() -> None:
    scene = scenes.Scene()
    request = {"http_method": "GET", "http_status_code": 200, "source_ip": "192.0.2.1", "resolution_us": 1_000_000}
    for n in range(300):
        scene.line("web1/shop.log", "web1", n, None, url_path=f"/shop/{n % 11}", parser="proxy", **request)
        scene.line("web1/blog.log", "web1", n, None, url_path=f"/blog/{n % 11}", parser="proxy", **request)
    for n in range(0, 300, 60):
        for path in ("web1/shop.log", "web1/blog.log"):
            scene.line(path, "web1", n, None, url_path="/health", parser="proxy", **request)
    events, sources = scene.table()
    assert duplicates(events.lazy(), sources).is_empty()


def test_health_checks_alone_are_no_proof_of_a_copy() -> None:
    scene = scenes.Scene()
    request = {"http_method": "GET", "http_status_code": 200, "source_ip": "192.0.2.1", "resolution_us": 1_000_000}
    for n in range(100):
        for path in ("web1/a.log", "web1/b.log"):
            scene.line(
                path,
                "web1",
                n * 10 + (0.5 if path.endswith("b.log") and n == 0 else 0),
                None,
                url_path="/health",
                **request,
            )
    scene.line("web1/a.log", "web1", 5, "start of a")
    events, sources = scene.table()
    assert duplicates(events.lazy(), sources).is_empty()


def test_lines_of_another_host_are_no_copies() -> None:
    scene = scenes.Scene()
    for n in range(50):
        for host in ("app1", "app2"):
            scene.line(f"{host}/app.log", host, n, f"message {n}")
    events, sources = scene.table()
    assert duplicates(events.lazy(), sources).is_empty()


def test_snapshot_pairs_undated_rows_by_their_place() -> None:
    scene = scenes.Scene()
    for n in range(40):
        paths = ("app1/console.log", "app1/console.log.copy") if n < 30 else ("app1/console.log",)
        for path in paths:
            scene.line(path, "app1", n, f"message {n}")
            if n % 10 == 5:
                scene.line(path, "app1", n + 0.5, "undated words")
    events, sources = scene.table()
    undated = pl.col("message") == "undated words"
    events = events.with_columns(
        timestamp=pl.when(~undated).then("timestamp"), timestamp_text=pl.when(~undated).then("timestamp_text")
    )
    copies = duplicates(events.lazy(), sources)
    assert copies.height == 33
    assert set(copies["event_id"].str.head(12)) == {scenes.source_id("app1/console.log.copy")}


def test_same_line_twice_in_each_file_pairs_first_to_first() -> None:
    scene = two_files(30)
    for path in list(scene.rows):
        scene.line(path, "app1", 6, "message 2", severity="INFO")
    events, sources = scene.table()
    copies = duplicates(events.lazy(), sources)
    assert copies.height == 31
    assert copies["copy_of"].n_unique() == 31


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(2, 4))
def test_a_copy_is_never_an_original(words: list[str], files: int) -> None:
    scene = scenes.Scene()
    for n, word in enumerate(words):
        for number in range(files):
            scene.line(f"app1/{number}.log", "app1", n // 3, word)
    events, sources = scene.table()
    copies = duplicates(events.lazy(), sources)
    assert set(copies["copy_of"]).isdisjoint(copies["event_id"])
    assert copies["event_id"].is_unique().all()
    assert copies.height in (0, len(words) * (files - 1))


SPAN = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)
ROW = st.tuples(st.sampled_from(["a", None]), st.sets(st.sampled_from("pq")), st.none() | SPAN)


@given(st.lists(ROW, max_size=7))
def test_sources_that_may_hold_copies_are_those_of_a_look_at_every_pair(rows: list[tuple]) -> None:
    def meet(one: tuple, other: tuple) -> bool:
        same = one[0] == other[0] and (not one[1] or not other[1] or bool(one[1] & other[1]))
        apart = one[2] and other[2] and max(one[2][0], other[2][0]) > min(one[2][1], other[2][1])
        return same and not apart

    sources = [
        {
            "source_id": str(n),
            "host_name": host,
            "parsers": dict.fromkeys(sorted(parsers), 1),
            "first_timestamp": str(span[0]) if span else None,
            "last_timestamp": str(span[1]) if span else None,
        }
        for n, (host, parsers, span) in enumerate(rows)
    ]
    wanted = [str(n) for n, one in enumerate(rows) if any(meet(one, b) for m, b in enumerate(rows) if m != n)]
    assert candidates(sources) == wanted
