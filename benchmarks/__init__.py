"""Measure what a notification costs, next to a hand-written view and the field.

``python -m benchmarks``, or ``make bench``, runs everything and writes
``docs/run/performance.rst``. None of this is needed to use the extension.
"""
