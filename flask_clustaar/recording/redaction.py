"""Replace personal data in a request and its reply.

The notification contains the names, numbers and addresses of the user. Pseudonyms
replace them, with the same table for the request and the reply. So replaying a
redacted request gives the redacted reply.

The result is pseudonymised, but not anonymous: texts can name other people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from .pseudonyms import Entry, Pseudonyms, Table, is_email, lower


class Redactor:
    """Redacts requests and their replies, which are JSON documents.

    :param key: the key of the pseudonyms. Pseudonyms of two keys cannot be linked.
    """

    def __init__(self, key: bytes) -> None:
        self.pseudonyms: Pseudonyms = Pseudonyms(key)
        #: The latest redacted users, because each user sends several requests.
        self._users: dict[bytes, tuple[Raw, dict[str, Entry]]] = {}

    def pseudonymise(self, request: bytes, reply: bytes) -> tuple[bytes, bytes]:
        """Replace personal data by pseudonyms.

        Parts without personal data are not parsed, and their bytes are unchanged.
        """
        redacted, table = self._request(request, reply, _Walk)
        return redacted, _part(reply, table, _Walk(table).reply)

    def without_texts(self, request: bytes, reply: bytes) -> tuple[bytes, bytes]:
        """Like :meth:`pseudonymise`; also replace letters in free texts by ``x``."""
        redacted, table = self._request(request, reply, _WithoutTexts, whole=True)
        table.look_for(None)
        return redacted, _encode(_WithoutTexts(table).reply(_decode(reply)))

    def _request(
        self,
        request: bytes,
        reply: bytes,
        make_walk: Callable[[Table], _Walk],
        *,
        whole: bool = False,
    ) -> tuple[bytes, Table]:
        """Redact a request; return it with the table of its pseudonyms.

        :param whole: whether to process all parts, not only those with personal data.
        """
        try:
            parts = _parts(request)
        except msgspec.DecodeError:
            parts = _parts(_strict(request))
        data = _parts(parts.get("data"))
        user, table = self._known(bytes(data.get("interlocutor", b"null")))
        if b'"interlocutor"' in reply:
            _user(_member(_decode(reply), "interlocutor"), table)
        walk = make_walk(table)
        if "interlocutor" in data:
            data["interlocutor"] = user
        if "input" in data:
            _add_urls(bytes(data["input"]), table)
        step = _parts(data.get("step"))

        def redact(members: dict[str, Raw], *kept: str) -> None:
            for name in members.keys() - kept:
                value = walk.session if name == "session" else walk.structure
                part = _part(bytes(members[name]), table, value, whole=whole)
                members[name] = Raw(part)

        redact(step, "id", "type", "name")
        redact(data, "type", "channel", "interlocutor", "step" if step else "")
        redact(parts, "topic", "botID", "type", "timestamp", "data" if data else "")
        if step:
            data["step"] = Raw(_encode(step))
        if data:
            parts["data"] = Raw(_encode(data))
        return _encode(parts), table

    def _known(self, user: bytes) -> tuple[Raw, Table]:
        """Return a redacted interlocutor, and the table of its pseudonyms."""
        known = self._users.get(user)
        if known is None:
            table = Table(self.pseudonyms)
            known = Raw(_encode(_user(_decode(user), table))), table.entries
            if len(self._users) >= _MOST_USERS:
                self._users.clear()
            self._users[user] = known
        return known[0], Table(self.pseudonyms, dict(known[1]))


def blank(text: str) -> str:
    """Replace each letter and digit of a text by ``x``."""
    return _ALPHANUMERIC.sub("x", text)


def blank_reply(reply: Any) -> Any:
    """Redact the texts of a reply as :meth:`Redactor.without_texts` does."""
    return _WithoutTexts(Table(Pseudonyms(b""))).reply(reply)


# -- the request ---------------------------------------------------------------------


def _part(
    part: bytes, table: Table, walk: Callable[[Any], Any], *, whole: bool = False
) -> bytes:
    """Redact a part of a document, if it has anything to replace."""
    is_plain = not whole and b"\\u" not in part and b"\\/" not in part
    document = lower(part.decode("utf-8", "replace")) if is_plain else None
    return _encode(walk(_decode(part))) if table.look_for(document) else part


def _user(user: Any, table: Table) -> Any:
    """Redact an interlocutor, and add its values to the table."""
    if not isinstance(user, dict):
        return user if user is None else _attribute(user, table)
    return {
        name: _USER.get(name, _attribute)(value, table) for name, value in user.items()
    }


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _attribute(value: Any, table: Table) -> Any:
    """Redact the value of an attribute, and add it to the table."""
    if isinstance(value, str):
        return _text_attribute(value, table)
    if isinstance(value, dict):
        return {name: _attribute(each, table) for name, each in value.items()}
    if isinstance(value, list):
        return [_attribute(each, table) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(_text_attribute(str(value), table))
    return 0.0


def _text_attribute(value: str, table: Table) -> str:
    if value.lower() in _NOT_PERSONAL or not value.strip():
        return value
    pseudonyms = table.pseudonyms
    new = pseudonyms.email(value) if is_email(value) else pseudonyms.shaped(value)
    # In texts, short values such as '25' and 'f' are rarely about the user.
    if len(value) < (4 if value.isdecimal() else 3):
        return table.exactly(value) if value in table.entries else new
    return table.add(value, new, anywhere=len(value) >= 8 and not value.isalpha())


def _first_name(value: Any, table: Table) -> Any:
    return _name(value, table, "First")


def _last_name(value: Any, table: Table) -> Any:
    return _name(value, table, "Last")


def _name(value: Any, table: Table, label: str) -> Any:
    """Redact each word of a name, because the bot may use only one of them."""
    if not isinstance(value, str):
        return _attribute(value, table)

    def word(match: re.Match[str]) -> str:
        if len(match[0]) == 1 and match[0] < "\u0900":
            return match[0]  # An initial.
        return table.add(match[0], table.pseudonyms.word(match[0], label))

    return _NAME.sub(word, value)


def _email(value: Any, table: Table) -> Any:
    if isinstance(value, str) and "@" in value:
        return table.add(value, table.pseudonyms.email(value), anywhere=True)
    return _attribute(value, table)


def _phone(value: Any, table: Table) -> Any:
    if isinstance(value, str):
        digits = "".join(filter(str.isdecimal, value))
        if len(digits) >= 6:
            table.add(digits, table.pseudonyms.shaped(digits), anywhere=True)
    return _attribute(value, table)


def _nothing(value: Any, table: Table) -> None:
    return None


def _kept(value: Any, table: Table) -> Any:
    return value


#: Functions that redact attributes of an interlocutor; others as custom attributes.
_USER: Final[Mapping[str, Callable[[Any, Table], Any]]] = {
    "firstName": _first_name,
    "lastName": _last_name,
    "email": _email,
    "phoneNumber": _phone,
    "location": _nothing,
    "isLogged": _kept,
    "usedToTest": _kept,
    "type": _kept,
}


def _add_urls(part: bytes, table: Table) -> None:
    """Add the URLs of an input to the table, because the reply may contain them."""
    if b"url" not in part:
        return
    input = _decode(part)
    attachments = _member(input, "attachments")
    holders = [input, *(attachments if isinstance(attachments, list) else ())]
    for holder in holders:
        url = _member(holder, "url")
        if isinstance(url, str):
            table.add(url, _url(url, table.pseudonyms), anywhere=True)


def _url(url: str, pseudonyms: Pseudonyms) -> str:
    """Redact the host, query and fragment of a URL; keep its path."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return pseudonyms.shaped(url)
    host = pseudonyms.host(parts.netloc) if parts.netloc else ""
    query = re.sub(r"(?<==)[^&]+", lambda m: pseudonyms.shaped(m[0]), parts.query)
    if "=" not in query:
        query = pseudonyms.shaped(query)
    parts = parts._replace(netloc=host, query=query)
    return parts._replace(fragment=pseudonyms.shaped(parts.fragment)).geturl()


# -- the parts -----------------------------------------------------------------------


class _Walk:
    """Replaces texts in JSON values."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def text(self, text: str) -> str:
        """Redact a text for people."""
        return self.table.text(text)

    def technical(self, text: str) -> str:
        """Redact a URL or a name."""
        return self.table.text(text)

    def reply(self, reply: Any) -> Any:
        """Redact a reply, its interlocutor and its session."""
        if not isinstance(reply, dict):
            return self.structure(reply)
        walks = {"session": self.session, "interlocutor": self.interlocutor}
        return {
            name: walks.get(name, self.structure)(value)
            for name, value in reply.items()
        }

    def interlocutor(self, user: Any) -> Any:
        """Redact the interlocutor of a reply."""
        return _user(user, self.table)

    def session(self, session: Any) -> Any:
        """Redact the values of a session, which the program defines."""
        if isinstance(session, dict):
            return {
                self.table.exactly(name): self.session(value)
                for name, value in session.items()
            }
        if isinstance(session, list):
            return [self.session(value) for value in session]
        if isinstance(session, str):
            return self.text(session)
        if isinstance(session, int) and not isinstance(session, bool):
            new = self.table.exactly(str(session))
            return int(new) if new.isascii() and new.isdecimal() else session
        return session

    def structure(self, value: Any, name: str = "") -> Any:
        """Redact actions and inputs, except values that the platform defines."""
        if isinstance(value, str):
            return self.technical(value) if name in _TECHNICAL else self.text(value)
        if isinstance(value, list):
            return [self.structure(each, name) for each in value]
        if isinstance(value, dict):
            if value.get("type") in ("step", "story"):
                return value
            redacted = {}
            for key, each in value.items():
                if key in _STRUCTURAL and isinstance(each, str):
                    redacted[key] = each
                elif key in _FREE:
                    redacted[key] = self.session(each)
                else:
                    redacted[key] = self.structure(each, key)
            return redacted
        return value


class _WithoutTexts(_Walk):
    """Replaces all texts by ``x``."""

    def text(self, text: str) -> str:
        return blank(text)


#: Keys whose values the platform defines.
_STRUCTURAL: Final = frozenset({"type", "kind", "service", "id", "code"})
#: Keys whose values the program defines.
_FREE: Final = frozenset({"sessionValues", "payload", "values"})
#: Keys whose values are not texts for people.
_TECHNICAL: Final = frozenset(
    {"url", "imageURL", "imageUrl", "event", "key", "name", "recipient", "fromEmail"}
)


#: The maximum number of users whose pseudonyms are cached.
_MOST_USERS: Final = 1000
_ALPHANUMERIC: Final = re.compile(r"[^\W_]")
#: Matches the words of a name, between white space and punctuation.
_NAME: Final = re.compile(r"[^\s!-/:-@\[-`{-~\xa0-\xbf\u2000-\u206f\u3000-\u303f]+")
_NOT_PERSONAL: Final = frozenset({"true", "false", "yes", "no", "null", "none"})

# -- JSON ----------------------------------------------------------------------------

_PARTS: Final = msgspec.json.Decoder(dict[str, Raw])


def _parts(part: bytes | Raw | None) -> dict[str, Raw]:
    """Return the parts of a JSON object; of another value, an empty dict."""
    try:
        return {} if part is None else _PARTS.decode(part)
    except msgspec.ValidationError:
        return {}


def _strict(document: bytes) -> bytes:
    """Return a JSON document without lone surrogates, which Python would accept."""
    text = json.dumps(json.loads(document), ensure_ascii=False)
    return text.encode("utf-8", "replace")


_decode: Final = msgspec.json.decode
_encode: Final = msgspec.json.encode
