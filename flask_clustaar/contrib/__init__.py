"""Integrations with tools for metrics and traces; each requires an extra."""
