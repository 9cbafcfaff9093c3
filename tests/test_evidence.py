import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import pickle
import socket
import stat
import subprocess
import sys
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline import evidence
from pirtimeline.errors import SourceError
from pirtimeline.evidence import Found, Limits, Place, Sampling

LINES = b"".join(b"2024-03-04 02:58:%02d INFO request %d done\n" % (n % 60, n) for n in range(500))
WHEN = 1_709_521_083
MEMBER_TIME = datetime.fromtimestamp(WHEN, UTC)

PACK = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zst": zstandard.compress,
}


def tar(members: dict[str, bytes], **options: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", **options) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), WHEN
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def tar_of(*infos: tarfile.TarInfo) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return made.getvalue()


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


class Forward(io.RawIOBase):
    """What a pipe is: no seeking, so that a zip is written with its sizes behind the data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def walked(*arguments: Path, **options: object) -> tuple[list[Found], dict[str, list[dict[str, object]]]]:
    walk = evidence.walk(arguments, **options)  # type: ignore[arg-type]
    return list(walk), walk.custody  # type: ignore[return-value]


def contents(found: list[Found]) -> dict[str, bytes]:
    wanted = {f.source.place: f.source.path for f in found}
    return {wanted[place]: stream.read() for place, stream in evidence.read(wanted)}


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (WHEN, WHEN))
    return path


def reasons(custody: dict[str, list[dict[str, object]]]) -> dict[object, object]:
    return {row["path"]: row["reason"] for row in custody["skipped"]}


def test_plain_file_is_one_source_known_by_its_content(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log", LINES)
    [found], custody = walked(path)
    digest = hashlib.sha256(LINES).hexdigest()
    source = found.source
    assert (source.source_id, source.identity, source.sha256) == (digest[:12], "content", digest)
    assert (source.path, source.size_bytes, source.stored_size) == ("a.log", len(LINES), len(LINES))
    assert (source.mtime, source.truncated, found.samples) == (MEMBER_TIME, "", ((0, LINES),))
    assert custody["arguments"] == [
        {"path": "a.log", "size_bytes": len(LINES), "sha256": digest, "mtime": "2024-03-04T02:58:03Z", "reason": None}
    ]


@pytest.mark.parametrize("kind", PACK)
def test_compressed_file_is_one_source_under_its_own_path(tmp_path: Path, kind: str) -> None:
    stored = PACK[kind](LINES)
    path = write(tmp_path / "orders-1.log.bin", stored)
    [found], custody = walked(path)
    assert found.source.path == "orders-1.log.bin"
    assert found.source.sha256 == hashlib.sha256(LINES).hexdigest()
    assert found.source.stored_size == len(stored)
    assert [step.kind for step in found.source.place.steps] == [kind]
    assert custody["archives"][0]["sha256"] == custody["arguments"][0]["sha256"] == hashlib.sha256(stored).hexdigest()
    assert evidence.open_source(found.source.place).read() == LINES


@pytest.mark.parametrize("outer", [*PACK, "plain"])
def test_nested_mix_is_read_to_its_ground(tmp_path: Path, outer: str) -> None:
    inner = tar({"app1/catalina.out": LINES, "app1/orders-1.log.gz": PACK["gz"](b"old\n")})
    middle = zipped({"host/logs.tar.xz": PACK["xz"](inner), "note.txt": b"hello\n"})
    whole = tar({"bundle.zip": middle, "web1/access.log.zst": PACK["zst"](b"GET\n")})
    write(tmp_path / "in" / "case" / "all.tar", PACK.get(outer, bytes)(whole))
    found, custody = walked(tmp_path / "in")
    base = "case/all.tar!bundle.zip!"
    expected = {
        f"{base}host/logs.tar.xz!app1/catalina.out": LINES,
        f"{base}host/logs.tar.xz!app1/orders-1.log.gz": b"old\n",
        f"{base}note.txt": b"hello\n",
        "case/all.tar!web1/access.log.zst": b"GET\n",
    }
    assert contents(found) == expected
    assert {f.source.path: f.samples[0][1] for f in found} == expected
    assert custody["arguments"] == [{"path": "in", "size_bytes": None, "sha256": None, "mtime": None, "reason": None}]
    hashes = {row["path"]: row["sha256"] for row in custody["archives"]}
    assert hashes["case/all.tar!bundle.zip"] == hashlib.sha256(middle).hexdigest()
    assert custody["skipped"] == []


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_several_streams_and_padding_are_one_content(tmp_path: Path, kind: str) -> None:
    pack = PACK[kind]
    path = write(tmp_path / "x", pack(b"one\n") + pack(b"two\n") + bytes(16))
    [found], _ = walked(path)
    assert found.samples == ((0, b"one\ntwo\n"),)


def test_skippable_zstd_frames_are_passed_over(tmp_path: Path) -> None:
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"12345"
    sized = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    frame = sized.compress(LINES) + sized.flush()
    [found], _ = walked(write(tmp_path / "x", skippable + frame + skippable + PACK["zst"](b"end")))
    assert found.samples == ((0, LINES + b"end"),)


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_garbage_behind_a_stream_is_ignored_and_named(tmp_path: Path, kind: str) -> None:
    [found], custody = walked(write(tmp_path / "x", PACK[kind](LINES) + b"trailing garbage"))
    assert (found.source.size_bytes, found.source.truncated) == (len(LINES), "")
    assert custody["archives"][0]["reason"] == "bytes behind the compressed stream were ignored"


NOISE = hashlib.shake_256(b"noise").digest(3 << 20)


@pytest.mark.parametrize(("kind", "word"), [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz"), ("zst", "zstd")])
def test_stream_that_ends_early_gives_the_bytes_up_to_there(tmp_path: Path, kind: str, word: str) -> None:
    stored = PACK[kind](NOISE)
    path = write(tmp_path / "x.log", stored[: len(stored) * 2 // 3])
    [found], custody = walked(path)
    data = evidence.open_source(found.source.place).read()
    assert found.source.truncated == f"{word} stream ends early"
    assert NOISE.startswith(data) and len(data) > len(NOISE) // 3
    assert (found.source.size_bytes, found.source.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert custody["arguments"][0]["reason"] == f"{word} stream ends early"


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_damaged_stream_gives_the_bytes_before_the_damage(tmp_path: Path, kind: str) -> None:
    stored = bytearray(PACK[kind](NOISE))
    stored[len(stored) // 2 : len(stored) // 2 + 64] = bytes(64)
    [found], _ = walked(write(tmp_path / "x.log", bytes(stored)))
    assert found.source.truncated.endswith("is damaged")
    assert found.source.size_bytes == len(evidence.open_source(found.source.place).read()) > 0


def test_tar_that_ends_early_gives_its_last_member_cut(tmp_path: Path) -> None:
    whole = tar({"a.log": LINES, "b.log": NOISE})
    (a, b), custody = walked(write(tmp_path / "x.tar", whole[: len(whole) // 2]))
    assert (a.source.truncated, a.source.size_bytes) == ("", len(LINES))
    assert b.source.truncated == f"ends early: {b.source.size_bytes} of {len(NOISE)} bytes"
    assert custody["archives"][0]["reason"] == "tar archive has no end mark"


def test_tar_in_a_cut_gzip_says_so_where_it_is_cut(tmp_path: Path) -> None:
    stored = PACK["gz"](tar({"a.log": LINES, "b.log": NOISE}))
    (a, b), custody = walked(write(tmp_path / "x.tgz", stored[: len(stored) // 2]))
    assert a.source.truncated == "" and b.source.truncated.startswith("ends early")
    assert "gzip stream ends early" in str(custody["archives"][0]["reason"])


def test_zip_without_its_directory_is_read_forward(tmp_path: Path) -> None:
    whole = zipped({"a.log": LINES, "b.log": NOISE})
    (a, b), custody = walked(write(tmp_path / "x.zip", whole[: len(whole) // 2]))
    assert (a.samples, a.source.truncated) == (((0, LINES),), "")
    assert b.source.truncated
    assert evidence.open_source(b.source.place).read() == NOISE[: b.source.size_bytes]
    assert custody["archives"][0]["reason"] == "zip archive ends early; zip archive has no directory that can be read"


def test_zip_written_to_a_pipe_is_read_without_its_directory(tmp_path: Path) -> None:
    pipe = Forward()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.log", "b.log"):
            archive.writestr(name, LINES + name.encode())
    whole = bytes(pipe.data)
    cut = whole[: whole.rindex(b"PK\x05\x06")]
    found, _ = walked(write(tmp_path / "x.zip", cut))
    assert contents(found) == {f"x.zip!{name}": LINES + name.encode() for name in ("a.log", "b.log")}
    assert all(not f.source.truncated for f in found)


def test_large_zip_inside_a_compressed_tar_is_read_forward(tmp_path: Path) -> None:
    noise = hashlib.shake_256(b"large").digest(18 << 20)
    inner = zipped({"a.log": noise, "b/": b"", "b/c.log": LINES})
    found, _ = walked(write(tmp_path / "x.tgz", PACK["gz"](tar({"in.zip": inner, "z.log": b"z"}))))
    assert [f.source.path for f in found] == ["x.tgz!in.zip!a.log", "x.tgz!in.zip!b/c.log", "x.tgz!z.log"]
    assert contents(found) == {"x.tgz!in.zip!a.log": noise, "x.tgz!in.zip!b/c.log": LINES, "x.tgz!z.log": b"z"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_usual_zip_method_is_read(tmp_path: Path, method: int) -> None:
    [found], _ = walked(write(tmp_path / "x.zip", zipped({"a.log": LINES}, method)))
    assert (found.samples, found.source.truncated) == (((0, LINES),), "")


def test_damaged_zip_member_is_a_source_that_says_so(tmp_path: Path) -> None:
    whole = bytearray(zipped({"a.log": LINES}, zipfile.ZIP_STORED))
    at = whole.index(b"INFO")
    whole[at : at + 4] = b"WARN"
    [found], _ = walked(write(tmp_path / "x.zip", bytes(whole)))
    assert found.source.truncated == "zip member is damaged: its checksum differs"


def test_zip_members_that_cannot_be_opened_are_skipped_with_the_reason(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("link.log")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("odd.log", b"x" * 10)
        archive.writestr("ok.log", b"ok\n")
    whole = bytearray(made.getvalue())
    for mark, back in ((b"PK\x03\x04", 30), (b"PK\x01\x02", 46)):
        header = whole.index(b"odd.log", whole.index(mark)) - back
        whole[header + (8 if back == 30 else 10)] = 9
    secret = bytearray(zipped({"s.log": b"secret"}, zipfile.ZIP_STORED))
    secret[6] |= 1
    secret[secret.index(b"PK\x01\x02") + 8] |= 1
    write(tmp_path / "e" / "x.zip", bytes(whole))
    write(tmp_path / "e" / "y.zip", bytes(secret))
    found, custody = walked(tmp_path / "e")
    assert [f.source.path for f in found] == ["x.zip!ok.log"]
    assert reasons(custody) == {
        "x.zip!link.log": "a symbolic link is not followed",
        "x.zip!odd.log": "its compression (zip method 9) is not supported",
        "y.zip!s.log": "it is encrypted",
    }


def test_members_that_lead_out_are_skipped_each_with_its_reason(tmp_path: Path) -> None:
    whole = tar_of(
        special("../../etc/passwd", tarfile.REGTYPE),
        special("a/../../b", tarfile.REGTYPE),
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard", tarfile.LNKTYPE, "/etc/shadow"),
        special("null", tarfile.CHRTYPE),
        special("disk", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
        special("folder", tarfile.DIRTYPE),
    )
    absolute = tarfile.TarInfo("x")
    absolute.name = "/var/log/syslog"
    zip_slip = zipped({"..\\..\\evil.log": b"x", "C:\\evil.log": b"x", "fine\\app.log": b"fine"})
    write(tmp_path / "e" / "x.tar", whole)
    write(tmp_path / "e" / "y.tar", tar_of(absolute))
    write(tmp_path / "e" / "z.zip", zip_slip)
    found, custody = walked(tmp_path / "e")
    out = "its name leads out of the archive (..)"
    assert [f.source.path for f in found] == ["z.zip!fine/app.log"]
    assert reasons(custody) == {
        "x.tar!../../etc/passwd": out,
        "x.tar!a/../../b": out,
        "x.tar!link": "a symbolic link is not followed",
        "x.tar!hard": "a hard link to /etc/shadow, of which the archive holds no source before it",
        "x.tar!null": "a character device is not read",
        "x.tar!disk": "a block device is not read",
        "x.tar!pipe": "a FIFO is not read",
        "y.tar!/var/log/syslog": "its name is absolute",
        "z.zip!../../evil.log": out,
        "z.zip!C:/evil.log": "its name is absolute",
    }


def test_hard_link_in_a_tar_is_the_same_source_under_its_own_path(tmp_path: Path) -> None:
    first = tarfile.TarInfo("app1/a.log.gz")
    packed = PACK["gz"](LINES)
    first.size = len(packed)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(first, io.BytesIO(packed))
        archive.addfile(special("app1/b.log.gz", tarfile.LNKTYPE, "./app1/a.log.gz"))
    (a, b), _ = walked(write(tmp_path / "x.tar", made.getvalue()))
    assert (a.source.source_id, a.source.place) == (b.source.source_id, b.source.place)
    assert (b.source.path, b.samples) == ("x.tar!app1/b.log.gz", ())


def test_folder_is_walked_in_the_order_of_its_paths_and_follows_nothing(tmp_path: Path) -> None:
    root = tmp_path / "e"
    for name in ("b/x.log", "a.log", "a/z.log", "B.log"):
        write(root / name, name.encode())
    (tmp_path / "outside.log").write_bytes(b"secret")
    (root / "link.log").symlink_to(tmp_path / "outside.log")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
        found, custody = walked(root)
    assert [f.source.path for f in found] == ["B.log", "a.log", "a/z.log", "b/x.log"]
    assert reasons(custody) == {
        "link.log": "a symbolic link is not followed",
        "loop": "a symbolic link is not followed",
        "pipe": "a FIFO is not read",
        "sock": "a socket is not read",
    }


def test_argument_that_is_a_link_is_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "real.log", LINES)
    (tmp_path / "given.log").symlink_to(target)
    [found], _ = walked(tmp_path / "given.log")
    assert (found.source.path, found.source.size_bytes) == ("given.log", len(LINES))


@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zst"])
def test_bomb_is_stopped_by_its_ratio(tmp_path: Path, kind: str) -> None:
    write(tmp_path / "e" / "bomb", PACK[kind](bytes(80 << 20)))
    write(tmp_path / "e" / "good.log", LINES)
    found, custody = walked(tmp_path / "e", limits=Limits(ratio=500))
    assert [f.source.path for f in found] == ["good.log"]
    assert reasons(custody) == {"bomb": "unpacks to more than 500 times its size"}


def test_bomb_inside_an_archive_costs_only_itself_where_the_archive_goes_on(tmp_path: Path) -> None:
    whole = tar({"a.log": LINES, "bomb.gz": PACK["gz"](bytes(80 << 20)), "z.log": b"z"})
    found, custody = walked(write(tmp_path / "x.tar", whole), limits=Limits(ratio=500))
    assert [f.source.path for f in found] == ["x.tar!a.log", "x.tar!z.log"]
    assert reasons(custody) == {"x.tar!bomb.gz": "unpacks to more than 500 times its size"}


def test_bomb_around_an_archive_ends_it_with_what_came_before(tmp_path: Path) -> None:
    whole = PACK["gz"](tar({"a.log": LINES, "zero.log": bytes(90 << 20), "z.log": b"z"}))
    found, custody = walked(write(tmp_path / "x.tgz", whole), limits=Limits(ratio=500))
    assert [f.source.path for f in found] == ["x.tgz!a.log"]
    assert reasons(custody)["x.tgz!zero.log"] == "unpacks to more than 500 times its size"
    assert "500 times" in str(custody["archives"][0]["reason"])


def test_steps_within_steps_do_not_multiply_the_ratio(tmp_path: Path) -> None:
    bomb = PACK["gz"](PACK["gz"](bytes(600 << 20)))
    assert len(bomb) < 8 << 10
    walk = evidence.walk([write(tmp_path / "bomb", bomb)], limits=Limits(ratio=1_100, depth=8))
    assert list(walk) == []
    with pytest.raises(SourceError, match="not one byte"):
        walk.require()


def test_depth_size_total_and_members_are_limited(tmp_path: Path) -> None:
    deep = LINES
    for _ in range(5):
        deep = PACK["gz"](deep)
    path = write(tmp_path / "deep", deep)
    assert reasons(walked(path, limits=Limits(depth=4))[1]) == {"deep": "nested deeper than 4 levels"}
    assert len(walked(path, limits=Limits(depth=5))[0]) == 1
    many = write(tmp_path / "many.tar", tar({f"{n}.log": b"%d" % n for n in range(9)}))
    found, custody = walked(many, limits=Limits(members=4))
    assert len(found) == 4 and reasons(custody) == {"many.tar": "more than 4 members of archives"}
    big = write(tmp_path / "big.tar", tar({"a": LINES, "b": b"b", "c": LINES}))
    found, custody = walked(big, limits=Limits(source_bytes=1000))
    assert [f.source.path for f in found] == ["big.tar!b"]
    assert set(reasons(custody).values()) == {"more than 1000 bytes when unpacked"}
    found, custody = walked(big, limits=Limits(total_bytes=len(LINES) + 10))
    assert [f.source.path for f in found] == ["big.tar!a", "big.tar!b"]


def test_same_content_twice_is_the_same_source_with_its_own_paths(tmp_path: Path) -> None:
    write(tmp_path / "e" / "a.log", LINES)
    write(tmp_path / "e" / "copy.log", LINES)
    write(tmp_path / "e" / "old" / "a.log.gz", PACK["gz"](LINES))
    write(tmp_path / "e" / "z.zip", zipped({"a.log": LINES}))
    found, _ = walked(tmp_path / "e")
    assert len({f.source.source_id for f in found}) == 1
    assert [f.source.path for f in found] == ["a.log", "copy.log", "old/a.log.gz", "z.zip!a.log"]


def test_equal_names_in_one_archive_stay_distinct(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in (("a.log", b"1"), ("A.log", b"2"), ("./a.log", b"3"), ("a.log#2", b"4")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found, _ = walked(write(tmp_path / "x.tar", made.getvalue()))
    assert contents(found) == {"x.tar!a.log": b"1", "x.tar!A.log": b"2", "x.tar!a.log#2": b"3", "x.tar!a.log#2#2": b"4"}


def test_odd_names_are_escaped_and_pass_through_json(tmp_path: Path) -> None:
    root = tmp_path / "e"
    root.mkdir()
    (Path(os.fsdecode(bytes(root) + b"/caf\xe9\n\x1b[31m.log"))).write_bytes(b"x")
    (root / "münchen\u202egol.log").write_bytes(b"y")
    write(root / "t.tar", tar({"bad\udcff.log": b"z"}, encoding="utf-8", errors="surrogateescape"))  # type: ignore[arg-type]
    found, custody = walked(root)
    paths = [f.source.path for f in found]
    assert paths == ["caf\\xe9\\x0a\\x1b[31m.log", "münchen\\u202egol.log", "t.tar!bad\\xff.log"]
    assert json.loads(json.dumps([paths, custody], ensure_ascii=False).encode()) == [paths, custody]
    assert sorted(contents(found).values()) == [b"x", b"y", b"z"]


def test_utf16_is_just_bytes(tmp_path: Path) -> None:
    data = "2024-03-04 Käse\r\n".encode("utf-16")
    [found], _ = walked(write(tmp_path / "x.log", data))
    assert found.samples == ((0, data),)


def test_empty_files_are_skipped_and_empty_evidence_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "e" / "empty.log", b"")
    write(tmp_path / "e" / "x.tar", tar({"none.log": b""}))
    walk = evidence.walk([tmp_path / "e"])
    assert list(walk) == []
    assert reasons(walk.custody) == {"empty.log": "empty", "x.tar!none.log": "empty"}  # type: ignore[arg-type]
    with pytest.raises(SourceError) as caught:
        walk.require()
    assert "empty.log: empty" in caught.value.hint


def test_missing_argument_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        evidence.walk([tmp_path / "none.tar.gz"])
    assert "no such file" in str(caught.value) and "none.tar.gz" in str(caught.value)


@pytest.mark.parametrize(
    "stored", [b"PK\x03\x04garbage", b"\x1f\x8b\x08garbage that is no gzip", b"\x28\xb5\x2f\xfd\xff"]
)
def test_broken_archive_as_argument_is_an_error_that_names_it(tmp_path: Path, stored: bytes) -> None:
    with pytest.raises(SourceError, match="broken"):
        walked(write(tmp_path / "broken.zip", stored))
    found, custody = walked(write(tmp_path / "e" / "broken.zip", stored).parent)
    assert found == [] and len(custody["skipped"]) == 1


def test_broken_archive_gives_the_members_around_the_damage(tmp_path: Path) -> None:
    whole = bytearray(tar({"a.log": LINES, "b.log": LINES[::-1], "c.log": b"c"}))
    at = whole.index(b"b.log")
    whole[at : at + 512] = b"\xff" * 512
    found, custody = walked(write(tmp_path / "x.tar", bytes(whole)))
    assert [f.source.path for f in found] == ["x.tar!a.log", "x.tar!c.log"]
    assert custody["archives"][0]["reason"] == "tar archive is damaged: bytes that are no header were passed over"


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    write(tmp_path / "e" / "text.zip", b"2024-03-04 not a zip\n")
    write(tmp_path / "e" / "tar.log", tar({"in.log": b"x"}))
    write(tmp_path / "e" / "zeros.log", bytes(2048))
    found, _ = walked(tmp_path / "e")
    assert [f.source.path for f in found] == ["tar.log!in.log", "text.zip", "zeros.log"]


def test_tar_without_magic_is_known_by_its_checksum(tmp_path: Path) -> None:
    info = tarfile.TarInfo("v7.log")
    info.size = 3
    block = bytearray(info.tobuf())
    block[257:265] = bytes(8)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    [found], _ = walked(write(tmp_path / "x", bytes(block) + b"abc".ljust(512, b"\0") + bytes(1024)))
    assert (found.source.path, found.samples) == ("x!v7.log", ((0, b"abc"),))


def test_concatenated_tars_are_read_to_the_end(tmp_path: Path) -> None:
    found, _ = walked(write(tmp_path / "x.tar", tar({"a": b"1"}) + tar({"b": b"2"})))
    assert contents(found) == {"x.tar!a": b"1", "x.tar!b": b"2"}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_every_form(tmp_path: Path, form: int) -> None:
    name = "/".join(["folder-with-a-long-name"] * (6 if form == tarfile.USTAR_FORMAT else 20)) + "/x.log"
    [found], _ = walked(write(tmp_path / "x.tar", tar({name: b"x"}, format=form)))
    assert found.source.path == f"x.tar!{name}"


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_sparse_files_have_their_holes(tmp_path: Path, form: str) -> None:
    with (tmp_path / "holes.log").open("wb") as file:
        for n in range(1, 40):
            file.seek(n << 16)
            file.write(b"line %d\n" % n)
        file.truncate(41 << 16)
    made = tmp_path / "x.tar"
    command = ["tar", "-S", f"--format={form}", "-C", str(tmp_path), "-cf", str(made), "holes.log"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("no GNU tar here")
    [found], _ = walked(made)
    assert contents([found])["x.tar!holes.log"] == (tmp_path / "holes.log").read_bytes()


def test_documents_and_programs_are_skipped_whole(tmp_path: Path) -> None:
    write(tmp_path / "e" / "a.docx", zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}))
    write(tmp_path / "e" / "b.zip", zipped({"META-INF/MANIFEST.MF": b"", "org/A.class": b"\xca\xfe"}))
    write(tmp_path / "e" / "c.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30))
    found, custody = walked(tmp_path / "e")
    assert found == []
    assert reasons(custody) == {
        "a.docx": "an Office document is not opened",
        "b.zip": "a Java archive (program) is not opened",
        "c.7z": "a 7-Zip archive is not opened",
    }


def test_times_come_from_the_member_the_gzip_or_the_file(tmp_path: Path) -> None:
    dated = gzip.compress(b"x", mtime=1_600_000_000)
    undated = tarfile.TarInfo("u.gz")
    undated.size = len(dated)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(undated, io.BytesIO(dated))
    write(tmp_path / "e" / "a.gz", dated)
    write(tmp_path / "e" / "b.tar", tar({"m.gz": dated}))
    write(tmp_path / "e" / "c.tar", made.getvalue())
    write(tmp_path / "e" / "d.zip", zipped({"z.log": b"z"}))
    os.utime(tmp_path / "e" / "a.gz", (WHEN + 5, WHEN + 5))
    a, b, c, d = (f.source.mtime.timestamp() for f in walked(tmp_path / "e")[0])
    assert (a, b, c) == (WHEN + 5, WHEN, 1_600_000_000)
    assert d > WHEN  # writestr stamps the present


def test_zip_times_prefer_the_extended_timestamp(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.log", (2024, 3, 4, 4, 0, 2))
    info.extra = b"UT\x05\x00\x01" + WHEN.to_bytes(4, "little")
    plain = zipfile.ZipInfo("b.log", (2024, 3, 4, 4, 0, 2))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(info, b"x")
        archive.writestr(plain, b"x")
    times = [f.source.mtime for f in walked(write(tmp_path / "x.zip", made.getvalue()))[0]]
    assert times == [MEMBER_TIME, datetime(2024, 3, 4, 4, 0, 2, tzinfo=UTC)]


LARGE = hashlib.shake_256(b"large source").digest(1 << 20) * 35 + b"end"


def ends_id(data: bytes) -> str:
    return hashlib.sha256(b"%d\n" % len(data) + data[: 1 << 20] + data[-(1 << 20) :]).hexdigest()[:12]


def test_large_source_is_known_by_its_ends_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "large.log", LARGE)
    [found], custody = walked(path)
    assert (found.source.source_id, found.source.identity) == (ends_id(LARGE), "ends")
    assert found.source.sha256 is None and custody["arguments"][0]["sha256"] is None
    [read], custody = walked(path, hash_all=True)
    assert read.source.sha256 == custody["arguments"][0]["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert (read.source.source_id, read.samples) == (found.source.source_id, found.samples)


def test_large_source_has_one_identity_in_folder_tar_and_zip(tmp_path: Path) -> None:
    write(tmp_path / "e" / "a.log", LARGE)
    write(tmp_path / "e" / "b.tar", tar({"a.log": LARGE}))
    write(tmp_path / "e" / "c.zip", zipped({"a.log": LARGE}))
    write(tmp_path / "e" / "d.tgz", PACK["gz"](tar({"a.log": LARGE})))
    found, _ = walked(tmp_path / "e")
    assert {f.source.source_id for f in found} == {ends_id(LARGE)}
    assert len({f.samples for f in found}) == 1
    assert [f.source.sha256 for f in found[1:]] == [hashlib.sha256(LARGE).hexdigest()] * 3


def test_large_compressed_source_is_known_by_its_stored_ends(tmp_path: Path) -> None:
    stored = PACK["gz"](LARGE)
    [found], _ = walked(write(tmp_path / "a.gz", stored))
    assert (found.source.source_id, found.source.identity) == (ends_id(stored), "ends")
    assert (found.source.sha256, found.source.stored_size) == (hashlib.sha256(LARGE).hexdigest(), len(stored))


def test_sources_with_equal_ends_are_compared_whole(tmp_path: Path) -> None:
    other = LARGE[: 10 << 20] + b"!" + LARGE[(10 << 20) + 1 :]
    for name, data in (("a", LARGE), ("b", other)):
        write(tmp_path / "e" / name, data)
    write(tmp_path / "e" / "c.gz", PACK["gz"](LARGE))
    a, b, c = (f.source for f in walked(tmp_path / "e")[0])
    assert a.source_id == b.source_id
    assert not evidence.same_content(a.place, b.place)
    assert evidence.same_content(a.place, c.place)


def test_samples_are_head_places_between_and_tail() -> None:
    sampling = Sampling()
    from pirtimeline.evidence.content import places

    assert places(4 << 20, sampling) == [(0, 4 << 20)]
    assert places((4 << 20) + 1, sampling) == [(0, 1 << 20), ((4 << 20) + 1 - (256 << 10), 256 << 10)]
    assert places((16 << 20) + 100, sampling)[-1] == ((16 << 20) + 100 - (256 << 10), 256 << 10)
    assert len(places(1 << 40, sampling)) <= sampling.most + 1


SMALL = Sampling(whole=40, head=16, piece=8, stride=32, tail=12, most=5)


@given(st.binary(max_size=700), st.integers(1, 64))
@settings(max_examples=200, deadline=None)
def test_samples_of_a_stream_are_those_of_the_bytes(data: bytes, chunk: int) -> None:
    from pirtimeline.evidence.content import _Gathered, look

    gathered = _Gathered(SMALL)
    for at in range(0, len(data), chunk):
        gathered.update(at, data[at : at + chunk])
    samples = gathered.samples(len(data))
    assert samples == look(data, SMALL).samples
    assert all(data[at : at + len(piece)] == piece for at, piece in samples)
    ends = [at + len(piece) for at, piece in samples]
    assert all(end < begin for end, (begin, _) in zip(ends, samples[1:], strict=False))


@given(
    st.dictionaries(st.text("ab/.", min_size=1, max_size=6), st.binary(max_size=50), max_size=6),
    st.sampled_from([*PACK, ""]),
)
@settings(max_examples=60, deadline=None)
def test_what_a_tar_holds_is_found_or_skipped(
    tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes], kind: str
) -> None:
    whole = tar(members)
    path = tmp_path_factory.mktemp("law") / "x"
    path.write_bytes(PACK[kind](whole) if kind else whole)
    if not members:
        return
    found, custody = walked(path)
    assert len(found) + len(custody["skipped"]) == len(members)
    assert sorted(contents(found).values()) == sorted(f.samples[0][1] for f in found)


@given(st.binary(max_size=2000))
@settings(max_examples=150, deadline=None)
def test_no_bytes_whatever_raise_anything_but_a_source_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x"
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"BZh91AY&SY", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"):
        path.write_bytes(start + data)
        try:
            found, _ = walked(path)
        except SourceError:
            continue
        contents(found)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_in_an_archive_never_breaks_the_walk(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = data.draw(
        st.sampled_from(
            [tar({"a": LINES, "b/c": b"x" * 700}), zipped({"a": LINES, "b/c": b"x"}), PACK["gz"](tar({"a": LINES}))]
        )
    )
    at, value = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flip") / "x"
    path.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
    try:
        found, _ = walked(path)
    except SourceError:
        return
    got = contents(found)
    assert all(got[f.source.path] == f.samples[0][1] for f in found if f.samples)


def test_walk_is_the_same_twice_and_for_a_copy_elsewhere(tmp_path: Path) -> None:
    for name, data in (("a/x.log", LINES), ("b.tgz", PACK["gz"](tar({"y": b"y"})))):
        write(tmp_path / "one" / "e" / name, data)
        write(tmp_path / "two" / "e" / name, data)

    def said(root: Path) -> object:
        found, custody = walked(root / "e")
        return [(f.source.source_id, f.source.path, f.source.mtime, f.samples) for f in found], custody

    assert said(tmp_path / "one") == said(tmp_path / "one") == said(tmp_path / "two")


def test_places_travel_to_other_workers(tmp_path: Path) -> None:
    [found], _ = walked(write(tmp_path / "x.tgz", PACK["gz"](tar({"y": b"y"}))))
    place = pickle.loads(pickle.dumps(found.source.place))
    assert evidence.open_source(place).read() == b"y"
    moved = write(tmp_path / "moved" / "z.tgz", (tmp_path / "x.tgz").read_bytes())
    assert evidence.open_source(place.moved(str(moved))).read() == b"y"


def test_many_members_are_read_in_one_pass_and_only_what_is_wanted(tmp_path: Path) -> None:
    whole = tar({f"{n:04}.log": b"%d" % n for n in range(2000)})
    path = write(tmp_path / "x.tgz", PACK["gz"](whole))
    found, _ = walked(path)
    wanted = [found[n].source.place for n in (1999, 3, 700)]
    assert [stream.read() for _, stream in evidence.read(wanted)] == [b"3", b"700", b"1999"]


def test_stream_that_was_not_read_to_its_end_does_not_harm_the_next(tmp_path: Path) -> None:
    found, _ = walked(write(tmp_path / "x.tgz", PACK["gz"](tar({"a": LARGE, "b": LINES}))))
    parts = [stream.read(10) for _, stream in evidence.read([f.source.place for f in found])]
    assert parts == [LARGE[:10], LINES[:10]]


def test_plain_file_is_entered_anywhere(tmp_path: Path) -> None:
    [found], _ = walked(write(tmp_path / "a.log", LINES))
    with evidence.open_source(found.source.place) as stream:
        assert stream.seekable() and stream.seek(7) == 7 and stream.read(3) == LINES[7:10]


def test_place_that_is_gone_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", tar({"a": b"1", "b": b"2"}))
    _, b = (f.source.place for f in walked(path)[0])
    write(path, tar({"a": b"1"}))
    with pytest.raises(SourceError, match="no longer holds"):
        evidence.open_source(b).read()
    path.unlink()
    with pytest.raises(SourceError, match="cannot be opened again"):
        list(evidence.read([b]))


def test_excluded_folder_is_not_walked_nor_mentioned(tmp_path: Path) -> None:
    write(tmp_path / "e" / "a.log", LINES)
    write(tmp_path / "e" / "case" / "evidence.json", b"{}")
    found, custody = walked(tmp_path / "e", exclude=[tmp_path / "e" / "." / "case"])
    assert [f.source.path for f in found] == ["a.log"] and custody["skipped"] == []
    assert walked(tmp_path / "e" / "case", exclude=[tmp_path / "e" / "case"])[0] == []


def test_fingerprint_tells_a_change_and_known_files_are_not_opened(tmp_path: Path) -> None:
    write(tmp_path / "e" / "a.log", LINES)
    write(tmp_path / "e" / "b.log", b"b")
    before = evidence.fingerprint([tmp_path / "e"])
    assert before == evidence.fingerprint([str(tmp_path / "e")])
    write(tmp_path / "e" / "b.log", b"bb")
    assert before != evidence.fingerprint([tmp_path / "e"])
    walk = evidence.walk([tmp_path / "e"], known=json.loads(json.dumps(before)))
    assert [f.source.path for f in walk] == ["b.log"]
    assert walk.unchanged == ["a.log"]
    walk.require()


WALK = """
import os, sys
from pirtimeline import evidence
from pirtimeline.errors import SourceError
os.setgid(65534); os.setuid(65534)
try:
    walk = evidence.walk([sys.argv[1]])
    print([f.source.path for f in walk], [(r["path"], r["reason"]) for r in walk.custody["skipped"]])
except SourceError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become another user")
def test_unreadable_files_are_skipped_and_an_unreadable_argument_is_an_error(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = Path("/tmp") / tmp_path_factory.mktemp("nobody").name
    try:
        write(root / "open.log", b"x")
        write(root / "secret.log", b"x").chmod(0)
        write(root / "closed" / "x.log", b"x").parent.chmod(0)
        root.chmod(0o755)

        def run(path: Path) -> str:
            env = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": os.environ["PATH"]}
            done = subprocess.run(
                [sys.executable, "-c", WALK, str(path)], capture_output=True, text=True, check=False, env=env
            )
            return done.stdout + done.stderr

        said = run(root)
        assert "['open.log']" in said
        assert "('closed', 'a folder that cannot be read: permission denied')" in said
        assert "('secret.log', 'cannot be read: permission denied')" in said
        assert f"{root / 'closed'}: permission denied" in run(root / "closed")
    finally:
        subprocess.run(["rm", "-rf", str(root)], check=True)


def test_no_place_is_made_of_a_plain_place() -> None:
    assert Place("a").steps == () and Place("a").file == ""


def test_zip_whose_directory_points_before_its_begin_is_read_forward(tmp_path: Path) -> None:
    whole = bytearray(zipped({"a.log": LINES}))
    at = whole.rindex(b"PK\x05\x06") + 16
    whole[at : at + 4] = (0x7FFF_FFFF).to_bytes(4, "little")
    [found], _ = walked(write(tmp_path / "x.zip", bytes(whole)))
    assert found.samples == ((0, LINES),)


def test_impossible_lzma_properties_are_damage_and_no_crash(tmp_path: Path) -> None:
    whole = bytearray(zipped({"a.log": LINES, "b.log": b"b"}, zipfile.ZIP_LZMA))
    whole[30 + 5 + 4] = 0xFF
    [found], custody = walked(write(tmp_path / "x.zip", bytes(whole)))
    assert found.source.path == "x.zip!b.log"
    assert reasons(custody) == {"x.zip!a.log": "lzma stream is damaged"}
