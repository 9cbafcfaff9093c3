"""The limits of windowed conditions: what their YAML headers say, for the functions of `analysis` that look for them.

Sigma cannot say "more than the baseline" or "at a change point". Such a signature is a header in `rules/windowed/`
with the key `pir.windowed`; its limits stand under `pir.limits`, and the report prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pirtimeline.errors import SignatureError


@cache
def limits(name: str) -> Mapping[str, float]:
    """Give the limits of a windowed condition by its name.

    Raises:
        SignatureError: no header in `rules/windowed/` has that name.

    Example:
        >>> limits("http.5xx_burst")["factor"]
        5.0
    """
    import yaml

    path = Path(__file__).parent / "rules" / "windowed" / f"{name.replace('.', '_')}.yml"
    if not path.is_file():
        raise SignatureError(f"no windowed condition is called {name}", hint="see signatures/rules/windowed/")
    document = yaml.safe_load(path.read_text("utf-8"))
    return MappingProxyType({key: float(value) for key, value in document["pir"]["limits"].items()})
