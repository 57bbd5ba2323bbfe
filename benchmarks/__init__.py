"""Measure the CPU time of a notification, also of a plain view and other libraries.

``python -m benchmarks`` or ``make bench`` runs all benchmarks, and writes
``docs/run/performance.rst``.
"""
