"""Name the modules that PyInstaller cannot find, because they are imported by name."""

from __future__ import annotations

from importlib.util import find_spec

from PyInstaller.utils.hooks import collect_submodules

from flask_clustaar import _HOMES

hiddenimports = [f"flask_clustaar.{module}" for module in {*_HOMES.values()}]
hiddenimports += collect_submodules("justhtml")
if find_spec("jmespath"):
    hiddenimports.append("jmespath")
