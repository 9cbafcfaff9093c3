"""The drafted report, its page and its exports, from tables and facts.

`write(inputs, case)` brings all files of a case up to date; `markdown`, `page`, `document` and `export` give one each;
`merge` brings a new draft into a report that people have edited.
"""

from pirtimeline.report.document import document
from pirtimeline.report.draft import Draft, Section
from pirtimeline.report.exports import export
from pirtimeline.report.inputs import ReportInputs
from pirtimeline.report.merge import Merged, merge
from pirtimeline.report.page import page
from pirtimeline.report.render import markdown
from pirtimeline.report.sections import SECTIONS
from pirtimeline.report.writing import WriteResult, write, write_file

__all__ = [
    "SECTIONS",
    "Draft",
    "Merged",
    "ReportInputs",
    "Section",
    "WriteResult",
    "document",
    "export",
    "markdown",
    "merge",
    "page",
    "write",
    "write_file",
]
