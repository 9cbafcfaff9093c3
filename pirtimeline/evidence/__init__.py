"""Evidence: open anything read-only, hash it on the way, refuse bombs and ways out, keep custody.

`walk` gives the sources of files, folders and archives in one pass; `open_source` and `read` open them again by their
`Place`, on any machine that sees the same evidence; `fingerprint` tells cheaply whether anything changed.

A source's identity is that of its content: the first 12 hex digits of its SHA-256. Larger than 16 MiB, it is that of
the file as stored (compressed where it is): SHA-256 of its size in decimal digits, a line feed, its first and its
last MiB. Two sources that share such an identity are compared with `same_content`. A file inside an archive is stored
as unpacking the archive would give it.
"""

from pirtimeline.evidence.custody import Record, iso
from pirtimeline.evidence.files import Row, fingerprint
from pirtimeline.evidence.reading import open_source, probed, read, same_content
from pirtimeline.evidence.recorded import ordered, place_from_json, place_json
from pirtimeline.evidence.slices import KIND, part
from pirtimeline.evidence.slices import opened as slice_of
from pirtimeline.evidence.sources import Found, Limits, Place, Sampling, Source, Step
from pirtimeline.evidence.walking import Walk, walk

__all__ = [
    "KIND",
    "Found",
    "Limits",
    "Place",
    "Record",
    "Row",
    "Sampling",
    "Source",
    "Step",
    "Walk",
    "fingerprint",
    "iso",
    "open_source",
    "ordered",
    "part",
    "place_from_json",
    "place_json",
    "probed",
    "read",
    "same_content",
    "slice_of",
    "walk",
]
