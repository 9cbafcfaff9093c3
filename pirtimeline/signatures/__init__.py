"""Signatures: Sigma rules, correlations and our own catalogue, matched against the event table."""

from pirtimeline.signatures.load import Rules, load
from pirtimeline.signatures.match import Matches, match
from pirtimeline.signatures.model import Problem

__all__ = ["Matches", "Problem", "Rules", "load", "match"]
