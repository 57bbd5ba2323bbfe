"""Attacks on bots that real servers serve, with a figure for each: ``make attack``."""
