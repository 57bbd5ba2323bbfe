"""Replay recorded requests against the current code, and compare the replies."""
