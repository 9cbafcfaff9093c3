"""The requests that the shop was asked, and how each ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inc_2024_00123 import story
from inc_2024_00123.story import MINUTE, SECOND, Dice

_PER_MINUTE = (12, 12, 12, 11, 9, 8, 7, 5, 4, 4, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 10, 11, 12)
"""Requests a minute by the hour in UTC: New York's evening is the busy time."""

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/122.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0",
    "ShopApp/4.18 (Android 14)",
)
_BALANCERS = ("192.0.2.10", "192.0.2.11")
_SCANNER = "198.51.100.77"
_SCANNED = ("/wp-login.php", "/.env", "/phpmyadmin/index.php", "/admin/config.php", "/.git/config", "/server-status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, at the millisecond when the proxy had answered it.

    `app_status` is what Tomcat logged, 0 where it logged nothing; `failure` is what went wrong, in one word.
    """

    at: int
    millis: int
    service: str
    method: str
    path: str
    status: int
    size: int
    client: str
    peer: str
    agent: str
    rid: str
    app_status: int
    order: int = 0
    failure: str = ""


def requests() -> list[Request]:
    """Tell all requests in the order of their answers."""
    dice = Dice("traffic")
    clients = [f"203.0.113.{n}" for n in range(1, 151)] + [f"198.51.100.{n}" for n in range(1, 60)]
    made, order, now = [], 88_000, story.BEGIN + 40 * SECOND
    while now < story.END - 2 * SECOND:
        order += 1
        plain = _plain(dice, now, clients, order)
        made += [plain] if plain.service != "checkout" else _fate(dice, plain)
        rate = _PER_MINUTE[story.moment(now).hour] * (2 if _down(now) else 1)
        now += MINUTE * (10 + dice.below(180)) // 100 // rate
    made += [_first(dice), _last(dice), *_scan(dice), *_strays(dice)]
    return sorted(made, key=lambda request: (request.at, request.rid))


def _down(now: int) -> bool:
    return story.OOM <= now < story.RESTARTED


def _plain(dice: Dice, now: int, clients: list[str], order: int) -> Request:
    """Make a request that goes well."""
    share = dice.below(100)
    service = "checkout" if share < 52 else "catalog" if share < 92 else "static"
    method, path = _asked(dice, service, order)
    millis = dice.between(1, 4) if service == "static" else dice.between(18, 240)
    return Request(
        at=now + millis, millis=millis, service=service, method=method, path=path, status=200,
        size=dice.between(180, 4200), client=dice.pick(clients), peer=dice.pick(_BALANCERS),
        agent=dice.pick(_AGENTS), rid=dice.hex(16), app_status=0 if service == "static" else 200, order=order,
    )  # fmt: skip


def _asked(dice: Dice, service: str, order: int) -> tuple[str, str]:
    if service == "static":
        return "GET", dice.pick(("/static/shop.css", "/static/shop.js", "/static/logo.svg"))
    if service == "catalog":
        return "GET", dice.pick((f"/catalog/items/{dice.between(100, 460)}", f"/catalog/search?q={dice.pick(_WORDS)}"))
    return dice.pick(
        (("POST", f"/checkout/orders/{order}/pay"), ("GET", f"/checkout/orders/{order}"), ("POST", "/checkout/cart"))
    )


_WORDS = ("lamp", "chair", "desk", "shelf", "mirror", "rug", "vase", "clock")


def _fate(dice: Dice, plain: Request) -> list[Request]:
    """Let a request to checkout meet the heap as it is at its time."""
    began = plain.at - plain.millis
    if story.SLOW <= began < story.OOM:
        millis = min(dice.between(400, 9000), story.OOM - began - 900)
        return [replace(plain, at=began + millis, millis=millis)] if millis > 0 else []
    if story.OOM <= began < story.RESTART:
        return [_failed(dice, plain, began)]
    if story.RESTART <= began < story.RESTARTED:
        return [_refused(plain, began)] if began < story.LAST_FAILURE else []
    return [plain]


def _failed(dice: Dice, plain: Request, began: int) -> Request:
    """End a request as a server without memory does; early on it still throws, later it no longer answers."""
    share = dice.below(100)
    early = began < story.OOM + 75 * SECOND
    if share < 6 and not early:
        millis = dice.between(9000, 42_000)
        return _cut_off(replace(plain, at=began + millis, millis=millis), began)
    if share < 13 and not early:
        millis = dice.between(8000, 30_000)
        return _cut_off(replace(plain, at=began + millis, millis=millis, status=499, size=0, app_status=0), began)
    if early or share < 45:
        millis = dice.between(1200, 6000) if early else dice.between(5000, 38_000)
        broken = replace(
            plain, at=began + millis, millis=millis, status=500, size=2140, app_status=500, failure="memory"
        )
        return _cut_off(broken, began)
    late = replace(plain, at=began + 60_000, millis=60_000, status=504, size=167, app_status=0, failure="timeout")
    return _cut_off(late, began)


def _cut_off(request: Request, began: int) -> Request:
    """Break what was still open when Tomcat stopped."""
    if request.at < story.RESTART + 3 * SECOND:
        return request
    ended = story.RESTART + 3 * SECOND + began % 5000
    return replace(request, at=ended, millis=ended - began, status=502, size=157, app_status=0, failure="closed")


def _refused(plain: Request, began: int) -> Request:
    return replace(plain, at=began + 1, millis=1, status=502, size=157, app_status=0, failure="refused")


def _first(dice: Dice) -> Request:
    """Tell of the first order that found no memory."""
    return Request(
        at=story.OOM + 30, millis=6120, service="checkout", method="POST", path="/checkout/orders/99001/pay",
        status=500, size=2140, client="203.0.113.41", peer=_BALANCERS[0], agent=_AGENTS[0], rid=dice.hex(16),
        app_status=500, order=99_001, failure="memory",
    )  # fmt: skip


def _last(dice: Dice) -> Request:
    """Tell of the last one that was refused."""
    return Request(
        at=story.LAST_FAILURE, millis=1, service="checkout", method="GET", path="/checkout/orders/99002", status=502,
        size=157, client="203.0.113.87", peer=_BALANCERS[1], agent=_AGENTS[1], rid=dice.hex(16), app_status=0,
        order=99_002, failure="refused",
    )  # fmt: skip


def _scan(dice: Dice) -> list[Request]:
    """Let a scanner knock until the firewall blocks it: noise that happens to fall into the incident."""
    made, now = [], story.SCAN
    while now < story.FIREWALL - SECOND:
        made.append(Request(
            at=now, millis=1, service="static", method="GET", path=dice.pick(_SCANNED), status=404, size=146,
            client=_SCANNER, peer=_BALANCERS[0], agent="curl/7.68.0", rid=dice.hex(16), app_status=0,
        ))  # fmt: skip
        now += dice.between(2, 16) * SECOND + dice.below(900)
    return made


def _strays(dice: Dice) -> list[Request]:
    """Tell of two failures on the calm days that have nothing to do with the incident."""
    base = _first(dice)
    null = replace(
        base, at=story.at("2024-03-03 09:31:12", 204), millis=31, path="/checkout/cart", size=1986, failure="null",
        client="203.0.113.19", rid=dice.hex(16), order=0,
    )  # fmt: skip
    lost = replace(
        base, at=story.at("2024-03-02 14:07:41", 77), millis=3, service="catalog", method="GET", size=157,
        path="/catalog/items/212", status=502, app_status=0, failure="closed", rid=dice.hex(16),
    )  # fmt: skip
    return [null, lost]
