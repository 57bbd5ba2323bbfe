"""``flask clustaar steps``: a Python module with the steps of bot files."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from cli_bots import ok, run, sentence

NAMES = ["quote.START", "Quote start", "42 Hats", "…", "été"]


def write(path: Path, number: int, names: list[str]) -> Path:
    steps = [
        {"id": f"{number}{index:023d}", "name": name}
        for index, name in enumerate(names)
    ]
    path.write_text(json.dumps({"bot_id": f"{number}" * 24, "steps": steps}))
    return path


def test_module_has_a_name_for_each_step(tmp_path: Path) -> None:
    """The module reads the bot files in its directory."""
    north = write(tmp_path / "north.json", 1, NAMES)
    mutua = write(tmp_path / "mutua.json", 2, NAMES)
    module = tmp_path / "steps.py"
    module.write_text(ok(run(None, "steps", north, mutua)), encoding="utf-8")

    found = runpy.run_path(str(module))

    named = {key: value.name for key, value in found.items() if hasattr(value, "ids")}
    assert named == {
        "QUOTE_START": "quote.START",
        "QUOTE_START_2": "Quote start",
        "STEP_42_HATS": "42 Hats",
        "STEP": "…",
        "ÉTÉ": "été",
    }
    assert len(found["QUOTE_START"].ids) == 2


def test_missing_step_is_a_warning(tmp_path: Path) -> None:
    """A missing step is a warning; the module is printed."""
    north = write(tmp_path / "north.json", 1, ["a", "b"])
    mutua = write(tmp_path / "mutua.json", 2, ["a"])
    result = run(None, "steps", north, mutua)

    assert "Warning: " in result.stderr
    assert "mutua.json lacks steps of another bot: 'b'." in result.stderr
    assert 'B = steps["b"]' in result.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [("x.json", "Cannot read"), ("bot.json", "have the same 'bot_")],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, message: str) -> None:
    """A missing file, and a repeated one, are errors."""
    bot = write(tmp_path / "bot.json", 1, ["a"])
    result = run(None, "steps", bot, tmp_path / name)
    assert message in sentence(result, 2 if name == "x.json" else 1)
