"""Evidence to case: every source read, dated and committed."""

from pirtimeline.ingest.run import Outcome, ingest

__all__ = ["Outcome", "ingest"]
