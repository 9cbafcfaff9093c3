"""What happened: the window, the moments, the impact, what changed, and what would explain it."""

from pirtimeline.analysis.analyse import analyse
from pirtimeline.analysis.duplicates import duplicates
from pirtimeline.analysis.facts import Facts, Inputs

__all__ = ["Facts", "Inputs", "analyse", "duplicates"]
