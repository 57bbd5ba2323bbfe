"""The interface of replay stores."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable


class Claim(NamedTuple):
    """The answer of a store to a claim."""

    delivery: str
    #: Distinguishes this claim from others of the same delivery. Empty unless the state
    #: is ``mine``.
    token: str
    #: ``mine``: handle the delivery, then complete or release the claim. ``running``:
    #: another request is handling it. ``done``: it was handled, and :attr:`reply` is
    #: the recorded reply.
    state: Literal["mine", "running", "done"]
    reply: bytes | None = None

    @classmethod
    def of_another(cls, delivery: str, reply: bytes | None) -> Claim:
        """Return a claim for a delivery that another request handles or has handled."""
        return cls(delivery, "", "running" if reply is None else "done", reply)


@runtime_checkable
class ReplayStore(Protocol):
    """The interface of replay stores.

    Any object with these three methods can be the ``CLUSTAAR_REPLAY_STORE``. The
    methods must be thread-safe, and raise :exc:`.ReplayStoreError` if the database
    fails.
    """

    def claim(self, delivery: str, *, lease: float) -> Claim:
        """Claim a delivery atomically: exactly one caller gets ``mine``.

        A claim that is neither completed nor released expires with its lease, so that
        the delivery of a killed worker can run again.

        :param delivery: the identity of the delivery, as an ASCII text.
        :param lease: how long other callers get ``running``, in seconds.
        """
        ...

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        """Record the reply of a delivery; later callers get ``done``.

        Must do nothing if another request has claimed the delivery in the meantime. An
        expired lease without another claim does not matter.

        :param claim: a claim that was ``mine``.
        :param reply: the reply for later callers.
        :param lifetime: how long to keep the record, in seconds.
        """
        ...

    def release(self, claim: Claim) -> None:
        """Delete the record of a delivery that failed, so that it can run again.

        Must do nothing if another request has claimed it in the meantime, or if it is
        completed.

        :param claim: a claim that was ``mine``.
        """
        ...
