"""Bytes to framed events, to columns, to UTC: formats, what finds them, and the clock."""
