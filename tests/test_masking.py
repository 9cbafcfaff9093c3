"""Masking: no secret in anything generated, columns and texts alike, and nothing else lost."""

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pirtimeline.masking import MASK, mask, mask_column, mask_frame, mask_json

SECRETS = [
    ("-Djavax.net.ssl.keyStorePassword=ch@nge,it -Xmx1g", "ch@nge,it"),
    ("Command line argument: -Ddb.password=hunter2", "hunter2"),
    ('keystorePass="hunter2 two" port="8443"', "hunter2 two"),
    ("DB_PASSWORD=hunter2", "hunter2"),
    ("mysqldump --password hunter2 orders", "hunter2"),
    ("mysqldump --password=hunter2 orders", "hunter2"),
    ("mysql -h db1 -phunter2 orders", "hunter2"),
    ("['--api-key', 'hunter2']", "hunter2"),
    ("curl -u bob:hunter2 https://example.org/", "hunter2"),
    ("sshpass -p hunter2 ssh host", "hunter2"),
    ("postgres://bob:hunter2@db.example.org:5432/x", "hunter2"),
    ("https://bob:hun@ter2@example.org/x", "ter2"),
    ("jdbc:mysql://db/x?user=a&password=hunter2&ssl=1", "hunter2"),
    ("jdbc:sqlserver://db;user=sa;password=hunter2;", "hunter2"),
    ("jdbc:oracle:thin:scott/hunter2@db:1521:x", "hunter2"),
    ("Authorization: Bearer abc.def.123", "abc.def.123"),
    ("Authorization: Basic Ym9iOmh1bnRlcjI=", "Ym9iOmh1bnRlcjI"),
    ("sent bearer abcdef123456 to peer", "abcdef123456"),
    ("Cookie: a=1; JSESSIONID=0A1B2C3D", "0A1B2C3D"),
    ("Set-Cookie: theme=dark; Path=/", "dark"),
    ("GET /cart;jsessionid=0A1B2C3D?x=1", "0A1B2C3D"),
    ("X-Api-Key: hunter2", "hunter2"),
    ('{"client_secret": "hun\\"ter2", "n": 1}', "ter2"),
    ('{\\"password\\":\\"hunter2\\"}', "hunter2"),
    ("api_key=hunter2", "hunter2"),
    ("apiKey: hunter2", "hunter2"),
    ("user AKIAIOSFODNN7EXAMPLE logged in", "AKIAIOSFODNN7EXAMPLE"),
    ("token ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abc"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF", "eyJzdWIi"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----\nok", "MIIabc"),
    ("-----BEGIN PRIVATE KEY-----\nMIIabc\ncut", "MIIabc"),
    ("X-Amz-Signature=0a1b2c3d&x=1", "0a1b2c3d"),
    ("pwd=hunter2 ok", "hunter2"),
]
HARMLESS = [
    "sudo: deploy : TTY=pts/0 ; PWD=/srv/app ; USER=root ; COMMAND=/usr/bin/systemctl restart tomcat",
    "Failed password for invalid user bob from 192.0.2.7 port 22 ssh2",
    "java.lang.OutOfMemoryError: Java heap space",
    "unexpected token } in JSON at position 4",
    "Basic authentication failed, Bearer authentication next",
    "http://example.org:8080/a@b",
    "pre-token check ok",
    "deploy started: orders-api 1.4.1 -> 1.4.2 on app1",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secret_is_masked_in_a_text_and_in_a_column(text: str, secret: str) -> None:
    masked = mask(text)
    assert secret not in masked
    assert MASK in masked
    assert pl.DataFrame({"m": [text]}).select(mask_column(pl.col("m"))).item() == masked


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask(text) == text


def test_what_stands_beside_a_secret_stays() -> None:
    assert mask("jdbc:mysql://db/x?user=a&password=b&ssl=1") == "jdbc:mysql://db/x?user=a&password=(masked)&ssl=1"
    assert mask("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nok") == "(masked)\nok"


PIECES = st.sampled_from(
    [*(text for text, _ in SECRETS), *HARMLESS, "password", "=", ":", " ", '"', "\\", "\n", "@", "://", "K", "ſ", "İ"]
)
TEXTS = st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=6).map("".join))


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_text_and_column_agree(texts: list[str]) -> None:
    column = pl.DataFrame({"m": texts}, schema={"m": pl.String}).select(mask_column(pl.col("m")))["m"].to_list()
    assert column == [mask(text) for text in texts]


@settings(deadline=None)
@given(st.lists(st.sampled_from([*(text for text, _ in SECRETS), *HARMLESS]), max_size=4).map("\n".join))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_json_is_masked_by_its_keys_and_in_its_texts() -> None:
    masked = mask_json({"Password": "x", "list": [{"t": "Bearer abc123"}], "n": 1, "none": None, "yes": True})
    assert masked == {"Password": MASK, "list": [{"t": f"Bearer {MASK}"}], "n": 1, "none": None, "yes": True}


def test_frame_is_masked_in_lists_too() -> None:
    frame = mask_frame(pl.DataFrame({"a": ["pwd=x"], "b": [["pwd=y", None]], "n": [1]}))
    assert frame.rows() == [(f"pwd={MASK}", [f"pwd={MASK}", None], 1)]


@pytest.mark.parametrize("run", ["x", "-", "-D", "a.b-", "mysql ", "'", "ab:"])
def test_long_text_is_masked_as_a_short_one_and_in_no_time(run: str) -> None:
    begun = time.process_time()
    long = run * (200_000 // len(run))
    assert mask(f"{long} password=hunter2 {long}").count("hunter2") == 0
    assert mask(long) == long
    assert time.process_time() - begun < 5
