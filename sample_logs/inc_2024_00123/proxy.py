"""web1: nginx before the two Tomcats. It sees the balancer on the wire, and the client in X-Forwarded-For."""

from __future__ import annotations

from inc_2024_00123.story import clf, moment
from inc_2024_00123.traffic import Request

_UPSTREAM = {"checkout": "http://192.0.2.31:8080", "catalog": "http://192.0.2.32:8080"}
_SAID = {
    "timeout": "upstream timed out (110: Connection timed out) while reading response header from upstream",
    "closed": "upstream prematurely closed connection while reading response header from upstream",
    "refused": "connect() failed (111: Connection refused) while connecting to upstream",
}


def access(requests: list[Request]) -> list[tuple[int, str]]:
    """Write the access log: combined, then X-Forwarded-For, times and the request id."""
    return [(r.at, _access(r)) for r in requests]


def _access(r: Request) -> str:
    seconds = f"{r.millis / 1000:.3f}"
    upstream = "-" if r.service == "static" else seconds
    return (
        f'{r.peer} - - [{clf(r.at)}] "{r.method} {r.path} HTTP/1.1" {r.status} {r.size} "-" "{r.agent}" '
        f'"{r.client}" rt={seconds} urt={upstream} rid={r.rid}\n'
    )


def errors(requests: list[Request]) -> list[tuple[int, str]]:
    """Write the error log: what the proxy itself had to say of a failure."""
    return [(r.at, _error(r, number)) for number, r in enumerate(requests, 41_200) if r.failure in _SAID]


def _error(r: Request, number: int) -> str:
    return (
        f"{moment(r.at):%Y/%m/%d %H:%M:%S} [error] 1187#1187: *{number} {_SAID[r.failure]}, client: {r.peer}, "
        f'server: shop.example.org, request: "{r.method} {r.path} HTTP/1.1", '
        f'upstream: "{_UPSTREAM[r.service]}{r.path}", host: "shop.example.org"\n'
    )
