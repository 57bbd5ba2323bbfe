"""Integrations with tools for metrics and traces; each needs an extra."""
