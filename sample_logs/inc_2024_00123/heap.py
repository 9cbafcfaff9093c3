"""The heap of checkout's JVM, minute by minute, and its garbage-collection log as HotSpot 8 writes it.

2 GiB under ParallelGC: eden 524800K, two survivors of 87040K, an old generation of 1398272K. Release 5.3.0 keeps a
part of each order, so that what a full collection leaves grows from the deployment on.
"""

from __future__ import annotations

from dataclasses import dataclass

from inc_2024_00123 import story
from inc_2024_00123.story import HOUR, MINUTE, NEW_YORK, SECOND, Dice, moment
from inc_2024_00123.traffic import Request

_EDEN, _YOUNG, _OLD, _HEAP = 524_800, 611_840, 1_398_272, 2_010_112
_LIVE = 291_400
_FULL = _OLD - 700

Lines = list[tuple[int, str]]


@dataclass(slots=True)
class _Heap:
    """What a JVM holds, in KiB: `live` is what no collection can free."""

    began: int
    eden: int = 0
    old: int = _LIVE
    live: int = _LIVE

    def keep(self, size: int) -> None:
        """Hold on to more."""
        self.live = min(self.live + size, _FULL)
        self.old = min(self.old + size, _OLD - 40)


def first_life(requests: list[Request]) -> Lines:
    """Write the log of the JVM that ran until the restart."""
    dice, heap = Dice("gc-1"), _Heap(story.BEGIN - 1214)
    orders = _orders_by_minute(requests)
    leaking = sum(n for minute, n in orders.items() if story.DEPLOYED <= minute * MINUTE < story.OOM - 5 * MINUTE)
    keeps = (_FULL - _LIVE) // leaking + 1
    made = _head(heap.began)
    for now in range(story.BEGIN + MINUTE, story.OOM - 5 * MINUTE, MINUTE):
        count = orders.get(now // MINUTE, 0)
        if now >= story.DEPLOYED:
            heap.keep(keeps * count)
        made += _minute(dice, heap, now, count)
    return [*made, *_thrashing(dice, heap), (story.STOPPED - 100, _FOOT)]


def second_life(requests: list[Request]) -> Lines:
    """Write the log of the JVM after the restart: it leaks on until the roll-back."""
    dice, heap = Dice("gc-2"), _Heap(story.STOPPED + 590)
    orders = _orders_by_minute(requests)
    made = _head(heap.began)
    for now in range(story.RESTARTED + MINUTE, story.END - MINUTE, MINUTE):
        count = orders.get(now // MINUTE, 0)
        if now < story.ROLLBACK:
            heap.keep(1100 * count)
        made += _minute(dice, heap, now, count)
    return made


def _orders_by_minute(requests: list[Request]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for request in requests:
        if request.service == "checkout":
            counts[request.at // MINUTE] = counts.get(request.at // MINUTE, 0) + 1
    return counts


def _minute(dice: Dice, heap: _Heap, now: int, orders: int) -> Lines:
    """Let a minute pass: collections of the young generation, and an hourly full one that RMI asks for."""
    made: Lines = []
    heap.eden += 21_000 + orders * dice.between(9000, 16_000)
    if heap.eden >= _EDEN:
        heap.eden -= _EDEN
        made.append(_young(dice, heap, now + dice.below(50) * SECOND + dice.below(1000)))
        if heap.old > _OLD * 93 // 100:
            made.append(_full(dice, heap, made[-1][0] + 40, "Ergonomics"))
    if now // HOUR != (now - MINUTE) // HOUR:
        made.append(_full(dice, heap, now + 51 * SECOND + dice.below(1000), "System.gc()"))
    return made


def _thrashing(dice: Dice, heap: _Heap) -> Lines:
    """Let one full collection follow the other, each freeing next to nothing, until the process is stopped."""
    made, now = list[tuple[int, str]](), story.OOM - 5 * MINUTE
    heap.live = heap.old = _FULL
    while now < story.RESTART - 2 * SECOND:
        cause = "Allocation Failure" if dice.chance(20) and now > story.OOM else "Ergonomics"
        heap.eden = _EDEN - dice.below(300)
        made.append(_full(dice, heap, now, cause, young_left=heap.eden - dice.between(200, 9000)))
        rest = 9000 if now < story.OOM else 700
        now += 3600 + dice.between(rest // 2, rest * 3 // 2)
    return made


def _stamp(heap: _Heap, now: int) -> str:
    uptime = now - heap.began
    return f"{moment(now, NEW_YORK):%Y-%m-%dT%H:%M:%S}.{now % SECOND:03}-0500: {uptime // SECOND}.{uptime % SECOND:03}:"


def _young(dice: Dice, heap: _Heap, now: int) -> tuple[int, str]:
    kept = dice.between(5000, 16_000)
    old, promoted = heap.old, dice.between(300, 1900)
    heap.old = min(old + promoted, _OLD - 40)
    before = _EDEN + kept // 2
    micros = dice.between(9000, 31_000)
    sizes = f"[PSYoungGen: {before}K->{kept}K({_YOUNG}K)] {before + old}K->{kept + heap.old}K({_HEAP}K)"
    text = f"[GC (Allocation Failure) {sizes}, 0.{micros:06}0 secs] {_times(micros)} \n"
    return now, f"{_stamp(heap, now)} {text}"


def _full(dice: Dice, heap: _Heap, now: int, cause: str, *, young_left: int = 0) -> tuple[int, str]:
    young = max(heap.eden, dice.between(4000, 14_000))
    before, heap.old = heap.old, heap.live + dice.between(0, 600)
    micros = 190_000 + heap.live * 25 // 10 + dice.between(0, 90_000)
    sizes = (
        f"[PSYoungGen: {young}K->{young_left}K({_YOUNG}K)] [ParOldGen: {before}K->{heap.old}K({_OLD}K)] "
        f"{young + before}K->{young_left + heap.old}K({_HEAP}K), [Metaspace: 61180K->61180K(1105920K)]"
    )
    seconds = f"{micros // 1_000_000}.{micros % 1_000_000:06}0 secs"
    text = f"[Full GC ({cause}) {sizes}, {seconds}] {_times(micros)} \n"
    heap.eden = 0
    return now, f"{_stamp(heap, now)} {text}"


def _times(micros: int) -> str:
    hundredths = micros // 10_000
    user = hundredths * 18 // 10
    return f"[Times: user={user // 100}.{user % 100:02} sys=0.00, real={hundredths // 100}.{hundredths % 100:02} secs]"


def _head(began: int) -> Lines:
    text = (
        "Java HotSpot(TM) 64-Bit Server VM (25.291-b10) for linux-amd64 JRE (1.8.0_291-b10), built on Apr  7 2021 "
        '19:23:52 by "java_re" with gcc 7.3.0\n'
        "Memory: 4k page, physical 8009944k(5270148k free), swap 2097148k(2097148k free)\n"
        "CommandLine flags: -XX:InitialHeapSize=2147483648 -XX:MaxHeapSize=2147483648 -XX:+PrintGC "
        "-XX:+PrintGCDateStamps -XX:+PrintGCDetails -XX:+PrintGCTimeStamps -XX:+UseCompressedClassPointers "
        "-XX:+UseCompressedOops -XX:+UseParallelGC \n"
    )
    return [(began, text)]


_FOOT = """Heap
 PSYoungGen      total 611840K, used 524511K [0x00000000d5580000, 0x0000000100000000, 0x0000000100000000)
  eden space 524800K, 99% used [0x00000000d5580000,0x00000000f55b7c10,0x00000000f5600000)
  from space 87040K, 0% used [0x00000000f5600000,0x00000000f5600000,0x00000000fab00000)
  to   space 87040K, 0% used [0x00000000fab00000,0x00000000fab00000,0x0000000100000000)
 ParOldGen       total 1398272K, used 1397811K [0x0000000080000000, 0x00000000d5580000, 0x00000000d5580000)
  object space 1398272K, 99% used [0x0000000080000000,0x00000000d550cf18,0x00000000d5580000)
 Metaspace       used 61180K, capacity 64102K, committed 64768K, reserved 1105920K
  class space    used 7120K, capacity 7551K, committed 7680K, reserved 1048576K
"""
