"""The drafted report, its page and its exports, from tables and facts."""
