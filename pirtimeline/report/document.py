"""The report as a document: HTML, PDF, Word, all from the same Markdown, people's edits included.

Markdown is read by markdown-it-py (CommonMark with GFM's tables). HTML in it is shown, not obeyed, but for the
program's own comments, which are left out. Diagrams become pictures in HTML and PDF, and lists in Word.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pirtimeline.errors import CaseError, PirTimelineError
from pirtimeline.report import blocks
from pirtimeline.report.escaping import html, visible
from pirtimeline.report.pictures import svg

if TYPE_CHECKING:
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

_HIDDEN = re.compile(r"[ \t]*<!--(?:row|claim):[0-9a-f]+(?:-\d+)?-->")
_BOX = {"[ ]": "☐", "[x]": "☑", "[X]": "☑"}
_CITED = re.compile(r"^timeline\.html#ev-[0-9a-f]{12}-\d+$")


def document(text: str, form: str, *, pictures: Mapping[str, str] | None = None) -> bytes:
    """Turn a report's Markdown into a document: `html`, `pdf` or `docx`.

    `pictures` maps the addresses of images to SVG; an image that it does not name is left out, since nothing is loaded.

    Raises:
        PirTimelineError: the package that writes the format is not installed.
        CaseError: for any other form.

    Example:
        >>> b"<h1>A &amp; B</h1>" in document("# A & B", "html")
        True
    """
    forms: dict[str, Callable[[str, Mapping[str, str]], bytes]] = {"html": _as_html, "pdf": _as_pdf, "docx": _as_docx}
    if form not in forms:
        raise CaseError(f"a report cannot be written as {form}", hint=f"one of {', '.join(sorted(forms))}")
    return forms[form](text, pictures or {})


def readable(text: str) -> str:
    """Leave out the program's own marks: zone markers, row ids, claim ids.

    Example:
        >>> from pirtimeline.report.blocks import Block, head, write
        >>> readable(head(write(Block("a", "x <!--row:0f-->"))))
        'x\\n'
    """
    pieces = blocks.read(text, name="the report")
    shown = [piece.body if piece.id else piece.raw for piece in pieces if piece.kind != "report"]
    return _HIDDEN.sub("", "".join(shown)).replace("\r\n", "\n")


def tokens(text: str) -> list[Token]:
    """Read Markdown: CommonMark and tables, links as written, HTML as text.

    Example:
        >>> [token.type for token in tokens("a <b>")]
        ['paragraph_open', 'inline', 'paragraph_close']
    """
    from markdown_it import MarkdownIt

    return MarkdownIt("gfm-like", {"linkify": False, "html": False}).parse(readable(text))


def _as_html(text: str, pictures: Mapping[str, str], *, links: bool = True) -> bytes:
    from importlib.resources import files

    from markdown_it import MarkdownIt

    parsed = tokens(text)
    for token in parsed:
        for child in token.children or []:
            _plain_inline(child, links=links)
    body = _renderer(pictures).render(parsed, MarkdownIt("gfm-like", {"linkify": False, "html": False}).options, {})
    headings = [parsed[at + 1].content for at, token in enumerate(parsed) if token.type == "heading_open"]
    title = headings[0] if headings else "Report"
    style = (files("pirtimeline.report") / "templates" / "document.css").read_text("utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{html(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    ).encode()


def _renderer(pictures: Mapping[str, str]) -> RendererHTML:
    """Make a renderer that draws our diagrams."""
    from markdown_it.renderer import RendererHTML

    renderer = RendererHTML()
    rules: dict[str, Any] = renderer.rules
    fence = rules["fence"]
    rules["fence"] = lambda tokens, at, options, env: _fence(tokens[at]) or fence(tokens, at, options, env)
    rules["image"] = lambda tokens, at, options, env: _image(tokens[at], pictures)
    return renderer


def _image(token: Token, pictures: Mapping[str, str]) -> str:
    drawn = pictures.get(str(token.attrs.get("src")), "")
    return f'<span class="picture">{drawn}</span>' if drawn else html(token.content)


def _fence(token: Token) -> str:
    """Draw a diagram; empty where the fence holds none that we can draw."""
    drawn = svg(token.content) if token.info.strip() == "mermaid" else ""
    return f"<figure>{drawn}</figure>\n" if drawn else ""


def _plain_inline(token: Token, *, links: bool) -> None:
    """Show boxes as signs, and citations as what they are: small, and links only where they lead somewhere."""
    if token.type == "text":
        token.content = _boxed(visible(token.content))
    if token.type == "link_open" and _CITED.match(str(token.attrs.get("href", ""))):
        token.attrs["class"] = "ev"
        if not links:
            token.attrs.pop("href")


def _boxed(text: str) -> str:
    return re.sub(r"\[[ xX]\]", lambda found: _BOX[found.group()], text)


def _as_pdf(text: str, pictures: Mapping[str, str]) -> bytes:
    try:
        import weasyprint
    except ImportError as error:
        raise PirTimelineError("PDF needs weasyprint", hint="pip install 'pirtimeline[pdf]'") from error
    page = weasyprint.HTML(string=_as_html(text, pictures, links=False).decode(), url_fetcher=_no_network)
    # Without an identifier and dates of its own the file is a function of the text.
    found = page.write_pdf(pdf_identifier=b"pirtimeline", uncompressed_pdf=False)
    return bytes(found or b"")


def _no_network(url: str, *_: Any, **__: Any) -> Any:
    raise ValueError(f"a report loads nothing: {url}")


def _as_docx(text: str, _: Mapping[str, str]) -> bytes:
    from pirtimeline.report import word

    try:
        import docx  # noqa: F401 - only to say what to install
    except ImportError as error:
        raise PirTimelineError("Word needs python-docx", hint="pip install 'pirtimeline[docx]'") from error
    parsed = tokens(text)
    for token in parsed:
        for child in token.children or []:
            _plain_inline(child, links=False)
    out = io.BytesIO()
    word.write(parsed, out)
    return out.getvalue()


__all__: Sequence[str] = ("document", "readable", "tokens")
