"""The page that a browser sees at the URL of a webhook, in debug mode."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from string import Template
from typing import Final


def page(name: str, path: str, application: str) -> str:
    """Return a page that says what is at this URL.

    :param name: the name of the webhook.
    :param path: the path of the URL.
    :param application: the name that the application was imported by.
    """
    if application == "__main__":
        application = Path(sys.argv[0]).stem
    values = {"name": name, "path": path, "application": application}
    return _PAGE.substitute({key: escape(text) for key, text in values.items()})


_PAGE: Final = Template(
    """<!doctype html>
<meta charset="utf-8">
<title>Clustaar webhook $name</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem }
  code { background: #eee; padding: .1rem .3rem }
</style>
<h1>The Clustaar webhook "$name" is here</h1>
<p>The Clustaar platform sends <code>POST $path</code> when a conversation reaches a
step that uses the webhook. Enter this URL in the bot's webhook settings.</p>
<p>To talk with the bot from a terminal:</p>
<p><code>flask --app $application clustaar chat</code></p>
<p>You see this page because the application is in debug mode. Otherwise the answer is
405 Method Not Allowed.</p>
"""
)
