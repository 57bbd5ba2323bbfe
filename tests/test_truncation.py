"""Truncating texts to the platform's limits."""

from __future__ import annotations

from typing import Any

import pytest
from both_ways import dump
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_clustaar.models import (
    AITaskEngine,
    Card,
    GoToAction,
    OpenURLAction,
    QuickReply,
    SendEmailAction,
    SendTextAction,
    ShareAction,
    StoreSessionValueAction,
    WaitAction,
)
from flask_clustaar.schemas.attributes import attributes_of
from flask_clustaar.truncation import truncate

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
VARIABLE = '{{@user.FirstName || "there"}}'


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        pytest.param("Hello world", 11, "Hello world", id="fits"),
        pytest.param("", 5, "", id="empty"),
        pytest.param("  Hello  ", 5, "Hello", id="white space is no loss"),
        pytest.param("Hello wonderful world", 20, "Hello wonderful…", id="word"),
        pytest.param("Hello wonderful world", 16, "Hello wonderful…", id="just"),
        pytest.param("Hello wonderful world", 15, "Hello…", id="just not"),
        pytest.param("Hello, world", 8, "Hello…", id="no comma is left"),
        pytest.param("one\ntwo three", 8, "one\ntwo…", id="lines"),
        pytest.param("Well ... no", 9, "Well…", id="no dots are left"),
        pytest.param("--- --- ---", 5, "---…", id="only dots"),
        pytest.param("      ", 3, "  …", id="only white space"),
        pytest.param("Donaudampfschiff", 7, "Donaud…", id="a long word"),
        pytest.param("Donaudampfschiff", 2, "D…", id="one letter"),
        pytest.param("Donaudampfschiff", 1, "…", id="no room"),
        pytest.param("a 10\u00a0€ b", 5, "a…", id="a space that does not break"),
        pytest.param("日本語のテキスト", 5, "日本語の…", id="Japanese"),
        pytest.param("e\u0301e\u0301e\u0301", 4, "e\u0301…", id="combining"),
        pytest.param("ab\u0915\u094d\u0937\u093f", 5, "ab…", id="conjunct"),
        pytest.param("\u1112\u1161\u11ab\u1112\u1161\u11ab", 5, "\u1112\u1161\u11ab…"),
        pytest.param(FAMILY * 2, 8, f"{FAMILY}…", id="family"),
        pytest.param(FAMILY * 2, 9, f"{FAMILY}…", id="family and a bit"),
        pytest.param(FAMILY, 3, "👨…", id="it cannot be helped"),
        pytest.param("👍🏽👍🏽", 3, "👍🏽…", id="skin tone"),
        pytest.param("🇫🇷🇩🇪🇮🇹", 4, "🇫🇷…", id="flags"),
        pytest.param("🇫🇷🇩🇪🇮🇹", 5, "🇫🇷🇩🇪…", id="more flags"),
        pytest.param("a\ud83d\ude00bcd", 3, "a…", id="surrogates"),
        pytest.param("a\r\nbc", 3, "a…", id="a line's end"),
        pytest.param(f"Hi {VARIABLE}, hi", 34, f"Hi {VARIABLE}…", id="variable"),
        pytest.param(f"Hi {VARIABLE}, hi", 33, "Hi…", id="variable does not fit"),
        pytest.param(f"{VARIABLE} hi", 9, "{{@user…", id="variable cannot be helped"),
        pytest.param("ab <b>cd</b> ef", 10, "ab <b>cd…", id="tag"),
        pytest.param("a<br/>bcdefgh", 4, "a…", id="tag does not fit"),
        pytest.param("A &amp; B and C", 8, "A &amp;…", id="reference"),
        pytest.param("A&amp;B and C", 5, "A…", id="reference does not fit"),
    ],
)
def test_truncate_to_a_number(text: str, limit: int, cut: str) -> None:
    """At the end of a word if possible, otherwise between characters."""
    assert truncate(text, limit) == cut


def test_what_fits_comes_back_as_it_is() -> None:
    """The very object: it costs nothing, and white space stays."""
    text = "  Hello  "
    assert truncate(text, 9) is text
    assert truncate(text, QuickReply, "title") is text


@pytest.mark.parametrize(
    ("model", "attribute", "limit"),
    [
        (QuickReply, "title", 60),
        (Card, "title", 80),
        (Card, "subtitle", 80),
        (SendTextAction, "alternatives", 1000),
        (SendTextAction, "text", 1000),
        (SendEmailAction, "content", 1500),
        (StoreSessionValueAction, "value", 200),
    ],
)
def test_truncate_to_what_a_key_allows(model: Any, attribute: str, limit: int) -> None:
    """Of a list of texts, each text is meant."""
    assert truncate("k" * limit, model, attribute) == "k" * limit
    cut = truncate("k" * (limit + 1), model, attribute)
    assert cut == "k" * (limit - 1) + "…"


def test_a_key_without_a_limit() -> None:
    """Nothing is cut."""
    assert truncate("k" * 5000, AITaskEngine, "name") == "k" * 5000


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        pytest.param("a <u>b</u> " * 9, "a <u>b</u> a <u>b</u> a…", id="escapes count"),
        pytest.param("5 < 6 " * 20, "5 < 6 " * 6 + "5…", id="less"),
        pytest.param("e\u0301" * 60, "e\u0301" * 60, id="normalising shortens"),
        pytest.param("e\u0301" * 61, "e\u0301" * 57 + "…", id="the dots are three"),
        pytest.param("<b>" + "ab " * 30, "<b>" + "ab " * 16 + "ab…", id="tags close"),
        pytest.param("<b>x</b> " * 60, "<b>x</b> " * 5 + "<b>x</b>…", id="tags count"),
    ],
)
def test_texts_are_counted_as_they_leave(text: str, cut: str) -> None:
    """After they are sanitised and normalised."""
    assert truncate(text, QuickReply, "title") == cut
    assert_fits(cut, QuickReply, "title")


def test_white_space_does_not_count_where_it_is_stripped() -> None:
    """As in the address of an e-mail."""
    text = " " * 99 + "k" * 150 + " " * 99
    assert truncate(text, SendEmailAction, "recipient") is text


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text(max_size=9)
        | st.sampled_from(
            [" ", "<b>", "</b>", "<u>", "<a href='https://e.co'>", "&amp;", "<", "½"]
            + [
                "ﷺ",
                VARIABLE,
                "{{x}}",
                FAMILY,
                "🇫🇷",
                "e\u0301",
                "word ",
                "＜",
                "  ",
                "x" * 70,
            ]
        ),
        max_size=30,
    ).map("".join)
)
def test_whatever_is_cut_fits(text: str) -> None:
    """It begins as the text, something is left, and cutting again changes nothing."""
    for model, attribute in ((QuickReply, "title"), (SendEmailAction, "from_name")):
        cut = truncate(text, model, attribute)

        assert_fits(cut, model, attribute)
        assert truncate(cut, model, attribute) is cut
        assert text.strip().startswith(cut.strip().removesuffix("…"))
        assert cut.strip() or not text.strip()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([FAMILY, "e\u0301", "🇫🇷", "a ", VARIABLE]), min_size=1))
def test_what_belongs_together_stays_together(parts: list[str]) -> None:
    """A text is cut between its parts."""
    text = "".join(parts)
    beginnings = {"".join(parts[:end]).strip() for end in range(1, len(parts) + 1)}
    for limit in range(len(parts[0]) + 1, len(text)):
        cut = truncate(text, limit)
        assert len(cut) <= limit
        assert cut.removesuffix("…") in beginnings


def assert_fits(text: str, model: Any, attribute: str) -> None:
    (row,) = (row for row in attributes_of(model) if row.name == attribute)
    assert row.shape.clean is not None and row.shape.max_length is not None
    assert len(row.shape.clean(text)) <= row.shape.max_length


def test_a_cut_title_is_a_title() -> None:
    """A text that is truncated for an attribute is valid there."""
    title = truncate("<u>" + "A long title " * 9, QuickReply, "title")
    assert dump(QuickReply(title=title, action=ShareAction()))[1] == []


# -- wrong arguments -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((QuickReply, "titel"), AttributeError, "Did you mean 'title'?"),
        ((OpenURLAction, "link"), AttributeError, "It has: url."),
        ((ShareAction, "title"), AttributeError, "It has: no attributes."),
        ((Card, "imageURL"), AttributeError, "Did you mean 'image_url'?"),
        ((QuickReply,), AttributeError, "'QuickReply' has no attribute 'None'"),
        ((QuickReply, "action"), TypeError, "'action' of 'QuickReply' is not a text"),
        ((OpenURLAction, "url"), TypeError, "not a text with a maximum length"),
        (
            (StoreSessionValueAction, "key"),
            TypeError,
            "not a text with a maximum length",
        ),
        ((WaitAction, "duration"), TypeError, "not a text with a maximum length"),
        ((GoToAction, "session_values"), TypeError, "not a text with a maximum length"),
        ((str, "title"), TypeError, "must be a number of characters, or a model"),
        (("60",), TypeError, "must be a number of characters, or a model"),
        ((True,), TypeError, "must be a number of characters, or a model"),
        ((0,), ValueError, "Pass 1 or more."),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], message: str) -> None:
    """They are an error with a hint."""
    with pytest.raises(error) as caught:
        truncate("text", *arguments)
    assert message in str(caught.value)


def test_only_strings_are_cut() -> None:
    """Nothing else is taken for one."""
    with pytest.raises(TypeError, match="not a 'bytes'"):
        truncate(b"text", 2)  # type: ignore[call-overload]
