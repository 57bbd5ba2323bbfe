"""Request authentication: credentials, signature and freshness.

Each check takes values as received, and raises an exception if it fails.
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

#: The algorithms of signatures, and the length of their digests in bytes.
ALGORITHMS: Final = {"sha1": 20, "sha256": 32}


class Secret:
    """Bytes that are hidden in logs, reprs and tracebacks.

    Two secrets are equal only if they are the same object. So comparing them reveals
    nothing about the bytes.

    :param value: the bytes to hide.
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
    """A user name and a password for HTTP Basic authentication."""

    username: Secret
    password: Secret


def sign(
    key: bytes | str, date: str | None, body: bytes, algorithm: str = "sha1"
) -> str:
    """Return the ``X-Hub-Signature`` of a request (PROTOCOL 2).

    :param key: the bot's private key.
    :param date: the value of the ``Date`` header. None is signed as the text ``None``,
        as in the platform's scheme; :func:`check_signature` always rejects it.
    :param body: the body to send.
    :param algorithm: ``sha1``, which the platform uses, or ``sha256``.
    :return: the value of the header, such as ``sha1=…``.
    """
    mac = HMACAlgorithm(algorithm).get_signature(
        _utf8(key), _signed_text(str(date), body)
    )
    return f"{algorithm}={mac.hex()}"


def basic_auth(username: bytes | str, password: bytes | str) -> str:
    """Return the value of an ``Authorization`` header, encoded in UTF-8."""
    pair = _utf8(username) + b":" + _utf8(password)
    return f"Basic {base64.b64encode(pair).decode()}"


def check_credentials(
    authorization: Sequence[str], pairs: Iterable[Credentials]
) -> None:
    """Check that the request has an accepted user name and password.

    All pairs are compared, each in constant time, so that the duration does not reveal
    which pair matches.

    :param authorization: each ``Authorization`` header of the request.
    :param pairs: the accepted user names and passwords.
    :raises CredentialsMissing: if there is no header.
    :raises CredentialsInvalid: if there are several headers, or if the header is not
        Basic authentication with one of the pairs.
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
    # User names have no ':', so the joined texts are equal only if both parts are.
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

    Repeated headers are rejected, whether the server passes them separately or joined
    with commas.

    :param signatures: each ``X-Hub-Signature`` header of the request.
    :param dates: each header with the date of the request, as received.
    :param body: the body as received.
    :param keys: the accepted keys. All are tried, each in constant time.
    :param algorithms: the accepted ones of :data:`ALGORITHMS`.
    :return: the digest, which identifies the delivery. It does not depend on how the
        header is written, only on the key, the date and the body.
    :raises SignatureMissing: if there is no signature.
    :raises SignatureMalformed: if there are several, or if it cannot be parsed.
    :raises SignatureAlgorithmRefused: if its algorithm is not accepted.
    :raises DateMissing: if there is no date.
    :raises DateMalformed: if there are several dates.
    :raises SignatureInvalid: if the signature does not match any key.
    """
    algorithm, digest = _read_signature(signatures, algorithms)
    if not dates:
        raise DateMissing
    if len(dates) > 1 or dates[0].count(",") > 1:
        raise DateMalformed
    signed = _signed_text(_value(dates[0]), body)
    verify = _HMAC[algorithm].verify_signature
    if not any([verify(key.reveal(), signed, digest) for key in keys]):
        raise SignatureInvalid(None if body else _NO_BODY)
    return digest


_NO_BODY: Final = (
    "The signature does not match, and the request has no body. Check that no proxy "
    "removes it."
)


def check_freshness(date: str, now: float, max_age: float | None, skew: float) -> None:
    """Check that the date of the request is recent (PROTOCOL 2).

    The last two exceptions have the attribute ``skew``: the sender's clock minus this
    server's clock, in seconds.

    :param date: the header with the date of the request.
    :param now: the current time, in seconds since the epoch.
    :param max_age: the maximum age of the date, in seconds; None for no maximum.
    :param skew: how far the date may be in the future, in seconds.
    :raises DateMalformed: if the date is not an HTTP date.
    :raises RequestTooOld: if the date is older than *max_age*.
    :raises RequestFromFuture: if the date is too far in the future.
    """
    ahead = _read_once(_value(date), now // _DAY * _DAY) - now
    if max_age is None or -max_age <= ahead <= skew:
        return
    error = RequestTooOld() if ahead < 0 else RequestFromFuture()
    error.skew = ahead
    raise error


def read_date(text: str, now: float) -> int:
    """Parse an HTTP date; return seconds since the epoch.

    :param text: a date in one of the three formats of RFC 9110; case is ignored.
    :param now: the current time, which decides the century of a year of two digits.
    :raises DateMalformed: if the text is not such a date.
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
#: Cached, because requests within one second have the same date. Only the year of *now*
#: matters.
_read_once: Final = functools.lru_cache(maxsize=64)(read_date)

# Names and not functions, so that a build without SHA-1 fails only when SHA-1 is used.
_HMAC: Final = {algorithm: HMACAlgorithm(algorithm) for algorithm in ALGORITHMS}

# Letters in both cases: re.IGNORECASE takes twice as long.
_SIGNATURE: Final = re.compile("([A-Za-z0-9-]{1,16})=([0-9A-Fa-f]+)")


def _read_signature(
    signatures: Sequence[str], algorithms: Collection[str]
) -> tuple[str, bytes]:
    """Return the algorithm and the digest of the only signature."""
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
    """Return the value of a header, without white space around it."""
    return header.strip(" \t")


def _signed_text(date: str, body: bytes) -> bytes:
    """Return the signed bytes; *date* has one character per byte of the header."""
    return b"date=%b\n%b" % (date.encode("latin-1", "backslashreplace"), body)


def _utf8(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


_MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS: Final = {name: i for i, name in enumerate(_MONTH_NAMES.split(), 1)}
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_DAYS: Final = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAYS: Final = "(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_TIME: Final = "(?P<h>[01][0-9]|2[0-3]):(?P<m>[0-5][0-9]):(?P<s>[0-5][0-9]|60)"

# The three formats of RFC 9110, 5.6.7, most frequent first. The RFC prescribes the
# case, but some proxies change it. The signature covers the date as received.
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
    """Return the year; two digits mean at most fifty years ahead (RFC 9110)."""
    year = int(digits)
    if len(digits) == 4:
        return year
    this_year = time.gmtime(now).tm_year
    return this_year + (year - this_year + 49) % 100 - 49
