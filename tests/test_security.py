"""Credentials, signatures and freshness: accepted and rejected requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_clustaar.errors import (
    CredentialsInvalid,
    CredentialsMissing,
    DateMalformed,
    DateMissing,
    RequestFromFuture,
    RequestRejected,
    RequestTooOld,
    SignatureAlgorithmRefused,
    SignatureInvalid,
    SignatureMalformed,
    SignatureMissing,
)
from flask_clustaar.security import (
    Credentials,
    Secret,
    basic_auth,
    check_credentials,
    check_freshness,
    check_signature,
    read_date,
    sign,
)

VECTORS = Path(__file__).parent / "vectors" / "signatures.jsonl"

DATE = "Thu, 13 Sep 2018 11:48:23 GMT"
NOW = 1536839303
BODY = b'{"topic":"conversation.step_reached"}'
KEY = b"XXXXXXXXXX"
#: PROTOCOL 2, second vector.
HEX = "f566098527196946cb2781e007af056350de7ac8"
SIGNATURE = f"sha1={HEX}"

#: What could be in a header: any characters, those of the wire, those of a header.
hostile = st.one_of(
    st.text(st.characters()),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    st.text("sha1256=,: BasicGMT0123456789abcdefABCDEF\t\r\n-"),
)

#: The bytes of a header's value, which has no white space around it.
stripped = st.binary().map(lambda raw: raw.strip(b" \t"))


def check(
    *signatures: str,
    dates: list[str] | None = None,
    body: bytes = BODY,
    keys: tuple[bytes, ...] = (KEY,),
    algorithms: tuple[str, ...] = ("sha1",),
) -> bytes:
    secrets = [Secret(key) for key in keys]
    return check_signature(
        signatures, [DATE] if dates is None else dates, body, secrets, algorithms
    )


def pair(username: str | bytes, password: str | bytes) -> Credentials:
    return Credentials(
        *(
            Secret(part.encode() if isinstance(part, str) else part)
            for part in (username, password)
        )
    )


# Secrets


def test_secret_shows_nothing() -> None:
    """The reprs of secrets and credentials do not show their values."""
    credentials = pair("alice", "wonderland")

    assert "Secret(***)" == repr(credentials.username)
    assert "alice" not in f"{credentials} {credentials!r}"
    assert "wonderland" not in f"{credentials} {credentials!r}"


def test_secret_reveals_its_bytes() -> None:
    """A secret returns its bytes only on request, and compares by identity."""
    secret = Secret(b"wonderland")

    assert b"wonderland" == secret.reveal()
    assert secret != Secret(b"wonderland")
    assert not hasattr(secret, "__dict__")


# Signing


def test_sign_date_none() -> None:
    """An absent date is signed as the text None (PROTOCOL 2, first vector)."""
    expected = "sha1=fc2bdea0e6a9e0dc333dece7568b5c3337a92342"

    assert expected == sign("test", None, b"{}")
    assert expected == sign(b"test", "None", b"{}")


def test_sign_protocol_vector() -> None:
    """A signature covers the date and the body (PROTOCOL 2, second vector)."""
    assert SIGNATURE == sign(KEY, DATE, BODY)


@pytest.mark.parametrize(
    "vector", [json.loads(line) for line in VECTORS.read_text("utf-8").splitlines()]
)
def test_signature_vector(vector: dict[str, str]) -> None:
    """Each known signature is reproduced, and accepted."""
    body = vector["body"].encode()

    assert vector["signature"] == sign(vector["key"], vector["date"], body)
    digest = check(
        vector["signature"],
        dates=[vector["date"]],
        body=body,
        keys=(vector["key"].encode(),),
    )
    assert vector["signature"] == f"sha1={digest.hex()}"


@given(key=st.binary(min_size=1), date=st.binary(), body=st.binary())
def test_sign_is_hmac(key: bytes, date: bytes, body: bytes) -> None:
    """A signature is the HMAC of the bytes on the wire, for any bytes."""
    text = date.decode("latin-1")

    for algorithm in ("sha1", "sha256"):
        mac = hmac.digest(key, b"date=" + date + b"\n" + body, algorithm)
        assert f"{algorithm}={mac.hex()}" == sign(key, text, body, algorithm)


@given(key=st.text(min_size=1), date=stripped, body=st.binary())
def test_signed_is_accepted(key: str, date: bytes, body: bytes) -> None:
    """A signed request is accepted, and its digest is the identity."""
    text = date.decode("latin-1").replace(",", "")
    signature = sign(key, text, body)

    digest = check(signature, dates=[text], body=body, keys=(key.encode(),))
    assert signature == f"sha1={digest.hex()}"


@pytest.mark.parametrize("around", [(" ", ""), ("", " "), ("\t ", " \t")])
def test_white_space_around_headers(around: tuple[str, str]) -> None:
    """White space around a header is not part of its value, and was not signed."""
    before, behind = around
    date = f"{before}{DATE}{behind}"

    assert check(SIGNATURE, dates=[date]) == bytes.fromhex(HEX)
    assert check(f"{before}{SIGNATURE}{behind}") == bytes.fromhex(HEX)
    check_freshness(date, NOW, 10, 5)
    authorization = f"{before}{basic_auth('alice', 'wonderland')}{behind}"
    check_credentials([authorization], [pair("alice", "wonderland")])


# The signature


def test_signature_missing() -> None:
    """Without the header, the request is rejected."""
    with pytest.raises(SignatureMissing):
        check()


@pytest.mark.parametrize(
    "signatures",
    [
        pytest.param([""], id="empty"),
        pytest.param(["sha1"], id="no ="),
        pytest.param(["sha1="], id="no digest"),
        pytest.param([f"={HEX}"], id="no algorithm"),
        pytest.param([HEX], id="only the digest"),
        pytest.param([f"sha1=={HEX}"], id="two ="),
        pytest.param([f"sha1={HEX}="], id="= at the end"),
        pytest.param([f"sha1=sha1={HEX}"], id="twice the algorithm"),
        pytest.param([f"sha1= {HEX}"], id="space inside"),
        pytest.param([f"sha1 ={HEX}"], id="space before ="),
        pytest.param([f"sha1={HEX[:20]} {HEX[20:]}"], id="space in the digest"),
        pytest.param([f"sha1={HEX}\n"], id="newline after"),
        pytest.param([f"sha1={HEX}\x00"], id="null after"),
        pytest.param([f"sha1={HEX}00"], id="longer"),
        pytest.param([f"sha1=00{HEX}"], id="longer before"),
        pytest.param([f"sha1={HEX}{HEX}"], id="twice as long"),
        pytest.param([f"sha1={'0' * 10_000}"], id="very long"),
        pytest.param([f"sha1=0x{HEX[2:]}"], id="0x"),
        pytest.param([f"sha1={HEX[:-1]}g"], id="not hexadecimal"),
        pytest.param([f"sha1={HEX[:-1]}\u0661"], id="a digit that is not ASCII"),
        pytest.param([f"\u017fha1={HEX}"], id="a letter that is not ASCII"),
        pytest.param(
            [f"sha1={base64.b64encode(bytes.fromhex(HEX)).decode()}"], id="64"
        ),
        pytest.param([f"sha1={HEX}\udcff"], id="lone surrogate"),
        pytest.param([SIGNATURE, SIGNATURE], id="two headers"),
        pytest.param([SIGNATURE, ""], id="an empty header after"),
        pytest.param([f"{SIGNATURE},{SIGNATURE}"], id="two headers, joined"),
        pytest.param([f"{SIGNATURE}, {SIGNATURE}"], id="two headers, joined wide"),
    ],
)
def test_signature_malformed(signatures: list[str]) -> None:
    """The header must be there once, as an algorithm, one =, and its digits."""
    with pytest.raises(SignatureMalformed):
        check(*signatures)


def test_signature_in_upper_case_is_the_same_delivery() -> None:
    """The digest is compared as bytes: another spelling has the same identity."""
    assert check(SIGNATURE) == check(f"sha1={HEX.upper()}") == bytes.fromhex(HEX)


def test_signature_with_a_bit_flipped_is_refused() -> None:
    """Each of the 160 bits of the digest counts."""
    for bit in range(160):
        digest = (int(HEX, 16) ^ (1 << bit)).to_bytes(20, "big")
        with pytest.raises(SignatureInvalid):
            check(f"sha1={digest.hex()}")


def test_header_with_a_bit_flipped_is_refused() -> None:
    """Each bit of the header matters, except the case of digits."""
    for position, character in enumerate(SIGNATURE):
        for bit in range(8):
            flipped = chr(ord(character) ^ (1 << bit))
            header = SIGNATURE[:position] + flipped + SIGNATURE[position + 1 :]
            if position >= 5 and header.lower() == SIGNATURE:
                continue
            with pytest.raises(RequestRejected):
                check(header)


def test_signature_truncated_is_refused() -> None:
    """No part of a signature is enough, from whichever side it is cut."""
    for length in range(len(SIGNATURE)):
        with pytest.raises(SignatureMalformed):
            check(SIGNATURE[:length])
        with pytest.raises(RequestRejected):
            check(SIGNATURE[length + 1 :])


def test_body_with_a_bit_flipped_is_refused() -> None:
    """Each bit of the body is signed."""
    for bit in range(8 * len(BODY)):
        body = bytearray(BODY)
        body[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureInvalid):
            check(SIGNATURE, body=bytes(body))


@pytest.mark.parametrize(
    "date",
    [
        pytest.param("Thu, 13 Sep 2018 11:48:24 GMT", id="a second later"),
        pytest.param(DATE.lower(), id="other case"),
        pytest.param("", id="empty"),
        pytest.param("None", id="None"),
        pytest.param("\u65e5\u672c", id="not latin-1"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param(f"{DATE}\n{BODY.decode()}", id="with the body in it"),
    ],
)
def test_signature_of_other_date_is_refused(date: str) -> None:
    """The date is signed as text, for any text."""
    with pytest.raises(SignatureInvalid):
        check(SIGNATURE, dates=[date])


@pytest.mark.parametrize("key", [b"", b"xxxxxxxxxx", KEY[:-1], KEY + b"X", b"\xff"])
def test_signature_of_other_key_is_refused(key: bytes) -> None:
    """Only the same key gives the same signature."""
    with pytest.raises(SignatureInvalid):
        check(sign(key, DATE, BODY))


def test_body_that_got_lost_is_named() -> None:
    """A proxy that drops the body is the reason, and not the key."""
    with pytest.raises(SignatureInvalid, match="the request has no body"):
        check(SIGNATURE, body=b"")


def test_signature_without_keys_is_refused() -> None:
    """With no key at all no signature is right."""
    with pytest.raises(SignatureInvalid):
        check(SIGNATURE, keys=())


def test_signature_of_any_key() -> None:
    """Each of several keys is accepted, so that keys can be rotated."""
    for keys in [(KEY, b"b", b"c"), (b"a", KEY, b"c"), (b"a", b"b", KEY)]:
        assert bytes.fromhex(HEX) == check(SIGNATURE, keys=keys)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5", "SHA1", "sha-1", "x"])
def test_signature_algorithm_is_refused_by_name(algorithm: str) -> None:
    """An algorithm that is not accepted is rejected, and named."""
    with pytest.raises(SignatureAlgorithmRefused, match=f"'{algorithm}'"):
        check(f"{algorithm}={HEX}")


def test_signature_algorithm_of_odd_name_is_not_echoed() -> None:
    """An invalid name of an algorithm is malformed, and not shown."""
    for name in ("<script>", "a" * 17, "sha1;", "\u00e9"):
        with pytest.raises(SignatureMalformed) as caught:
            check(f"{name}={HEX}")
        assert name not in str(caught.value)


def test_signature_sha256() -> None:
    """SHA-256 is accepted if it is allowed, with 32 bytes, with SHA-1 or alone."""
    signature = sign(KEY, DATE, BODY, "sha256")
    digest = hmac.digest(KEY, b"date=" + DATE.encode() + b"\n" + BODY, "sha256")

    assert digest == check(signature, algorithms=("sha1", "sha256"))
    assert digest == check(signature, algorithms=("sha256",))
    assert 20 == len(check(SIGNATURE, algorithms=("sha1", "sha256")))
    with pytest.raises(SignatureAlgorithmRefused):
        check(SIGNATURE, algorithms=("sha256",))
    with pytest.raises(SignatureMalformed):
        check(f"sha256={HEX}", algorithms=("sha1", "sha256"))


def test_date_missing() -> None:
    """With a key, a request without date is rejected."""
    with pytest.raises(DateMissing):
        check(SIGNATURE, dates=[])


@pytest.mark.parametrize(
    "dates",
    [
        [DATE, DATE],
        [DATE, ""],
        [f"{DATE}, {DATE}"],
        [f"{DATE},{DATE}"],
        [f"{DATE}, Thu Sep 13 11:48:23 2018"],
    ],
)
def test_date_twice(dates: list[str]) -> None:
    """Two dates are rejected, separate or joined, even if they were signed so."""
    with pytest.raises(DateMalformed):
        check(sign(KEY, dates[0], BODY), dates=dates)


@given(signatures=st.lists(hostile, max_size=2), dates=st.lists(hostile, max_size=2))
def test_hostile_signature(signatures: list[str], dates: list[str]) -> None:
    """Any other headers are rejected, and no other exception is raised."""
    with pytest.raises(RequestRejected):
        check(*signatures, dates=dates, algorithms=("sha1", "sha256"))


# Freshness


@pytest.mark.parametrize("age", [-5, -4.99, 0, 0.5, 9.99, 10])
def test_fresh(age: float) -> None:
    """A request can be ten seconds old, or five seconds in the future."""
    check_freshness(DATE, NOW + age, 10, 5)


@pytest.mark.parametrize("age", [10.01, 11, 3600, 1e9])
def test_too_old(age: float) -> None:
    """An older request is rejected; the error has the clock's skew."""
    with pytest.raises(RequestTooOld) as caught:
        check_freshness(DATE, NOW + age, 10, 5)
    assert -age == pytest.approx(vars(caught.value)["skew"])


def test_less_than_a_second_counts() -> None:
    """The limits need not be whole seconds, nor does the present."""
    with pytest.raises(RequestTooOld):
        check_freshness(DATE, NOW + 0.75, 0.5, 0.5)
    with pytest.raises(RequestFromFuture):
        check_freshness(DATE, NOW - 0.75, 0.5, 0.5)


@pytest.mark.parametrize("ahead", [5.01, 6, 11, 3600, 1e9])
def test_from_future(ahead: float) -> None:
    """A request further in the future is rejected; the error has the clock's skew."""
    with pytest.raises(RequestFromFuture) as caught:
        check_freshness(DATE, NOW - ahead, 10, 5)
    assert ahead == pytest.approx(vars(caught.value)["skew"])


def test_freshness_switched_off() -> None:
    """Without a maximum, every valid date is accepted."""
    for now in (0, NOW, 1e11):
        check_freshness(DATE, now, None, 5)
    with pytest.raises(DateMalformed):
        check_freshness("yesterday", NOW, None, 5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 13 Sep 2018 11:48:23 GMT", NOW),
        ("thu, 13 sep 2018 11:48:23 gmt", NOW),
        ("THU, 13 SEP 2018 11:48:23 GMT", NOW),
        ("Thursday, 13-Sep-18 11:48:23 GMT", NOW),
        ("Thu Sep 13 11:48:23 2018", NOW),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),
        ("Sat, 01 Jan 0001 00:00:00 GMT", -62135596800),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 253402300799),
    ],
)
def test_date_forms(text: str, seconds: int) -> None:
    """The three forms of RFC 9110 are read, in any case."""
    check_freshness(text, seconds, 1e-6, 0)


@pytest.mark.parametrize(
    ("digits", "year"), [("26", 2026), ("76", 2076), ("77", 1977), ("99", 1999)]
)
def test_date_of_two_digits(digits: str, year: int) -> None:
    """A year of two digits is never more than fifty years ahead (RFC 9110)."""
    in_2026 = 1_780_000_000
    with pytest.raises((RequestTooOld, RequestFromFuture)) as caught:
        check_freshness(f"Monday, 01-Jun-{digits} 00:00:00 GMT", in_2026, 1, 1)
    sent = in_2026 + vars(caught.value)["skew"]

    assert year == time.gmtime(sent).tm_year


def test_the_century_is_that_of_the_present() -> None:
    """The given time decides, not the clock."""
    date, new_year_2150 = "Wednesday, 31-Dec-49 23:59:59 GMT", 5_680_281_600
    assert new_year_2150 - 1 == read_date(date, new_year_2150)
    check_freshness(date, new_year_2150, 10, 5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "None",
        "yesterday",
        str(NOW),
        "2018-09-13T11:48:23Z",
        f"{DATE}\n",
        f"{DATE}\x00",
        f"{DATE}, {DATE}",
        f"{DATE},",
        DATE.removesuffix(" GMT"),
        DATE.replace("GMT", "UTC"),
        DATE.replace("GMT", "EST"),
        DATE.replace("GMT", "+0000"),
        DATE.replace("GMT", "-0000"),
        DATE.replace("GMT", "+0200"),
        DATE.replace("GMT", "\uff27MT"),
        DATE.replace("Thu", "Foo"),
        DATE.replace("Thu, ", ""),
        DATE.replace("Sep", "Foo"),
        DATE.replace("Sep", "\u017fep"),
        DATE.replace("13", "00"),
        DATE.replace("13", "31"),
        DATE.replace("13", "32"),
        DATE.replace("13", "3"),
        DATE.replace("13", "\u0661\u0663"),
        DATE.replace("2018", "0000"),
        DATE.replace("2018", "18"),
        DATE.replace("2018", "12018"),
        DATE.replace("2018", "-2018"),
        DATE.replace("2018", "9" * 5000),
        DATE.replace("11:48:23", "24:00:00"),
        DATE.replace("11:48:23", "11:60:23"),
        DATE.replace("11:48:23", "11:48:61"),
        DATE.replace("11:48:23", "11:48"),
        DATE.replace("11:48:23", "99999999999999999999:48:23"),
        "Thu, 29 Feb 2018 11:48:23 GMT",
        "Thu Sep 0 11:48:23 2018",
        "Thu Sep    11:48:23 2018",
        "Thursday, 13-Sep-2018 11:48:23 GMT",
        "\ud800",
        "\u65e5\u672c",
    ],
)
def test_date_malformed(text: str) -> None:
    """Anything but one HTTP date in GMT is rejected."""
    with pytest.raises(DateMalformed):
        check_freshness(text, NOW, 10, 5)


@given(seconds=st.integers(0, 253402300799), age=st.floats(0.001, 1e6))
def test_any_date(seconds: int, age: float) -> None:
    """Each date there can be is read right, up to the second."""
    date = formatdate(seconds, usegmt=True)
    asctime = time.asctime(time.gmtime(seconds))

    for text in (date, asctime):
        check_freshness(text, seconds, 1e-6, 0)
        check_freshness(text, seconds + age, age + 0.001, 0)
        with pytest.raises(RequestTooOld):
            check_freshness(text, seconds + 1 + age, 0.5, 0)
        with pytest.raises(RequestFromFuture):
            check_freshness(text, seconds - 1 - age, 0.5, 0.5)


@given(
    hostile
    | st.from_regex(
        r"\A\w{3}, \d{1,3} \w{3} \d{1,5} \d{1,3}:\d{1,3}:\d{1,3} (GMT|\w+)\Z"
    )
)
def test_hostile_date(text: str) -> None:
    """Any other header is rejected, and no other exception is raised."""
    with pytest.raises(RequestRejected):
        check_freshness(text, 4e11, 10, 5)


# Credentials


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("_bot", "password"),
        ("user", "password"),
        ("user", "pass:word:"),
        ("user", ":"),
        ("us er", " pass word "),
        ("\u00e9l\u00e8ve", "\u65e5\u672c\U0001f600"),
        (b"\xff\xfe", b"\x80:\x00"),
    ],
)
def test_credentials(username: str | bytes, password: str | bytes) -> None:
    """The right pair is accepted, as text in UTF-8 or as bytes."""
    check_credentials([basic_auth(username, password)], [pair(username, password)])


def test_credentials_of_any_pair() -> None:
    """Each of several pairs is accepted, but nothing mixed of two."""
    pairs = [pair("new", "1"), pair("old", "2")]

    check_credentials([basic_auth("new", "1")], pairs)
    check_credentials([basic_auth("old", "2")], pairs)
    with pytest.raises(CredentialsInvalid):
        check_credentials([basic_auth("new", "2")], pairs)


def test_credentials_missing() -> None:
    """Without the header, the request is rejected with a challenge."""
    with pytest.raises(CredentialsMissing) as caught:
        check_credentials([], [pair("user", "password")])
    assert not isinstance(caught.value, CredentialsInvalid)
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic ")


RIGHT = basic_auth("user", "password")


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param([""], id="empty"),
        pytest.param(["Basic"], id="only the scheme"),
        pytest.param(["Basic "], id="no credentials"),
        pytest.param([RIGHT.removeprefix("Basic ")], id="no scheme"),
        pytest.param([RIGHT.replace("Basic", "Bearer")], id="another scheme"),
        pytest.param([RIGHT.replace("Basic", "B\u0430sic")], id="not ASCII"),
        pytest.param([RIGHT.replace(" ", "\t")], id="tab"),
        pytest.param([RIGHT[:-1]], id="truncated"),
        pytest.param([RIGHT.rstrip("=")], id="no padding"),
        pytest.param([f"{RIGHT}="], id="too much padding"),
        pytest.param([f"{RIGHT}AAAA"], id="after the padding"),
        pytest.param([RIGHT.replace("Basic ", "Basic \n")], id="newline"),
        pytest.param([f"{RIGHT[:10]} {RIGHT[10:]}"], id="space inside"),
        pytest.param(["Basic user:password"], id="not encoded"),
        pytest.param(["Basic \u00e9\u00e9\u00e9\u00e9"], id="no base 64"),
        pytest.param(["Basic \ud800"], id="lone surrogate"),
        pytest.param([f"{RIGHT},{RIGHT}"], id="two headers, joined"),
        pytest.param([RIGHT, RIGHT], id="two headers"),
        pytest.param([basic_auth("user", "")], id="no password"),
        pytest.param([basic_auth("", "password")], id="no user name"),
        pytest.param([basic_auth("", "")], id="only the colon"),
        pytest.param([basic_auth("user", "Password")], id="wrong password"),
        pytest.param([basic_auth("user", "password ")], id="longer password"),
        pytest.param([basic_auth("user", "passwor")], id="shorter password"),
        pytest.param([basic_auth("User", "password")], id="wrong user name"),
        pytest.param(
            [f"Basic {base64.b64encode(b'userpassword').decode()}"], id="no colon"
        ),
    ],
)
def test_credentials_invalid(authorization: list[str]) -> None:
    """Anything but one Basic header with the right pair is rejected."""
    with pytest.raises(CredentialsInvalid) as caught:
        check_credentials(authorization, [pair("user", "password")])
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    "header", [RIGHT.lower()[:5] + RIGHT[5:], f"BASIC  {RIGHT[6:]}"]
)
def test_credentials_scheme_in_any_case(header: str) -> None:
    """The name of the scheme has no case, and spaces may follow it (RFC 9110)."""
    check_credentials([header], [pair("user", "password")])


@given(
    st.lists(
        hostile
        | hostile.map(lambda text: f"Basic {text}")
        | st.binary().map(lambda raw: f"Basic {base64.b64encode(raw).decode()}"),
        max_size=2,
    )
)
def test_hostile_credentials(authorization: list[str]) -> None:
    """Any other header is rejected, and no other exception is raised."""
    with pytest.raises(CredentialsMissing):
        check_credentials(authorization, [pair("user", "a password nobody guesses")])


@given(username=st.text().map(lambda text: text.replace(":", "")), password=st.text())
def test_any_credentials(username: str, password: str) -> None:
    """Whatever the pair, its own header is accepted and another one is not."""
    check_credentials([basic_auth(username, password)], [pair(username, password)])
    with pytest.raises(CredentialsInvalid):
        check_credentials(
            [basic_auth(username, password + "x")], [pair(username, password)]
        )


# The weaknesses of clustaar.webhook (PROTOCOL 2)


class Counted(Secret):
    """A secret that counts how many times it was read."""

    count = 0

    def reveal(self) -> bytes:
        self.count += 1
        return super().reveal()


def test_weakness_comparison_stops_early() -> None:
    """All keys and pairs are compared, also after one that matches."""
    keys = [Counted(KEY), Counted(b"b"), Counted(b"c")]
    check_signature([SIGNATURE], [DATE], BODY, keys, ["sha1"])
    assert [1, 1, 1] == [key.count for key in keys]

    passwords = [Counted(b"1"), Counted(b"2"), Counted(b"3")]
    pairs = [Credentials(Secret(b"user"), password) for password in passwords]
    check_credentials([basic_auth("user", "1")], pairs)
    assert [1, 1, 1] == [password.count for password in passwords]


def test_weakness_absent_date_is_signed_as_none() -> None:
    """A signature of the text None opens nothing, with or without that text."""
    signature = sign(KEY, None, BODY)

    with pytest.raises(DateMissing):
        check(signature, dates=[])
    check(signature, dates=["None"])
    with pytest.raises(DateMalformed):
        check_freshness("None", NOW, 10, 5)


def test_weakness_absent_or_odd_date_is_a_500() -> None:
    """A missing or invalid date is the client's error."""
    with pytest.raises(DateMissing) as absent:
        check(SIGNATURE, dates=[])
    with pytest.raises(DateMalformed) as odd:
        check_freshness("Thu, 99 Foo 2018", NOW, 10, 5)
    assert 400 == absent.value.code == odd.value.code


def test_weakness_future_is_accepted_indefinitely() -> None:
    """A date in the future is rejected, so that it cannot be used later."""
    for ahead in (11, 86_400, 10**9):
        with pytest.raises(RequestFromFuture):
            check_freshness(formatdate(NOW + ahead, usegmt=True), NOW, 10, 5)


def test_weakness_body_not_utf8_is_a_500() -> None:
    """The body is signed as bytes, for any bytes."""
    body = b'{"a": "\xff\xfe\xed\xa0\x80"}'

    assert hashlib.sha1().digest_size == len(check(sign(KEY, DATE, body), body=body))
    with pytest.raises(SignatureInvalid):
        check(SIGNATURE, body=body)


def test_weakness_password_with_colon_never_matches() -> None:
    """The first colon ends the user name; all others are the password's."""
    check_credentials([basic_auth("user", "a:b:c")], [pair("user", "a:b:c")])


def test_weakness_no_challenge() -> None:
    """Missing or wrong credentials get 401 with a challenge."""
    for authorization in ([], ["Basic !"], [basic_auth("user", "wrong")]):
        with pytest.raises(CredentialsMissing) as caught:
            check_credentials(authorization, [pair("user", "password")])
        assert 401 == caught.value.code
        assert "Basic" in caught.value.headers["WWW-Authenticate"]
