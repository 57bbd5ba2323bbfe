"""Run all attacks, or those that are named, and print one line for each figure."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import browser, forged, kills, odd, redis_faults, soak

ATTACKS: dict[str, Callable[[Path], str]] = {
    "odd": odd.attack,
    "forged": forged.attack,
    "browser": browser.attack,
    "kills": kills.attack,
    "redis": redis_faults.attack,
    "soak": soak.attack,
}


def main() -> int:
    names = sys.argv[1:] or list(ATTACKS)
    failed = False
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as directory:
            try:
                figure = ATTACKS[name](Path(directory))
            except AssertionError as error:
                figure, failed = f"FAILED. {error}", True
        print(f"{name}: {figure} [{time.monotonic() - began:.0f} s]", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
