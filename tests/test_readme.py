"""The statements of the README."""

from __future__ import annotations

import json
import re
import textwrap
from importlib.metadata import metadata
from pathlib import Path

import demo
import pytest
from docutils import nodes
from docutils.core import publish_doctree

ROOT = Path(__file__).parent.parent
BOOK = "https://flask-clustaar.readthedocs.io/en/stable/"
GITHUB = "https://github.com/flask-clustaar/flask-clustaar/"
METADATA = metadata("Flask-Clustaar")
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


def test_pictures() -> None:
    """Each picture is a file of the repository, and PyPI finds it on GitHub."""
    pictures = re.findall(r"^\.\. image:: (\S+)$", README, re.M)

    assert pictures
    for picture in pictures:
        assert (ROOT / picture).is_file()
        assert (
            f".. image:: {GITHUB}raw/main/{picture}\n" in METADATA.json["description"]
        )


def test_links() -> None:
    """Each link leads to a page of the documentation or to a file of the repository."""
    links = re.findall(r"<(https://[^>]+)>`_", README)
    pages = [link for link in links if link.startswith(BOOK)]
    files = [link for link in links if link.startswith(GITHUB)]

    assert links == ["https://www.clustaar.com", *pages, *files]
    for page in pages:
        name = page.removeprefix(BOOK).removesuffix(".html")
        assert (ROOT / "docs" / f"{name}.rst").is_file(), page
    for file in files:
        assert (ROOT / re.split("/(?:tree|blob)/main/", file)[1]).exists(), file


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
