"""Cleaning of texts (PROTOCOL 4)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from unicodedata import is_normalized

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar.cleaning import cleaner, is_clean, normalise, sanitise, strip

VECTORS = Path(__file__).parent / "vectors" / "sanitised.jsonl"

clean = cleaner(sanitised=True, normalised=True, stripped=False)


def vectors() -> list[tuple[str, str]]:
    documents = map(json.loads, VECTORS.read_text(encoding="utf-8").splitlines())
    return [(document["in"], document["out"]) for document in documents]


@pytest.mark.parametrize(("text", "expected"), vectors())
def test_vector(text: str, expected: str) -> None:
    """A text marked S N is cleaned as in the vectors."""
    assert clean(text) == expected
    assert clean(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Nesting is corrected as in a browser.
        ("<b><i>x</b>y</i>", "<b><i>x</i></b><i>y</i>"),
        ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
        ("<a href='/1'>1<a href='/2'>2", '<a href="/1">1</a><a href="/2">2</a>'),
        ("<b/>x", "<b>x</b>"),
        ("<br>\n<br/></br>", "<br>\n<br><br>"),
        ("<B>x</b >", "<b>x</b>"),
        # Tags that do not pass come out as they were written.
        ('<U a="1 > 2">x</U >', '&lt;U a="1 &gt; 2"&gt;x&lt;/U &gt;'),
        ("<u title='<b>'>x", "&lt;u title='&lt;b&gt;'&gt;x"),
        ("<p><b>x</p>y</b>", "&lt;p&gt;<b>x&lt;/p&gt;y</b>"),
        ("<style><b>x</b></style>", "&lt;style&gt;<b>x</b>&lt;/style&gt;"),
        ("<table><td>x</td>", "&lt;table&gt;&lt;td&gt;x&lt;/td&gt;"),
        ("<svg><a>x</a></svg>", "&lt;svg&gt;<a>x</a>&lt;/svg&gt;"),
        ("<body><head>x", "&lt;body&gt;&lt;head&gt;x"),
        ("<textarea><i>x", "&lt;textarea&gt;<i>x</i>"),
        ("<a-b>x</a-b>", "&lt;a-b&gt;x&lt;/a-b&gt;"),
        ("<!-- <b>x</b> -->", "&lt;!-- <b>x</b> --&gt;"),
        ("<!doctype html>x", "&lt;!doctype html&gt;x"),
        ("<?php x ?>", "&lt;?php x ?&gt;"),
        # A tag without an end is not a tag.
        ("x <b", "x &lt;b"),
        ("<i>x</i", "<i>x&lt;/i</i>"),
        ("<b>x</", "<b>x&lt;/</b>"),
        ("<a href='/x>y</a><b>", "&lt;a href='/x&gt;y&lt;/a&gt;&lt;b&gt;"),
        ('<a href="/x>', '&lt;a href="/x&gt;'),
        ("</ b>", "&lt;/ b&gt;"),
        # Everything else stays.
        ("<b>&lt;u&gt; &copy &amp;amp;</b>", "<b>&lt;u&gt; &copy &amp;amp;</b>"),
        ("\ufeff<b>x</b>", "\ufeff<b>x</b>"),
        ("\n <b>\n x</b> \n", "\n <b>\n x</b> \n"),
        ("<b>\ud800</b>", "<b>\ud800</b>"),
        ("<code>a > b < c</code>", "<code>a &gt; b &lt; c</code>"),
    ],
)
def test_markup(text: str, expected: str) -> None:
    """The platform's tags pass, well nested; all else is text."""
    assert sanitise(text) == expected
    assert sanitise(expected) == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("href=/x", ' href="/x"'),
        ("HREF = '/x' href='/y'", ' href="/x"'),
        ("/href='/x'title=t", ' href="/x" title="t"'),
        ("title=t onclick=x() href=/x style=y", ' title="t" href="/x"'),
        ("href", ' href=""'),
        ("href=''", ' href=""'),
        ("target=_blank", ' target="_blank"'),
        ("target='_top'", ' target="_top"'),
        ("target=_self", ""),
        ("target=' _blank'", ""),
        ("data-href=/x", ""),
        ("title='a\nb'", ' title="a\nb"'),
        ("title='<u> & &lt;'", ' title="&lt;u> & &lt;"'),
        ('title="it\'s"', ' title="it\'s"'),
        ("title='say \"x\"'", " title='say \"x\"'"),
        ("title=a\"b'c", ' title="a&quot;b\'c"'),
        ("title='a&quot;b'", ' title="a&quot;b"'),
        ("href='?a=1&b=2&amp;c=3&copy=4'", ' href="?a=1&b=2&amp;c=3&copy=4"'),
    ],
)
def test_attributes(attributes: str, expected: str) -> None:
    """Allowed attributes keep their source; only quotation marks are escaped."""
    assert sanitise(f"<a {attributes}>x</a>") == f"<a{expected}>x</a>"
    assert sanitise(f"<a{expected}>x</a>") == f"<a{expected}>x</a>"


def test_attributes_of_other_tags() -> None:
    """An abbreviation keeps its title; nothing else keeps anything."""
    assert sanitise("<abbr title=t href=/x>x</abbr>") == '<abbr title="t">x</abbr>'
    assert sanitise("<acronym title=t id=x>") == '<acronym title="t"></acronym>'
    assert sanitise("<b title=t>x</b><br title=t>") == "<b>x</b><br>"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a?b=1&amp;c=2#d",
        "HTTP://EXAMPLE.COM",
        " http://example.com ",
        "h&#116;tp://example.com",
        "mailto:a@example.com?subject=x",
        "//example.com",
        "/x:y",
        "#a:b",
        "?a:b",
        "x.html",
        "1:2",
        "{{@session.URL}}",
        "{{@session.URL}}/x:y",
        "https://{{@session.Host}}/x",
        "{{@session.URL || 'https://example.com'}}",
    ],
)
def test_safe_url(url: str) -> None:
    """Web, mail and relative addresses pass as they were written."""
    assert sanitise(f'<a href="{url}">x</a>') == f'<a href="{url}">x</a>'


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "java\tscript:alert(1)",
        "java\r\nscript:alert(1)",
        "java\0script:alert(1)",
        "\x01\x1fjavascript:alert(1)",
        "\u2028javascript:alert(1)",
        "java\xadscript:alert(1)",
        "ｊａｖａｓｃｒｉｐｔ：alert(1)",
        "javascript&colon;alert(1)",
        "javascript&amp;colon;alert(1)",
        "javascript&#58alert(1)",
        "javascript&#x3A;alert(1)",
        "&#106;avascript:alert(1)",
        "&#0000106avascript:alert(1)",
        "&#x6A&#x61vascript:alert(1)",
        "java&Tab;script:alert(1)",
        "java&NewLine;script:alert(1)",
        "&#1;javascript:alert(1)",
        "{{@session.Nothing}}javascript:alert(1)",
        "java{{@session.Nothing}}script:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "tel:12",
        "file:///etc/passwd",
        "view-source:http://example.com",
        "x:y",
    ],
)
def test_unsafe_url(url: str) -> None:
    """Other schemes are removed, even if disguised."""
    assert sanitise(f'<a title="t" href="{url}">x</a>') == '<a title="t">x</a>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<b>{{@user.Name || "x"}} && {{@a}}</b>', None),
        ('<a href="/{{@a}}" title="{{@b || \'x\'}}">x</a>', None),
        ("<a href='/{{@a || \"x\"}}'>x</a>", None),
        ('<a href="/{{@a || "x"}}">x</a>', "<a href='/{{@a || \"x\"}}'>x</a>"),
        ('<a href={{@a || "x"}}>x</a>', "<a href='{{@a || \"x\"}}'>x</a>"),
        ("<u x={{@a || '>'}}>", "&lt;u x={{@a || '&gt;'}}&gt;"),
        ("{{<b>}}", "{{<b>}}</b>"),
        ('<a href="{{" onclick="x()">}}</a>', '<a href="{{">}}</a>'),
    ],
)
def test_variables(text: str, expected: str | None) -> None:
    """Variables are unchanged everywhere, including their quotes."""
    expected = text if expected is None else expected
    assert sanitise(text) == expected
    assert sanitise(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<" * 100_000,
        "<b>" * 20_000,
        "<b>" * 3_333,
        "<a href='" * 20_000,
        "<a href=x" * 1_000,
        "</b>" * 50_000,
        "<!--" * 50_000,
        "<a x=" * 2_000,
        "<b><blockquote>" * 400 + "</b>" * 400,
        "<blockquote>" + "".join(f"<b x={i}>" for i in range(500)) + "</blockquote>x",
        "<a href='&" + "amp;" * 2_000 + "'>",
        "<b>" + "\u0300\u0316" * 500_000,
    ],
    ids=lambda text: f"{text[:12]!r}, {len(text)}",
)
def test_hostile_length(text: str) -> None:
    """Long and deeply nested texts are cleaned without fail."""
    cleaned = clean(text)
    check(cleaned)
    assert clean(cleaned) == cleaned


def test_too_long_for_the_platform() -> None:
    """A text over 10,000 characters, or that would become one, is escaped whole."""
    assert sanitise("<b>" + "x" * 9_993 + "</b>") == "<b>" + "x" * 9_993 + "</b>"
    assert sanitise("<b>" + "x" * 9_997) == "&lt;b&gt;" + "x" * 9_997
    assert sanitise("<b>" + "x" * 9_998) == "&lt;b&gt;" + "x" * 9_998
    assert clean("﹤b＞½" + "x" * 9_998) == "&lt;b&gt;½" + "x" * 9_998


def test_normalise() -> None:
    """Texts are normalised to NFKC; sanitising does not change Unicode."""
    assert normalise("½ ﬁ e\u0301") == "1⁄2 fi é"
    assert sanitise("½ ＜b＞") == "½ ＜b＞"
    assert sanitise("<b>½ ＜b＞") == "<b>½ ＜b＞</b>"
    assert strip(" \n\xa0x \t") == "x"


def test_only_what_was_asked_for() -> None:
    """Each cleaning can be had without the others."""
    text = " <u>ﬁ "
    for chosen, expected in [
        ({}, text),
        ({"sanitised"}, " &lt;u&gt;ﬁ "),
        ({"normalised"}, " <u>fi "),
        ({"stripped"}, "<u>ﬁ"),
        ({"sanitised", "stripped"}, "&lt;u&gt;ﬁ"),
        ({"sanitised", "normalised", "stripped"}, "&lt;u&gt;fi"),
    ]:
        function = cleaner(
            sanitised="sanitised" in chosen,
            normalised="normalised" in chosen,
            stripped="stripped" in chosen,
        )
        assert function(text) == expected


def test_white_space_that_cleaning_makes() -> None:
    """Stripping comes first and last."""
    function = cleaner(sanitised=True, normalised=True, stripped=True)
    assert function("\xa0</b>\n<i>x </i> </b> ") == "<i>x </i>"
    assert function("x¨") == "x \u0308"
    assert function("¨x") == "\u0308x"


def test_length_is_counted_before_normalising() -> None:
    """A text that only NFKC makes too long is unchanged, unless it has markup."""
    title = cleaner(sanitised=True, normalised=True, stripped=True, max_length=20)
    assert title("ﬃ" * 20) == "ﬃ" * 20
    assert title("ﬃ" * 6) == "ffi" * 6
    assert title("ﬃ" * 21) == "ffi" * 21
    assert title(" ﬃ" + "x" * 19 + " ") == "ﬃ" + "x" * 19
    assert title("＜" + "ﬃ" * 19) == "&lt;" + "ffi" * 19
    assert title("<b>" + "ﬃ" * 17) == "<b>" + "ffi" * 17 + "</b>"
    assert title("<\u0338" + "ﬃ" * 18) == "≮" + "ffi" * 18


def test_characters_that_meet_are_normalised() -> None:
    """Nothing is left to combine where a tag or a NUL vanished."""
    assert clean("<b>e</i>\u0301</b>") == "<b>é</b>"
    assert clean("<b>\0\u0338 onclick=x() </b>") == "&lt;b≯ onclick=x() &lt;/b&gt;"


def test_parser_is_imported_late() -> None:
    """A program that sends no markup does not wait for the parser."""
    program = (
        "import sys; from flask_clustaar.cleaning import cleaner;"
        "clean = cleaner(sanitised=True, normalised=True, stripped=True);"
        "clean('é & 5 > 4'); assert 'justhtml' not in sys.modules;"
        "clean('5 < 6'); assert 'justhtml' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


ALLOWED = {
    "a": {"href", "target", "title"},
    "abbr": {"title"},
    "acronym": {"title"},
    **dict.fromkeys("b blockquote br code em i li ol strong ul".split(), set[str]()),
}


class Checker(HTMLParser):
    """Checks each tag, as another parser than the cleaner's sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags = 0
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= ALLOWED[tag]
        url = "".join(c for c in dict(attrs).get("href") or "" if c > " ")
        scheme = re.match(r"[a-z][a-z0-9+.-]*:", url.lower())
        assert scheme is None or scheme[0] in {"http:", "https:", "mailto:"}
        self.tags += 1
        self.open += [tag] * (tag != "br")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.tags += 1


def check(cleaned: str) -> None:
    """Check that a text has only markup that the platform allows."""
    checker = Checker()
    checker.feed(cleaned)
    checker.close()
    assert not checker.open
    assert checker.tags == cleaned.count("<")


PIECES = [
    *"<b> <i> <a> <ul> <li> <br> <code> <u> <p> <script> <svg> <table> <B/>".split(),
    *"</b> </i> </a> </ul> </li> </br> </code> </u> </p> </script> </table>".split(),
    *"< > </ <! <!-- --> <? /> <b <a \" ' = / & &amp; &lt; {{ }} {{@a||'x'}}".split(),
    *"href=' href=/x title=\" onclick= javascript: &colon; java &#9; script:".split(),
    *("\u0338", "\u0301", "e", "\0", "\r\n", "\xa0", "\t", "＜", "＞", "﹤", "ﬃ", "¨"),
]
hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), min_size=3).map(
    "".join
)
options = st.fixed_dictionaries(
    {
        "sanitised": st.just(True),
        "normalised": st.booleans(),
        "stripped": st.booleans(),
        "max_length": st.none() | st.integers(0, 30),
    }
)


@given(text=hostile, options=options)
def test_cleaned_text_is_clean(text: str, options: dict[str, bool]) -> None:
    """For any text, only allowed tags are left, nested, and cleaning is idempotent."""
    function = cleaner(**options)
    cleaned = function(text)
    check(cleaned)
    assert function(cleaned) == cleaned


@given(text=hostile)
def test_cleaned_text_is_normalised(text: str) -> None:
    """Normalising again, as the platform does, does not create markup."""
    assert is_normalized("NFKC", clean(text))


@given(text=st.text(st.characters(exclude_characters="<")))
def test_text_without_markup_is_untouched(text: str) -> None:
    """Sanitising does not touch a text without ``<``."""
    assert sanitise(text) == text


@given(st.text(alphabet=st.sampled_from('aAe<>&"\\ \xa0é°½½️‍́̈Œœж…’€👍🏽ﬁ')))
def test_clean_documents_need_no_cleaning(text: str) -> None:
    """A document that is called clean has no text that cleaning would change."""
    document = json.dumps([text], ensure_ascii=False).encode()
    if is_clean(document):
        assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello {{@user.FirstName}}", True),
        ("Café à Œuf, 5 € – « déjà » 👍🏽", True),
        ("Привет", True),
        ("1 < 2", False),
        ("½", False),
        ("e\u0301", False),
        ("no-break\xa0space", False),
    ],
)
def test_clean_at_a_glance(text: str, expected: bool) -> None:
    """Common letters, punctuation and emoji need no cleaning; markup and NFKC do."""
    assert is_clean(json.dumps([text], ensure_ascii=False).encode()) is expected
