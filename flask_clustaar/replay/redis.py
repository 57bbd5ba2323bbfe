"""Record deliveries in Redis, for several machines."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from ..errors import ConfigurationError, ReplayStoreError
from .later import Later
from .store import Claim

T = TypeVar("T")


class RedisReplayStore:
    """Record deliveries in Redis, for several machines.

    It connects when first needed, and reconnects by itself. A command may take two
    seconds, unless the URL says ``?socket_timeout=`` and ``&socket_connect_timeout=``.
    A command that fails is sent once more on a new connection; each has the same
    effect twice as once. What fails then is repeated in the background for a minute,
    so that no delivery stays claimed by a request that was answered with an error.

    A record says that a delivery is running, done or free. A released delivery is
    recorded as free, so that a claim that reaches Redis after its release, since the
    network held it up, finds a record and does nothing.

    :param url: a URL as redis-py reads it: ``redis://``, ``rediss://``, ``unix://``.
    :raises ConfigurationError: if redis-py is not installed or refuses the URL.
    """

    _RUNNING: Final = b"running:"
    _DONE: Final = b"done:"
    _FREE: Final = b"free:"

    def __init__(self, url: str) -> None:
        self._client = _client(url)
        self._later = Later()
        options = self._client.get_connection_kwargs()
        options["decode_responses"] = False  # Replies are bytes.
        host, port = options.get("host", "localhost"), options.get("port", 6379)
        self._address = options.get("path") or f"{host}:{port}"

    def __str__(self) -> str:
        return f"Redis at '{self._address}'"

    def claim(self, delivery: str, *, lease: float) -> Claim:
        token = secrets.token_hex(16)
        mine = Claim(delivery, token, "mine")
        key, running = self._key(delivery), self._RUNNING + token.encode()
        milliseconds = _milliseconds(lease)

        def attempt() -> Claim:
            if self._client.set(key, running, nx=True, px=milliseconds):
                return mine
            # None if the record ended in between; the next request can claim it.
            value = self._client.get(key) or self._RUNNING
            if value == running:  # The answer to the first attempt was lost.
                return mine
            if value.startswith(self._FREE):
                taken = self._run(_TAKE, key, value, running, milliseconds)
                return mine if taken else Claim.of_another(delivery, None)
            done = value.startswith(self._DONE)
            reply = value.removeprefix(self._DONE) if done else None
            return Claim.of_another(delivery, reply)

        try:
            return self._twice(attempt)
        except ReplayStoreError:
            # Redis may have recorded a claim that nobody knows of, or may yet do so.
            release = self._ending(mine, self._FREE + token.encode(), _KEEP_FREE)
            self._later.add(lambda: self._twice(release), seconds=lease)
            raise

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        if claim.state == "mine":
            self._end(claim, self._DONE + reply, lifetime)

    def release(self, claim: Claim) -> None:
        if claim.state == "mine":
            self._end(claim, self._FREE + claim.token.encode(), _KEEP_FREE)

    def _end(self, claim: Claim, record: bytes, seconds: float) -> None:
        attempt = self._ending(claim, record, seconds)
        try:
            self._twice(attempt)
        except ReplayStoreError:
            self._later.add(lambda: self._twice(attempt), seconds=_FINISH_WITHIN)
            raise

    def _ending(
        self, claim: Claim, record: bytes, seconds: float
    ) -> Callable[[], object]:
        """Return what replaces the record of a claim."""
        key, running = self._key(claim.delivery), self._RUNNING + claim.token.encode()
        arguments = running, record, _milliseconds(seconds), self._FREE
        return lambda: self._run(_END, key, *arguments)

    @staticmethod
    def _key(delivery: str) -> str:
        return f"clustaar:delivery:{delivery}"

    def _run(self, script: str, key: str, *arguments: bytes | int) -> object:
        # Not by the script's digest: that would need a second answer if Redis has
        # forgotten it.
        return self._client.eval(script, 1, key, *arguments)

    def _twice(self, attempt: Callable[[], T]) -> T:
        """Return what an attempt gives, or the second one if the first fails.

        A sender waits, so there is no third attempt and no pause.
        """
        try:
            return attempt()
        except Exception:
            # What broke one connection may have broken those that wait for their use.
            self._client.connection_pool.disconnect(inuse_connections=False)
        try:
            return attempt()
        except Exception as error:  # Including what an odd option of the URL causes.
            raise ReplayStoreError(
                f"The replay store in {self} failed: {type(error).__name__}."
            ) from error


def _client(url: str) -> Any:
    """Return a client that has not connected yet."""
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ConfigurationError(
            "The replay store needs the package 'redis'. "
            'Install it with: pip install "Flask-Clustaar[redis]"'
        ) from error
    options: dict[str, Any] = {"socket_timeout": 2, "socket_connect_timeout": 2}
    try:
        # This connection is never used: what is wrong in the URL would otherwise show
        # at the first delivery, and a database that is not a number never.
        redis.ConnectionPool.from_url(url).make_connection()
        parts = urlsplit(url)
        database = parts.path.strip("/")
        if parts.scheme != "unix":
            options |= _KEEP_ALIVE
            int(database or 0)
        client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
    except Exception:  # Its message may contain a part of the password.
        raise ConfigurationError(
            "The URL of the replay store is not one that redis-py can read. Write "
            "it as 'redis://user:password@host:6379/0', with special characters "
            "of the password percent-encoded."
        ) from None
    return client


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


#: For how many seconds to try to record how a delivery ended.
_FINISH_WITHIN: Final = 60
#: For how many seconds a delivery is recorded as free. A claim that was held up longer
#: claims a delivery that is no longer fresh.
_KEEP_FREE: Final = 60

#: Balancers and NAT forget an idle connection after some minutes, without a word. The
#: system asks each minute, and closes a connection that gives no answer three times.
_KEEP_ALIVE: Final = {
    "socket_keepalive": True,
    "socket_keepalive_options": {
        getattr(socket, name): value
        for name, value in {
            "TCP_KEEPIDLE": 60,
            "TCP_KEEPINTVL": 10,
            "TCP_KEEPCNT": 3,
        }.items()
        if hasattr(socket, name)
    },
}

# Each of these can be run twice, with the same result as once.
# KEYS: the delivery; ARGV: the record of the claim, the one that replaces it, its
# lifetime, how free records begin. A free one is replaced as well, so that a claim
# that saw it, and is late, finds another one.
_END: Final = """
local held = redis.call('GET', KEYS[1])
if not held or held == ARGV[1] or held:sub(1, #ARGV[4]) == ARGV[4] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
"""

# ARGV: the free record that was seen, the record of the claim, its lease.
_TAKE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
