"""Work side by side, a few pieces in flight, its results in the order of the work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Piece = TypeVar("_Piece")
_Done = TypeVar("_Done")


def in_flight(
    pool: Executor, work: Callable[[_Piece], _Done], pieces: Iterable[_Piece], ahead: int
) -> Iterator[tuple[_Piece, _Done]]:
    """Work at pieces on a pool and give each with its result, in order.

    Args:
        pool: what works.
        work: what is done with a piece.
        pieces: taken one by one, so that no more of them exist than are in flight.
        ahead: how many pieces are worked at, or wait with their result, while the one before them is asked for.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     [*in_flight(pool, len, ["", "ab", "a"], ahead=1)]
        [('', 0), ('ab', 2), ('a', 1)]
    """
    waiting: deque[tuple[_Piece, Future[_Done]]] = deque()
    for piece in pieces:
        waiting.append((piece, pool.submit(work, piece)))
        if len(waiting) > ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


def prepared(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """Give pieces in order, the next of them being made on a thread while one is worked at.

    Example:
        >>> [*prepared(range(3))]
        [0, 1, 2]
    """
    with ThreadPoolExecutor(1) as maker:
        rest = iter(pieces)
        making = maker.submit(lambda: [*islice(rest, 1)])
        while piece := making.result():
            making = maker.submit(lambda: [*islice(rest, 1)])
            yield piece.pop()
