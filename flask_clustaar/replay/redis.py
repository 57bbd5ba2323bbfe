"""The replay store in Redis, for several machines."""

from __future__ import annotations

import secrets
import socket
import weakref
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from ..errors import ConfigurationError, ReplayStoreError
from .later import Later
from .store import Claim

T = TypeVar("T")


class RedisReplayStore:
    """Records deliveries in Redis, for several machines.

    It connects at the first delivery, and reconnects automatically. The timeout of a
    command is two seconds; ``?socket_timeout=`` and ``&socket_connect_timeout=`` in the
    URL change it. A failed command is retried once on a new connection; all commands
    are idempotent. If the retry fails, completing and releasing a claim continue in the
    background for a minute, so that a failed request does not block its delivery.

    A record says that a delivery is running, done or free. Released deliveries are
    recorded as free. So a claim that the network delays until after its release finds a
    record, and has no effect.

    :param url: a URL for redis-py: ``redis://``, ``rediss://`` or ``unix://``.
    :raises ConfigurationError: if redis-py is not installed or rejects the URL.
    """

    _RUNNING: Final = b"running:"
    _DONE: Final = b"done:"
    _FREE: Final = b"free:"

    def __init__(self, url: str) -> None:
        self._client = _client(url)
        # Not all versions of redis-py do this.
        disconnect = self._client.connection_pool.disconnect
        weakref.finalize(self, disconnect).atexit = False
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
            # None if the record has just expired. The next request can claim it.
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
            # Redis may have recorded the claim, or may still do so.
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
        """Return a call that replaces the record of a claim."""
        key, running = self._key(claim.delivery), self._RUNNING + claim.token.encode()
        arguments = running, record, _milliseconds(seconds), self._FREE
        return lambda: self._run(_END, key, *arguments)

    @staticmethod
    def _key(delivery: str) -> str:
        return f"clustaar:delivery:{delivery}"

    def _run(self, script: str, key: str, *arguments: bytes | int) -> object:
        # Not by the script's digest, which requires a second call if Redis has
        # dropped the script.
        return self._client.eval(script, 1, key, *arguments)

    def _twice(self, attempt: Callable[[], T]) -> T:
        """Call a function, and retry once if it fails.

        There is no pause and no third attempt, because the platform waits.
        """
        try:
            return attempt()
        except Exception:
            # The idle connections of the pool are probably also broken.
            self._client.connection_pool.disconnect(inuse_connections=False)
        try:
            return attempt()
        except Exception as error:  # Options in the URL can cause any exception.
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
            "The replay store requires the package 'redis'. "
            'Install it with: pip install "Flask-Clustaar[redis]"'
        ) from error
    options: dict[str, Any] = {"socket_timeout": 2, "socket_connect_timeout": 2}
    try:
        # This connection is never opened. Creating it reports errors in the URL now,
        # and not at the first delivery.
        redis.ConnectionPool.from_url(url).make_connection()
        parts = urlsplit(url)
        database = parts.path.strip("/")
        if parts.scheme != "unix":
            options |= _KEEP_ALIVE
            int(database or 0)
        client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)
    except Exception:  # Its message may contain parts of the password.
        raise ConfigurationError(
            "The URL of the replay store is invalid. Write it as "
            "'redis://user:password@host:6379/0', and percent-encode special "
            "characters of the password."
        ) from None
    return client


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


#: How long to retry completing or releasing a claim, in seconds.
_FINISH_WITHIN: Final = 60
#: The lifetime of a free record, in seconds. After that time, a delayed claim is for a
#: delivery that is no longer fresh.
_KEEP_FREE: Final = 60

#: Load balancers and NAT silently drop idle connections after some minutes. TCP
#: keep-alive probes each minute, and closes a connection after three missing answers.
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

# All scripts are idempotent.
# KEYS: the delivery; ARGV: the record of the claim, the one that replaces it, its
# lifetime, the prefix of free records. A free record is also replaced, so that a
# delayed claim that saw it finds another one.
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
