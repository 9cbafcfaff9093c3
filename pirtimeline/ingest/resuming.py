"""How far a large source was read by runs that were killed: a line for each run of its bytes whose parts are written.

The lines stand beside the commit marks under a name that a finished run sweeps away. A line stands by itself: two runs
at once write equal ones, and one that was cut by a kill is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any

from pirtimeline.ingest import marks
from pirtimeline.objects import Location
from pirtimeline.parsing import clock
from pirtimeline.parsing.plan import FormatUse, SourcePlan
from pirtimeline.parsing.told import from_json, to_json
from pirtimeline.parsing.turns import NOTHING, Turns
from pirtimeline.store import absent


@dataclass(frozen=True, slots=True)
class Done:
    """What is done of a source up to a place: what each block told of its times, tallies, parts."""

    end: int = 0
    heard: tuple[Turns, ...] = ()
    counted: Mapping[str, Any] = field(default_factory=lambda: marks.NOTHING)
    parts: tuple[Mapping[str, Any], ...] = ()

    def past(self, plan: SourcePlan) -> Turns:
        """Say what is known of the times up to there."""
        return reduce(lambda past, told: clock.extended(past, told, plan.rule), self.heard, NOTHING)


def joined(runs: Sequence[Done]) -> Done:
    """Put runs that stand one behind the other together."""
    heard = tuple(chain.from_iterable(one.heard for one in runs))
    parts = tuple(chain.from_iterable(one.parts for one in runs))
    return Done(runs[-1].end, heard, reduce(marks.added, (one.counted for one in runs), marks.NOTHING), parts)


def independent(plan: SourcePlan) -> bool:
    """Tell whether the rows behind an event's end ask of those before it for their times and their number alone."""
    return bool(plan.formats) and not plan.parser and not any(map(_bound, plan.formats))


def _bound(use: FormatUse) -> bool:
    return bool(use.inner or use.format.envelope or use.format.options.get("framing"))


def done_before(case: Location, plan: SourcePlan, stamp: str) -> Done:
    """Say how far a source was read by the same plan, as far as its parts are there; nothing of it in a bucket."""
    file = _file(case, plan)
    if file is None or not file.is_file():
        return Done()
    found = {begin: one for begin, one in _lines(file, stamp) if not absent(case, (part["path"] for part in one.parts))}
    runs = [Done()]
    while runs[-1].end in found:
        runs.append(found[runs[-1].end])
    return joined(runs)


def note(case: Location, plan: SourcePlan, stamp: str, begin: int, done: Done) -> None:
    """Write down that a run of a source's bytes is done; its parts are written."""
    file = _file(case, plan)
    if file is None:
        return
    parts = [{**part, "sources": sorted(part["sources"])} for part in done.parts]
    told = {"heard": [to_json(one) for one in done.heard], "counted": done.counted, "parts": parts}
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        out.write(json.dumps({"stamp": stamp, "from": begin, "to": done.end, **told}).encode() + b"\n")


def _file(case: Location, plan: SourcePlan) -> Path | None:
    return case / "sources" / f".{plan.source_id}.read.tmp" if isinstance(case, Path) and independent(plan) else None


def _lines(file: Path, stamp: str) -> Iterator[tuple[int, Done]]:
    for line in file.read_bytes().split(b"\n"):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if told["stamp"] == stamp:
            parts = tuple({**part, "sources": set(part["sources"])} for part in told["parts"])
            heard: Sequence[Turns] = [from_json(one) for one in told["heard"]]
            yield told["from"], Done(told["to"], tuple(heard), told["counted"], parts)
