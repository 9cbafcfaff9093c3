"""Make a text from a log harmless in the place it goes to: HTML, Markdown, Mermaid, CSV.

Control characters and marks that turn the direction of writing are shown, not obeyed: `␛` for ESC, `⟨U+202E⟩` for a
right-to-left override. Masking is another matter: see `masking`.
"""

from __future__ import annotations

import html as _html
import re

_BIDI_AND_BREAKS = "\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb"
_HIDDEN = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI_AND_BREAKS}]|[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_MARKDOWN = re.compile(
    r"[\\`*\[\]<|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?[A-Za-z0-9]+;)|:(?=//)|(?<=[Ww]{3})\.|@"
)
_LINE_START = re.compile(r"^(?:#{1,6}(?= |$)|>|[+-](?= |$)|=+ *$|-+ *$|\d{1,9}(?=[.)](?: |$)))")
_OUR_MARKER = re.compile(r"<!--(?=\s*pir:)", re.IGNORECASE)


def visible(text: str) -> str:
    """Show control characters and direction marks as signs; tabs and line ends stay.

    Example:
        >>> visible("a\\x1b[31mb\\u202ec")
        'a␛[31mb⟨U+202E⟩c'
    """
    return _HIDDEN.sub(lambda found: _sign(found.group()), text)


def one_line(text: str) -> str:
    """Write a text on one line, its line ends shown as `⏎`.

    Example:
        >>> one_line("a\\r\\nb\\tc ")
        'a ⏎ b c'
    """
    joined = " ⏎ ".join(part.strip() for part in _LINE_END.split(text.strip()))
    return visible(joined.replace("\t", " ")).strip()


def html(text: str) -> str:
    """Escape a text for an HTML element or a quoted attribute.

    Example:
        >>> html('<script>"&')
        '&lt;script&gt;&quot;&amp;'
    """
    return _html.escape(visible(text), quote=True)


def markdown(text: str) -> str:
    """Escape a text for the middle of a Markdown paragraph or a table's cell, on one line.

    Links are not made of addresses (`https\\://`): a log must not put a link into a report.

    Example:
        >>> print(markdown("a|b <i> *x* snake_case https://example.org"))
        a\\|b &lt;i> \\*x\\* snake_case https\\://example.org
    """
    escaped = _MARKDOWN.sub(lambda found: _entity(found.group()), one_line(text))
    return _LINE_START.sub(_escape_start, escaped)


def fence(text: str, *, language: str = "text") -> str:
    """Put a text into a Markdown fence longer than any run of backticks in it.

    Example:
        >>> print(fence("a ``` b"))
        ````text
        a ``` b
        ````
    """
    body = _LINE_END.sub("\n", visible(text).replace("\r\n", "\n")).rstrip("\n")
    body = _OUR_MARKER.sub("<!‐‐", body)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", body)), default=0))
    return f"{ticks}{language}\n{body}\n{ticks}"


def mermaid(text: str, *, width: int = 60) -> str:
    """Escape a text for a quoted label of a Mermaid diagram, cut at `width` characters.

    Mermaid reads `#quot;` and its like as characters; a quote, a hash, a bracket or a backtick of a log would end the
    label or start a Markdown string.

    Example:
        >>> mermaid('a "b" <c>')
        'a #quot;b#quot; #lt;c#gt;'
    """
    return "".join(_MERMAID.get(sign, sign) for sign in shorten(one_line(text), width))


def csv_text(text: str) -> str:
    """Disarm what a spreadsheet would run as a formula, by an apostrophe in front.

    Source: OWASP, "CSV Injection": a cell beginning with `=`, `+`, `-`, `@`, tab or carriage return. A plain number
    keeps its sign.

    Example:
        >>> csv_text("=cmd()"), csv_text("-1.5"), csv_text("ok")
        ("'=cmd()", '-1.5', 'ok')
    """
    shown = visible(text)
    harmless = re.fullmatch(r"[+-]?\d+(?:\.\d+)?", shown)
    return shown if harmless or not re.match(r"\s*[=+\-@\t\r＝＋－＠]", shown) else "'" + shown


def shorten(text: str, width: int) -> str:
    """Cut a text at `width` characters, saying so by `…`.

    Example:
        >>> shorten("abcdef", 4)
        'abc…'
    """
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


_MERMAID = {
    '"': "#quot;",
    "#": "#35;",
    "<": "#lt;",
    ">": "#gt;",
    "&": "#amp;",
    "`": "#96;",
    "[": "#91;",
    "]": "#93;",
    "(": "#40;",
    ")": "#41;",
    "{": "#123;",
    "}": "#125;",
    "|": "#124;",
    ";": "#59;",
    "\\": "#92;",
    "%": "#37;",
    "*": "#42;",
    "_": "#95;",
    "~": "#126;",
}


def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _entity(character: str) -> str:
    return {"<": "&lt;", "&": "&amp;"}.get(character, "\\" + character)


def _escape_start(found: re.Match[str]) -> str:
    start = found.group()
    return start + "\\" if start.isdigit() else "\\" + start
