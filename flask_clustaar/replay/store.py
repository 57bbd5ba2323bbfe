"""What a replay store promises."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable


class Claim(NamedTuple):
    """The answer of a store to a request that wants to handle a delivery."""

    delivery: str
    #: Tells this claim from earlier and later ones of the same delivery. Empty unless
    #: the delivery is ``mine``.
    token: str
    #: ``mine``: handle the delivery, then complete or release the claim. ``running``:
    #: another request handles it now. ``done``: it was handled, and :attr:`reply` is
    #: its reply.
    state: Literal["mine", "running", "done"]
    reply: bytes | None = None

    @classmethod
    def of_another(cls, delivery: str, reply: bytes | None) -> Claim:
        """Return the claim on a delivery that another request handles or handled."""
        return cls(delivery, "", "running" if reply is None else "done", reply)


@runtime_checkable
class ReplayStore(Protocol):
    """Where deliveries are recorded.

    Every object with these three methods can be the ``CLUSTAAR_REPLAY_STORE``. Several
    threads call them at once. A failure of the database behind the store must be
    raised as a :exc:`.ReplayStoreError`.
    """

    def claim(self, delivery: str, *, lease: float) -> Claim:
        """Claim a delivery atomically: exactly one caller gets ``mine``.

        A claim that is neither completed nor released ends with its lease, so that
        the delivery of a killed worker can run again.

        :param delivery: the identity of the delivery, ASCII.
        :param lease: for how many seconds other callers get ``running``.
        """
        ...

    def complete(self, claim: Claim, reply: bytes, *, lifetime: float) -> None:
        """Record the reply of a delivery: later callers get ``done``.

        Do nothing if another request has claimed the delivery since. A lease that
        ended without another claim does not matter.

        :param claim: a claim that was ``mine``.
        :param reply: the reply that later callers get.
        :param lifetime: for how many seconds to keep the record.
        """
        ...

    def release(self, claim: Claim) -> None:
        """Delete the record of a delivery that failed, so that it can run again.

        Do nothing if another request has claimed it since, or if it is completed.

        :param claim: a claim that was ``mine``.
        """
        ...
