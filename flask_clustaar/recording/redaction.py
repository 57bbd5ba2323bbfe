"""Replace personal data in a request and its reply.

The notification contains the names, numbers and addresses of the user. Pseudonyms
replace them, with the same table for the request and the reply. So replaying a
redacted request gives the redacted reply.

The result is pseudonymised, but not anonymous: texts can name other people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Set
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct, field

from .patterns import is_email, may_have_pattern
from .pseudonyms import Pseudonyms
from .table import Search, Table, marks_of


class Redactor:
    """Redacts requests and their replies, which are JSON documents.

    :param key: the key of the pseudonyms. Pseudonyms of two keys cannot be linked.
    """

    def __init__(self, key: bytes) -> None:
        self.pseudonyms: Pseudonyms = Pseudonyms(key)
        #: The latest redacted users, because each user sends several requests.
        self._users: dict[bytes, _KnownUser] = {}
        #: The marks of inputs, steps and actions that occurred twice, because most of
        #: these occur often; None if they have patterns.
        self._parts: dict[bytes, frozenset[bytes] | None] = {}
        #: The hashes of those that occurred once.
        self._once: set[int] = set()

    def pseudonymise(self, request: bytes, reply: bytes) -> tuple[bytes, bytes]:
        """Replace personal data by pseudonyms.

        Parts without personal data are not parsed, and their bytes are unchanged.
        """
        request, reply = _plain(request), _plain(reply)
        document = _Request(request)
        user, table = self._known(document.user)
        has_user = b'"interlocutor"' in reply
        if has_user or b"url" in document.input:
            table = _with_more(table, document.input, reply)
        search, rest = self._search(document, reply, table)
        redacted = document.spliced(search, rest, user)
        if redacted is None:
            redacted = document.redacted(_Walk(search), user)
        spliced = None
        if not (has_user or search.finds_pattern_in(reply)):
            spliced = search.spliced(reply)
        if spliced is None:
            spliced = bytes(_Walk(search).reply(Raw(reply)))
        return redacted, spliced

    def without_texts(self, request: bytes, reply: bytes) -> tuple[bytes, bytes]:
        """Like :meth:`pseudonymise`; also replace letters in free texts by ``x``."""
        request, reply = _plain(request), _plain(reply)
        document = _Request(request)
        user, table = self._known(document.user)
        walk = _WithoutTexts(Search(_with_more(table, document.input, reply)))
        return document.redacted(walk, user), bytes(walk.reply(Raw(reply)))

    def _search(
        self, document: _Request, reply: bytes, table: Table
    ) -> tuple[Search, bytes]:
        """Search a request and its reply, except known parts.

        :return: the search, and the parts of the request that were searched.
        """
        clues: set[str] = set()
        inputs = [document.rest, document.session]
        for part in (document.input, document.step):
            inputs.append(self._unknown(part, table, clues))
        rest = b" ".join(inputs) + b" "
        is_found = bool(clues)
        search = Search(table, rest + self._unknown_in(reply, table, clues), clues)
        if is_found:
            search.first = 0
        return search, rest

    def _unknown_in(self, reply: bytes, table: Table, clues: set[str]) -> bytes:
        """Like :meth:`_unknown`, for the parts of a reply."""
        try:
            parts = _REPLY.decode(reply)
        except msgspec.ValidationError:
            return reply
        unknown = [self._unknown(bytes(part), table, clues) for part in parts.actions]
        unknown.append(bytes(parts.session))
        return b" ".join(unknown)

    def _unknown(self, part: bytes, table: Table, clues: set[str]) -> bytes:
        """Return a part; empty if it is known, after adding its clues to *clues*.

        It is known if it occurred before, and if all values of the table have marks.
        """
        if len(part) < _SHORT:
            return part  # The search is as quick.
        marks = self._parts.get(part)
        if marks is None:
            if part not in self._parts:
                self._learn(part)
            return part
        if not table.is_marked:
            return part
        for mark in marks.intersection(table.marks):
            clues |= table.marks[mark]
        return b""

    def _learn(self, part: bytes) -> None:
        """Collect the marks of a part when it occurs for the second time."""
        if hash(part) in self._once:
            _make_room(self._parts, _MOST_PARTS)
            self._parts[part] = None if may_have_pattern(part) else marks_of(part)
        else:
            _make_room(self._once, _MOST_ONCE)
            self._once.add(hash(part))

    def _known(self, user: bytes) -> _KnownUser:
        """Return a redacted interlocutor, and the table of its pseudonyms."""
        known = self._users.get(user)
        if known is None:
            table = Table(self.pseudonyms)
            known = _KnownUser(_encode(_user(_decode(user), table)), table)
            _make_room(self._users, _MOST_USERS)
            self._users[user] = known
        return known


class _KnownUser(NamedTuple):
    """A redacted user."""

    #: The interlocutor with pseudonyms.
    redacted: bytes
    table: Table


def _make_room(cache: dict[Any, Any] | set[Any], most: int) -> None:
    if len(cache) >= most:
        cache.clear()


def blank(text: str) -> str:
    """Replace each letter and digit of a text by ``x``."""
    return _ALPHANUMERIC.sub("x", text)


def blank_reply(reply: Any) -> Any:
    """Redact the texts of a reply as :meth:`Redactor.without_texts` does."""
    walk = _WithoutTexts(Search(Table(Pseudonyms(b""))))
    return _decode(walk.reply(_raw(reply)))


_NULL: Final = Raw(b"null")


class _Reply(Struct, forbid_unknown_fields=True):
    """A reply."""

    actions: list[Raw] = []
    session: Raw = _NULL
    interlocutor: Raw = _NULL


# -- the request ---------------------------------------------------------------------


class _Data(Struct, forbid_unknown_fields=True):
    """The data of a notification, with the known keys only."""

    type: Raw = _NULL
    channel: Raw = _NULL
    input: Raw = _NULL
    interlocutor: Raw = _NULL
    session: Raw = _NULL
    step: Raw = _NULL


class _Envelope(Struct, forbid_unknown_fields=True):
    """A notification, with the known keys only."""

    topic: Raw = _NULL
    botID: Raw = _NULL
    type: Raw = _NULL
    timestamp: Raw = _NULL
    data: _Data = field(default_factory=_Data)


class _Request:
    """A request, of which only the necessary parts are parsed."""

    def __init__(self, document: bytes) -> None:
        self._document = document
        try:
            data = _ENVELOPE.decode(document).data
        except msgspec.ValidationError:
            data = None
        #: Whether it has only known keys.
        self.is_usual: bool = data is not None
        if data is None:
            parts = _members(_members(document).get("data"))
            data = _Data(
                input=parts.get("input", _NULL),
                interlocutor=parts.get("interlocutor", _NULL),
            )
        self.input: bytes = bytes(data.input)
        self.user: bytes = bytes(data.interlocutor)
        self.step: bytes = bytes(data.step)
        self.session: bytes = bytes(data.session)
        #: The whole document, if it may have other personal parts.
        self.rest: bytes = b""
        if not (self.is_usual and self.user[:1] == b"{"):
            self.is_usual, self.rest = False, document

    def spliced(self, search: Search, rest: bytes, user: bytes) -> bytes | None:
        """Return the request with another user, and the rest redacted.

        :param rest: the parts that were searched.
        :return: None if it has to be parsed.
        """
        if not self.is_usual or search.finds_pattern_in(rest):
            return None
        before: bytes | None
        after: bytes | None
        before, _, after = self._document.partition(self.user)
        if search.first < len(rest):
            before, after = search.spliced(before), search.spliced(after)
            if before is None or after is None:
                return None
        return b"".join((before, user, after))

    def redacted(self, walk: _Walk, user: bytes) -> bytes:
        """Return the request with another user, and the rest redacted."""
        parts = _members(self._document)
        data = _members(parts.get("data"))
        step = _members(data.get("step"))
        _redact(step, walk, {"id", "type", "name"})
        if step:
            data["step"] = _raw(step)
        if "interlocutor" in data:
            data["interlocutor"] = Raw(user)
        kept = {"type", "channel", "interlocutor"}
        _redact(data, walk, kept | {"step"} if step else kept)
        if data:
            parts["data"] = _raw(data)
        _redact(parts, walk, _AROUND | {"data"} if data else _AROUND)
        return _encode(parts)


def _redact(members: dict[str, Raw], walk: _Walk, kept: Set[str]) -> None:
    """Redact the members of an object, except *kept* ones."""
    for name, value in members.items():
        if name not in kept:
            redact = walk.session if name == "session" else walk.structure
            members[name] = redact(value)


# -- the user ------------------------------------------------------------------------


def _user(user: Any, table: Table) -> Any:
    """Redact an interlocutor, and add its values to the table."""
    if not isinstance(user, dict):
        return user if user is None else _attribute(user, table)
    return {
        name: _USER.get(name, _attribute)(value, table) for name, value in user.items()
    }


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


def _with_more(table: Table, input: bytes, reply: bytes) -> Table:
    """Return the table, extended by personal data in the input and the reply."""
    table = table.copy()
    _user(_member(_decode(reply), "interlocutor"), table)
    _add_urls(_decode(input), table)
    return table


def _add_urls(input: Any, table: Table) -> None:
    attachments = _member(input, "attachments")
    holders = [input, *(attachments if isinstance(attachments, list) else ())]
    for holder in holders:
        url = _member(holder, "url")
        if isinstance(url, str):
            table.add(url, _url(url, table.pseudonyms), anywhere=True)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


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
    """Replaces texts in JSON values. Values without texts to replace are not parsed."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._exactly = search.table.exactly

    def text(self, text: str) -> str:
        """Redact a text for people."""
        return self._search.replace(text)

    def technical(self, text: str) -> str:
        """Redact a URL or a name."""
        return self._search.replace(text)

    def reply(self, reply: Raw) -> Raw:
        """Redact a reply, its interlocutor and its session."""
        members = _members(reply)
        if not members:
            return self.structure(reply)
        walks = {"session": self.session, "interlocutor": self.interlocutor}
        for name, value in members.items():
            members[name] = walks.get(name, self.structure)(value)
        return _raw(members)

    def interlocutor(self, user: Raw) -> Raw:
        """Redact the interlocutor of a reply."""
        return _raw(_user(_decode(user), self._search.table))

    def session(self, session: Raw) -> Raw:
        """Redact the values of a session, which the program defines."""
        part = bytes(session)
        if not self._search.finds_in(part):
            return session
        return _raw(self._session(_decode(part)))

    def _session(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self._exactly(name): self._session(each) for name, each in value.items()
            }
        if isinstance(value, list):
            return [self._session(each) for each in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int) and not isinstance(value, bool):
            new = self._exactly(str(value))
            return int(new) if new.isascii() and new.isdecimal() else value
        return value

    def structure(self, value: Raw, name: str = "") -> Raw:
        """Redact actions and inputs, except values that the platform defines."""
        part = bytes(value)
        if not self._search.finds_in(part):
            return value
        match part[:1]:
            case b'"':
                redact = self.technical if name in _TECHNICAL else self.text
                return _raw(redact(_decode(part)))
            case b"[":
                return _raw([self.structure(each, name) for each in _LIST.decode(part)])
            case b"{":
                return self._object(value, _OBJECT.decode(part))
        return value

    def _object(self, value: Raw, members: dict[str, Raw]) -> Raw:
        if bytes(members.get("type", b"")) in _TARGETS:
            return value
        for name, each in members.items():
            if name in _FREE:
                members[name] = self.session(each)
            elif name not in _STRUCTURAL or bytes(each)[:1] != b'"':
                members[name] = self.structure(each, name)
        return _raw(members)


class _WithoutTexts(_Walk):
    """Replaces all texts by ``x``."""

    def text(self, text: str) -> str:
        return blank(text)


#: Keys whose values the platform defines.
_STRUCTURAL: Final = frozenset({"type", "kind", "service", "id", "code"})
#: Keys whose values the program defines.
_FREE: Final = frozenset({"sessionValues", "payload", "values"})
#: The types of objects that refer to objects of the platform.
_TARGETS: Final = frozenset({b'"step"', b'"story"'})
#: The keys of a notification, except its data, which are not personal.
_AROUND: Final = frozenset({"topic", "botID", "type", "timestamp"})
#: Keys whose values are not texts for people.
_TECHNICAL: Final = frozenset(
    {"url", "imageURL", "imageUrl", "event", "key", "name", "recipient", "fromEmail"}
)


#: The maximum number of cached users, and of cached parts.
_MOST_USERS: Final = 1000
_MOST_PARTS: Final = 200
_MOST_ONCE: Final = 1000
#: Parts with fewer bytes are not cached.
_SHORT: Final = 40
_ALPHANUMERIC: Final = re.compile(r"[^\W_]")
#: Matches the words of a name, between white space and punctuation.
_NAME: Final = re.compile(r"[^\s!-/:-@\[-`{-~\xa0-\xbf\u2000-\u206f\u3000-\u303f]+")
_NOT_PERSONAL: Final = frozenset({"true", "false", "yes", "no", "null", "none"})

# -- JSON ----------------------------------------------------------------------------

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_REPLY: Final = msgspec.json.Decoder(_Reply)


def _members(part: bytes | Raw | None) -> dict[str, Raw]:
    """Return the members of a JSON object; of another value, an empty dict."""
    try:
        return {} if part is None else _OBJECT.decode(part)
    except msgspec.ValidationError:
        return {}


def _plain(document: bytes) -> bytes:
    """Return a JSON document without unnecessary escapes, which hide values.

    Lone surrogates, which Python accepts, are replaced.
    """
    if document.find(b"\\") < 0:  # The usual case; 'in' takes longer.
        return document
    if b"\\u" not in document and b"\\/" not in document:
        return document
    try:
        return _encode(_decode(document))
    except msgspec.DecodeError:
        text = json.dumps(json.loads(document), ensure_ascii=False)
        return text.encode("utf-8", "replace")


def _raw(value: Any) -> Raw:
    return Raw(_encode(value))


_decode: Final = msgspec.json.decode
_encode: Final = msgspec.json.encode
