"""The hook for PyInstaller, which finds this directory by an entry point."""

from __future__ import annotations

import os


def hook_directories() -> list[str]:
    """Return where the hooks are."""
    return [os.path.dirname(__file__)]
