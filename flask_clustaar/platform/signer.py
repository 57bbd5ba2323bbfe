"""Sign requests as the platform does, or with one mistake on purpose."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from werkzeug.http import http_date

from ..security import basic_auth, sign
from ..settings import Settings

#: Signs requests that must be rejected.
WRONG_KEY: Final = b"not the private key"
WRONG_PASSWORD: Final = b"not the password"


class Delivery(NamedTuple):
    """A signed request. Send it again for a repeated delivery."""

    body: bytes
    headers: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Signer:
    """Signs requests for a webhook::

        signer = Signer(settings)
        accepted = signer.deliver(body)
        rejected = signer.stale().deliver(body)

    :meth:`stale`, :meth:`future`, :meth:`undated`, :meth:`unsigned`, :meth:`forged` and
    :meth:`wrong_password` each return a signer that makes one mistake.

    :param settings: the settings of the webhook.
    :param key: the private key. Default: the first one of the settings.
    :param username: the user name. Default: the first one of the settings.
    :param password: the password. Default: the first one of the settings.
    :param date: the text of the date, or an offset from now in seconds; None for no
        date.
    :param signed: False for no signature.
    """

    settings: Settings
    key: bytes | str | None = dataclasses.field(default=None, repr=False)
    username: bytes | str | None = dataclasses.field(default=None, repr=False)
    password: bytes | str | None = dataclasses.field(default=None, repr=False)
    date: str | float | None = 0
    signed: bool = True

    def deliver(
        self, body: bytes, headers: Mapping[str, str | None] | None = None
    ) -> Delivery:
        """Return a request with *body*, signed now.

        :param headers: headers to replace before the request is signed; None removes a
            header.
        """
        date_header = self.settings.date_header.title()
        wanted: dict[str, str | None] = {
            "Content-Type": "application/json",
            date_header: self._date(),
            "Authorization": self._authorization(),
        }
        given = {name.title(): value for name, value in (headers or {}).items()}
        wanted |= given
        if "X-Hub-Signature" not in given:
            wanted["X-Hub-Signature"] = self._signature(wanted[date_header], body)
        sent = {name: value for name, value in wanted.items() if value is not None}
        return Delivery(body, sent)

    # -- mistakes ----------------------------------------------------------------------

    def stale(self) -> Self:
        """Return a signer whose requests are too old."""
        age = self.settings.request_max_age or 0
        return dataclasses.replace(self, date=-age - 60)

    def future(self) -> Self:
        """Return a signer whose requests are dated in the future."""
        return dataclasses.replace(self, date=self.settings.clock_skew + 60)

    def undated(self) -> Self:
        """Return a signer whose requests have no date."""
        return dataclasses.replace(self, date=None)

    def unsigned(self) -> Self:
        """Return a signer whose requests have no signature."""
        return dataclasses.replace(self, signed=False)

    def forged(self) -> Self:
        """Return a signer with another private key."""
        return dataclasses.replace(self, key=WRONG_KEY)

    def wrong_password(self) -> Self:
        """Return a signer with another password."""
        return dataclasses.replace(self, password=WRONG_PASSWORD)

    # -- the headers -------------------------------------------------------------------

    def _date(self) -> str | None:
        if self.date is None or isinstance(self.date, str):
            return self.date
        return http_date(time.time() + self.date)

    def _signature(self, date: str | None, body: bytes) -> str | None:
        key = self.key
        if key is None and self.settings.keys:
            key = self.settings.keys[0].reveal()
        if key is None or not self.signed:
            return None
        return sign(key, date, body, self.settings.signature_algorithms[0])

    def _authorization(self) -> str | None:
        username, password = self.username, self.password
        for pair in self.settings.pairs[:1]:
            username = pair.username.reveal() if username is None else username
            password = pair.password.reveal() if password is None else password
        if username is None and password is None:
            return None
        return basic_auth(username or "", password or "")


def distinct(body: bytes) -> bytes:
    """Return *body* with white space at its end that makes it unique.

    Body and date identify a delivery, and dates have a resolution of one second. So two
    deliveries within one second need different bodies.
    """
    mark = f"{secrets.randbits(64):b}".translate({0x30: " ", 0x31: "\t"})
    return body + mark.encode()
