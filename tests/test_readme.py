"""What the README says."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import demo
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from flask_clustaar.testing import ClustaarClient
from shop import catalogue, create_app, steps

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.rst").read_text(encoding="utf-8")


def block_after(marker: str) -> str:
    """Return the indented block that comes after a line."""
    match = re.search(
        rf"^[^\n]*{re.escape(marker)}\n\n((?:    [^\n]*\n|\n)+)", README, re.M
    )
    assert match
    return textwrap.dedent(match[1]).strip("\n") + "\n"


def test_program(tmp_path: Path) -> None:
    """The program, copied into a file and run, greets."""
    (tmp_path / "that_file.py").write_text(block_after(".. code-block:: python"))
    settings = {"FLASK_CLUSTAAR_PRIVATE_KEY": "key"}
    notification = json.loads(demo.NOTIFICATION.read_text())
    notification["data"]["step"]["id"] = "507f191e810c19729de860ea"
    body = json.dumps(notification).encode()

    with demo.serve(
        "that_file", directory=tmp_path, settings=settings, log=tmp_path / "log"
    ) as server:
        answers = [
            demo.post(server.url, body, demo.signed_headers(body, key=key))
            for key in ["key", "other key"]
        ]

    (status, kind, reply), (refusal, _, _) = answers
    assert (200, "application/json") == (status, kind)
    assert ["Hello John"] == json.loads(reply)["actions"][0]["alternatives"]
    assert 403 == refusal


def test_quickstart() -> None:
    """The example has the README's program."""
    text = (ROOT / "examples" / "quickstart.py").read_text()

    program = re.sub(" {3,}#", "  #", block_after("block:: python"))

    assert set(program.split("\n")) <= set(text.split("\n"))


def test_conversation(tmp_path: Path) -> None:
    """The conversation is one that the shop really has."""
    app = create_app(
        {
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path}/shop.db",
            "CLUSTAAR_PRIVATE_KEY": "key",
        }
    )
    app.test_cli_runner().invoke(args=["init-db"])
    client = ClustaarClient(app)

    client.at(steps.BASKET, step_name="Basket").at(
        steps.WINDOW, step_name="Window"
    ).say("hello")
    client.click("Buy", index=0)

    with app.app_context():
        catalogue.db.engine.dispose()

    assert str(client).strip("\n") == block_after("the platform::").strip("\n")


@pytest.mark.parametrize("target", re.findall(r"\$ make ([\w-]+)", README))
def test_commands(target: str) -> None:
    """The commands are targets."""
    makefile = (ROOT / "Makefile").read_text()

    assert re.search(rf"^{target}:", makefile, re.M)


def test_comparison() -> None:
    """Each row of the comparison has a cell for each column, and none is torn."""
    document = publish_doctree(README, settings_overrides={"report_level": 5})

    [table] = document.findall(nodes.table)
    rows = [len(row.children) for row in table.findall(nodes.row)]
    assert [4] * 9 == rows
