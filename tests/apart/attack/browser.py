"""Hostile texts, cleaned, in a real browser."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Final

from playwright.sync_api import Route, sync_playwright

from flask_clustaar.cleaning import cleaner

#: How many texts are shown, and how many of them at once.
TEXTS, AT_ONCE = 200_000, 1000

_TAGS: Final = (
    "script img svg math iframe object embed a b i em ul li br abbr style textarea "
    "title noscript template xmp plaintext form input button details video audio "
    "body html head base link meta select option table td tr mtext mglyph "
    "annotation-xml foreignObject desc animate set use image isindex marquee keygen "
    "frameset x-y"
).split()
_ATTRIBUTES: Final = [
    "onerror=hit()",
    "onload=hit()",
    "onclick=hit()",
    "onfocus=hit() autofocus",
    "ontoggle=hit() open",
    "onmouseover='hit()'",
    'onanimationstart="hit()"',
    "src=x",
    "src=x onerror=hit()",
    "href=javascript:hit()",
    "href='java\tscript:hit()'",
    'href="javascript&colon;hit()"',
    "href='&#106avascript:hit()'",
    "href=data:text/html,x",
    "href=' javascript:hit()'",
    "href='JaVaScRiPt:hit()'",
    "href='//x'",
    "href=mailto:x",
    "xlink:href=javascript:hit()",
    "style=background:url(javascript:hit())",
    "srcdoc='<script>parent.hit()</script>'",
    "formaction=javascript:hit()",
    "target=_blank",
    "target=x",
    "title='\"><img src=x onerror=hit()>'",
    "id=hit name=hit",
    "is=x",
    "/",
    "\x00onerror=hit()",
    "a=`b",
    "title=</b>",
    "action=javascript:hit() ",
    "dur=1s onend=hit()",
]
_TEXTS: Final = [
    "hit()",
    "x",
    "<",
    ">",
    "'",
    '"',
    "`",
    "=",
    "/",
    "&lt;img src=x onerror=hit()&gt;",
    "&",
    "&#60;script&#62;",
    "<!--",
    "-->",
    "--!>",
    "<![CDATA[",
    "]]>",
    "<?",
    "?>",
    "</",
    "\x00",
    "\u2028",
    "\ufeff",
    "\uff1cimg src=x onerror=hit()\uff1e",
    "\uff1c",
    "\uff1e",
    "\ufe64",
    "\ufe65",
    "{{",
    "}}",
    "\u0338",
    "\u226e",
    "\u226f",
    "\ud800",
    "\r\n",
    "\t",
    "<b",
    "<a href='",
    "<img src=x onerror=hit()//",
    "</script>",
    "</style>",
    "</title>",
]

#: Draws a text as the webchat does, and inspects the result: only the
#: platform's tags, attributes and schemes, and no script that ran.
_SHOW: Final = """
async texts => {
    const attributes = {
        A: ["href", "title", "target"], ABBR: ["title"], ACRONYM: ["title"],
        B: [], BLOCKQUOTE: [], BR: [], CODE: [], EM: [], I: [], LI: [], OL: [],
        STRONG: [], UL: [],
    };
    const wrong = [];
    for (const text of texts) {
        const bubble = document.createElement("div");
        bubble.innerHTML = text;
        document.body.append(bubble);
        for (const element of bubble.querySelectorAll("*")) {
            const names = attributes[element.tagName];
            const odd = names === undefined
                || element.getAttributeNames().some(name => !names.includes(name))
                || (element.hasAttribute("href")
                    && !["http:", "https:", "mailto:", ":"].includes(element.protocol))
                || !["_blank", "_top", null].includes(element.getAttribute("target"));
            if (odd) wrong.push(text);
            element.dispatchEvent(new Event("error"));
            element.dispatchEvent(new Event("load"));
            element.focus();
        }
    }
    await new Promise(done => setTimeout(done, 20));
    document.body.replaceChildren();
    return {wrong, hits: window.hits};
}
"""


def hostile_text(chance: random.Random) -> str:
    """Return a text that an attacker may send to run a script."""
    parts = []
    for _ in range(chance.randint(1, 7)):
        kind = chance.random()
        if kind < 0.5:
            attributes = chance.choices(_ATTRIBUTES, k=chance.randint(0, 3))
            blank = chance.choice([" ", "/", "\t", "\n", "\x0c", " \x00"])
            end = chance.choice([">", ">", ">", "/>", "", "<", "\uff1e"])
            begin = chance.choice(["<", "<", "<", "</", "\uff1c", "< ", "<\x00"])
            tag = chance.choice(_TAGS)
            tag = tag.upper() if chance.random() < 0.1 else tag
            parts.append(begin + blank.join([tag, *attributes]) + end)
        elif kind < 0.7:
            parts.append(f"</{chance.choice(_TAGS)}>")
        else:
            parts.append(chance.choice(_TEXTS))
    return "".join(parts)


def attack(_: Path) -> str:
    """Show cleaned texts in Chromium: no script runs, nothing foreign is drawn."""
    chromium = shutil.which("chromium")
    assert chromium, "There is no 'chromium'. Install it."
    clean = cleaner(sanitised=True, normalised=True, stripped=False)
    chance, shown = random.Random(), 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.route("**/*", _answer)
        page.goto("http://bot.example.com/")
        page.evaluate("() => { window.hits = 0; window.hit = () => { hits += 1; }; }")
        while shown < TEXTS:
            texts = [clean(hostile_text(chance)) for _ in range(AT_ONCE)]
            sound = [text.encode(errors="replace").decode() for text in texts]
            found = page.evaluate(_SHOW, sound)
            assert not found["wrong"], f"Drawn: {found['wrong'][:3]}"
            assert not found["hits"], f"{found['hits']} scripts ran."
            shown += len(texts)
        version = browser.version
        browser.close()
    return f"{shown} hostile texts in Chromium {version}: no script ran."


def _answer(route: Route) -> None:
    """Serve the page, and block all other network access."""
    if route.request.is_navigation_request():
        route.fulfill(content_type="text/html", body="<!doctype html><body>")
    else:
        route.abort()
