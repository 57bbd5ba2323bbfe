"""Request authentication: credentials, signature and freshness.

Each check takes what was received, and raises an exception if it fails.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import functools
import hmac
import re
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from itsdangerous.signer import HMACAlgorithm

from .errors import (
    CredentialsInvalid,
    CredentialsMissing,
    DateMalformed,
    DateMissing,
    RequestFromFuture,
    RequestTooOld,
    SignatureAlgorithmRefused,
    SignatureInvalid,
    SignatureMalformed,
    SignatureMissing,
)

#: The schemes a signature can have, and how many bytes a digest of each has.
ALGORITHMS: Final = {"sha1": 20, "sha256": 32}


class Secret:
    """Bytes that stay out of logs, reprs and tracebacks.

    Two secrets are equal only if they are the same object, so that a comparison tells
    nothing about what is in them.

    :param value: what is to be kept.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    def reveal(self) -> bytes:
        """Return the bytes."""
        return self._value


class Credentials(NamedTuple):
    """A user name and its password, as HTTP Basic carries them."""

    username: Secret
    password: Secret


def sign(
    key: bytes | str, date: str | None, body: bytes, algorithm: str = "sha1"
) -> str:
    """Return the ``X-Hub-Signature`` of a request (PROTOCOL 2).

    :param key: the bot's private key.
    :param date: the text of the ``Date`` header. None is signed as the text ``None``,
        which the platform's scheme knows and :func:`check_signature` never accepts.
    :param body: the body as it is sent.
    :param algorithm: ``sha1`` as the platform has it, or ``sha256``.
    """
    mac = HMACAlgorithm(algorithm).get_signature(
        _utf8(key), _signed_text(str(date), body)
    )
    return f"{algorithm}={mac.hex()}"


def basic_auth(username: bytes | str, password: bytes | str) -> str:
    """Return the ``Authorization`` header of a client, in UTF-8."""
    pair = _utf8(username) + b":" + _utf8(password)
    return f"Basic {base64.b64encode(pair).decode()}"


def check_credentials(
    authorization: Sequence[str], pairs: Iterable[Credentials]
) -> None:
    """Check that the request was sent by somebody who knows one of the pairs.

    All pairs are compared, each in constant time, so that the answer takes as long
    whichever matches.

    :param authorization: each ``Authorization`` header of the request.
    :param pairs: the accepted user names and passwords.
    :raises CredentialsMissing: if there is no header.
    :raises CredentialsInvalid: if it is not one Basic header with one of the pairs.
    """
    if not authorization:
        raise CredentialsMissing
    if len(authorization) > 1:
        raise CredentialsInvalid
    scheme, _, encoded = _value(authorization[0]).partition(" ")
    if scheme.lower() != "basic":
        raise CredentialsInvalid
    try:
        given = binascii.a2b_base64(encoded.strip(" "), strict_mode=True)
    except ValueError:
        raise CredentialsInvalid from None
    # A user name has no ':', so the joined texts are equal only if both parts are.
    accepted = [
        hmac.compare_digest(given, username.reveal() + b":" + password.reveal())
        for username, password in pairs
    ]
    if not any(accepted):
        raise CredentialsInvalid


def check_signature(
    signatures: Sequence[str],
    dates: Sequence[str],
    body: bytes,
    keys: Iterable[Secret],
    algorithms: Collection[str],
) -> bytes:
    """Check that the request was signed with one of the keys (PROTOCOL 2).

    Return the digest, which is the identity of the delivery: however the header
    spells it, the same key, Date and body give the same one.

    A server may hand over repeated headers one by one or joined with commas; both are
    refused.

    :param signatures: each ``X-Hub-Signature`` header of the request.
    :param dates: each header with the date of the request, as received.
    :param body: the body as received.
    :param keys: the accepted keys. All of them are tried, each in constant time.
    :param algorithms: those of :data:`ALGORITHMS` that are accepted.
    :raises SignatureMissing: if there is no signature.
    :raises SignatureMalformed: if there are several, or one that cannot be read.
    :raises SignatureAlgorithmRefused: if it was made with another algorithm.
    :raises DateMissing: if there is no date.
    :raises DateMalformed: if there are several dates.
    :raises SignatureInvalid: if no key gives this signature.
    """
    algorithm, digest = _read_signature(signatures, algorithms)
    if not dates:
        raise DateMissing
    if len(dates) > 1 or dates[0].count(",") > 1:
        raise DateMalformed
    signed = _signed_text(_value(dates[0]), body)
    verify = _HMAC[algorithm].verify_signature
    if not any([verify(key.reveal(), signed, digest) for key in keys]):
        raise SignatureInvalid
    return digest


def check_freshness(date: str, now: float, max_age: float | None, skew: float) -> None:
    """Check that the request was signed just now.

    What it raises because of the clock has the attribute ``skew``: by how many seconds
    the sender's clock is ahead of ours, negative if it is behind.

    :param date: the header with the date of the request.
    :param now: the present as seconds since the epoch.
    :param max_age: how many seconds ago the request may have been signed. With None
        the date must be readable, and may be any.
    :param skew: how many seconds the sender's clock may be ahead.
    :raises DateMalformed: if the date is not an HTTP date.
    :raises RequestTooOld: if it is longer ago.
    :raises RequestFromFuture: if it is further ahead.
    """
    ahead = _read_once(_value(date), now // _DAY * _DAY) - now
    if max_age is None or -max_age <= ahead <= skew:
        return
    error = RequestTooOld() if ahead < 0 else RequestFromFuture()
    error.skew = ahead
    raise error


def read_date(text: str, now: float) -> int:
    """Return the seconds since the epoch of an HTTP date.

    :param text: one of the three forms of RFC 9110, in any case.
    :param now: the present, to tell the century of a year of two digits.
    :raises DateMalformed: if it is something else.
    """
    for form in _DATES:
        if match := form.fullmatch(text):
            break
    else:
        raise DateMalformed
    day, month, year, h, m, s = match.group("day", "month", "year", "h", "m", "s")
    try:
        date = datetime.date(_full_year(year, now), _MONTHS[month.lower()], int(day))
    except ValueError:
        raise DateMalformed from None
    days = date.toordinal() - _EPOCH
    return ((days * 24 + int(h)) * 60 + int(m)) * 60 + int(s)


_DAY: Final = 86_400
#: What is signed within one second has one date, so the last ones are kept. Of the
#: present only the year matters.
_read_once: Final = functools.lru_cache(maxsize=64)(read_date)

# Strings, so that a build without SHA-1 fails only when SHA-1 is asked for.
_HMAC: Final = {algorithm: HMACAlgorithm(algorithm) for algorithm in ALGORITHMS}

_SIGNATURE: Final = re.compile(
    "([a-z0-9-]{1,16})=([0-9a-f]+)", re.ASCII | re.IGNORECASE
)


def _read_signature(
    signatures: Sequence[str], algorithms: Collection[str]
) -> tuple[str, bytes]:
    """Return the algorithm and the digest of the one signature there must be."""
    if not signatures:
        raise SignatureMissing
    match = _SIGNATURE.fullmatch(_value(signatures[0]))
    if len(signatures) > 1 or match is None:
        raise SignatureMalformed
    algorithm, digits = match.groups()
    if algorithm not in algorithms:
        raise SignatureAlgorithmRefused(
            f"The algorithm '{algorithm}' of 'X-Hub-Signature' is not accepted here."
        )
    if len(digits) != 2 * ALGORITHMS[algorithm]:
        raise SignatureMalformed
    return algorithm, bytes.fromhex(digits)


def _value(header: str) -> str:
    """Return the value of a header: white space around it is not part of it."""
    return header.strip(" \t")


def _signed_text(date: str, body: bytes) -> bytes:
    """Return what is signed; *date* has one character for each byte on the wire."""
    return b"date=%b\n%b" % (date.encode("latin-1", "backslashreplace"), body)


def _utf8(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


_MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS: Final = {name: i for i, name in enumerate(_MONTH_NAMES.split(), 1)}
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_DAYS: Final = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAYS: Final = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_TIME: Final = "(?P<h>[01][0-9]|2[0-3]):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9]|60)"

# The three forms of RFC 9110, 5.6.7, most frequent first. It wants the case to be
# right as well; proxies do not always care, and it is signed as it stands.
_DATES: Final = [
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        f"{_DAYS}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        f"{_LONG_DAYS}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        f"{_DAYS} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
]

_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()


def _full_year(digits: str, now: float) -> int:
    """Return the year; one of two digits is at most fifty years ahead (RFC 9110)."""
    year = int(digits)
    if len(digits) == 4:
        return year
    this_year = time.gmtime(now).tm_year
    return this_year + (year - this_year + 49) % 100 - 49
