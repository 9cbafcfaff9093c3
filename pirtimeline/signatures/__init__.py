"""Signatures: Sigma rules, correlations and our own catalogue, matched against the event table."""

from pirtimeline.signatures.explain import Explanation, explain
from pirtimeline.signatures.load import Rules, check, load
from pirtimeline.signatures.match import Matches, match
from pirtimeline.signatures.model import Problem, tactics

__all__ = ["Explanation", "Matches", "Problem", "Rules", "check", "explain", "load", "match", "tactics"]
