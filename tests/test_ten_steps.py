"""One conversation as a Python test, as a story, and typed: the same transcript."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import ten_steps
from cli_bots import ok, run

from flask_clustaar.platform.bot import Bot
from flask_clustaar.platform.story import Story
from flask_clustaar.testing import ClustaarClient


def quick_bot() -> dict[str, Any]:
    """Return the bot with waits that are as short as the platform allows."""
    bot = copy.deepcopy(ten_steps.BOT)
    for step in bot["steps"]:
        for action in step.get("actions", ()):
            if action["type"] == "wait_action":
                action["duration"] = 0.5
    return bot


def test_the_same_conversation_everywhere(tmp_path: Path) -> None:
    """The client, the terminal, a saved file and a story agree letter by letter."""
    document = quick_bot()
    file, saved = tmp_path / "bot.json", tmp_path / "test_ten.story"
    file.write_text(json.dumps(document))
    transcript = ten_steps.STORY.replace("… 2 s", "… 0.5 s")

    client = ClustaarClient(ten_steps.make_app(), bot=Bot.from_json(document))
    ten_steps.talk(client)
    assert f"{client}\n" == transcript + ten_steps.REST

    typed = "\n".join(ten_steps.TYPED)
    shown = run(
        ten_steps.make_app(), "chat", "--bot", file, "--save", saved, input=typed
    )
    assert ok(shown).removesuffix(f"Saved '{saved}'.\n") == transcript
    assert saved.read_text(encoding="utf-8") == transcript

    again = ClustaarClient(ten_steps.make_app(), bot=file)
    Story.read(saved).check(again)
    assert f"{again}\n" == transcript
