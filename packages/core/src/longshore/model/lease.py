"""Our claim on one rented machine, from before the launch until its end is confirmed: what costs money.

::

    intended ──> requested ──> known ──> ready ──> draining ──> ending ──> absent
        ^            │           ^         │
        └─ refused ──┘           └─ stopped┘

``absent`` is reached from anywhere, but only with evidence; `LeasePhase` says what each phase means.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from attrs import evolve, field, frozen
from attrs.validators import ge, min_len

from longshore.model.lease_phase import LeasePhase
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer, Price
from longshore.model.times import aware

__all__ = ["Evidence", "Lease", "LeasePhase", "Proof", "derive", "launch_token"]

_TOKEN_LENGTH = 40
"""Hex digits, 160 bits: fits into the shortest idempotency keys and tag values of the clouds (61 to 64 characters)."""


_NEXT: Mapping[LeasePhase, frozenset[LeasePhase]] = MappingProxyType(
    {
        LeasePhase.INTENDED: frozenset({LeasePhase.REQUESTED}),
        LeasePhase.REQUESTED: frozenset({LeasePhase.KNOWN, LeasePhase.ENDING}),
        LeasePhase.KNOWN: frozenset({LeasePhase.READY, LeasePhase.STOPPED, LeasePhase.DRAINING, LeasePhase.ENDING}),
        LeasePhase.READY: frozenset({LeasePhase.STOPPED, LeasePhase.DRAINING, LeasePhase.ENDING}),
        LeasePhase.STOPPED: frozenset({LeasePhase.KNOWN, LeasePhase.ENDING}),
        LeasePhase.DRAINING: frozenset({LeasePhase.ENDING}),
        LeasePhase.ENDING: frozenset(),
        LeasePhase.ABSENT: frozenset(),
    }
)


class Proof(StrEnum):
    """What shows that a lease has no machine."""

    NEVER_REQUESTED = "never requested"
    """The intent is there, and no call was made under its token."""
    REFUSED = "refused"
    """The cloud has answered the only call that was made, and said no."""
    NOT_LISTED = "not listed"
    """Twice, and late enough, the cloud has listed what we have there, and the machine was not in it."""
    HANDED_OVER = "handed over"
    """The machine goes on under another lease."""


@frozen(kw_only=True)
class Evidence:
    """Why a lease is absent."""

    proof: Proof
    text: str = field(validator=min_len(1))
    """What the cloud said, or when it was asked."""
    at: datetime = field(validator=aware)


@frozen(kw_only=True)
class Lease:
    """What is known of one claim. `become`, `requested` and `retried` are the ways on."""

    id: str = field(validator=min_len(1))
    provider: str = field(validator=min_len(1))
    account: str
    """The account that pays; the lease's absence can only be seen there."""
    spec: MachineSpec
    """What was intended. Its boot script is the text before derived secrets are put in."""
    launch: int = field(default=1, validator=ge(1))
    """Which launch attempt this is: one more after each refusal, and then with another token."""
    phase: LeasePhase = LeasePhase.INTENDED
    machine: str = ""
    """The cloud's id of the machine, once known."""
    price: Price | None = None
    """That of the machine obtained, which may not be the offer's."""
    since: datetime = field(validator=aware)
    """When the present phase began."""
    requested_at: datetime | None = field(default=None, validator=aware)
    """When the present launch was asked for first: from then on it may cost."""
    asked_at: datetime | None = field(default=None, validator=aware)
    """When it was asked for last: from then on its machine may turn up."""
    beat_at: datetime | None = field(default=None, validator=aware)
    """When a controller last attended to the machine."""
    misses: tuple[datetime, ...] = ()
    """When the cloud's list lacked it, late enough to count; empty again as soon as it is seen."""
    evidence: Evidence | None = None
    kept: bool = False
    """Its run has ended and has left it to the next run of its project, until its end time."""

    @property
    def living(self) -> bool:
        """Whether it may still cost money."""
        return self.phase is not LeasePhase.ABSENT

    @property
    def free(self) -> bool:
        """Whether a run of the project may take the machine: an earlier one has kept it, or it was rented by hand."""
        return (self.kept or not self.spec.run) and self.phase in {LeasePhase.READY, LeasePhase.STOPPED}

    @property
    def may_have_machine(self) -> bool:
        """Whether anything was asked of the cloud that is not proven to be over."""
        return self.phase not in {LeasePhase.INTENDED, LeasePhase.ABSENT}

    @property
    def best_price(self) -> Price | None:
        """The price of the machine obtained or, before there is one, of the offer."""
        return self.price or self.spec.offer.price

    @property
    def unattended_at(self) -> datetime:
        """When the machine ends itself if nobody attends to it from now on."""
        return (self.beat_at or self.since) + self.spec.unattended

    def become(self, phase: LeasePhase, *, at: datetime, evidence: Evidence | None = None) -> Lease:
        """Take the lease to another phase; to the present one is allowed and changes nothing.

        Raises:
            ValueError: when the one does not follow the other, or absence is claimed without evidence that fits.
        """
        if phase is self.phase:
            return self
        if phase is LeasePhase.ABSENT:
            self._check_evidence(evidence)
        elif phase not in _NEXT[self.phase]:
            raise ValueError(f"lease {self.id} is {self.phase}, from where it cannot become {phase}")
        return evolve(self, phase=phase, since=at, evidence=evidence, misses=())

    def handed_over(self, name: str, run: str, pool: str, *, at: datetime) -> Lease:
        """Give the lease under which another run goes on with a machine that was kept.

        Raises:
            ValueError: when it was not kept, or is on its way out.
        """
        if not self.free:
            raise ValueError(f"lease {self.id} is {self.phase} and was not left to another run")
        phase = LeasePhase.KNOWN if self.phase is LeasePhase.READY else self.phase
        spec = evolve(self.spec, run=run, pool=pool)
        # Its machine was asked for when it was: what an earlier call has made may still turn up after that.
        return evolve(self, id=name, spec=spec, phase=phase, since=at, requested_at=at, beat_at=at, kept=False)

    def requested(self, *, at: datetime) -> Lease:
        """Note that the call is made now, the first time or again under the same token.

        Raises:
            ValueError: when the lease is past its request.
        """
        return evolve(
            self.become(LeasePhase.REQUESTED, at=at), requested_at=self.requested_at or at, asked_at=at, misses=()
        )

    def retried(self, offer: Offer, *, at: datetime, refusal: Evidence) -> Lease:
        """Intend another launch after the cloud has refused the last one, maybe of another offer; with another token.

        Raises:
            ValueError: when no launch has been asked for, or the evidence is no refusal.
        """
        if self.phase is not LeasePhase.REQUESTED or refusal.proof is not Proof.REFUSED:
            raise ValueError(f"lease {self.id} is {self.phase}; only a launch that was refused is tried again")
        spec = evolve(self.spec, offer=offer)
        return evolve(
            self,
            spec=spec,
            launch=self.launch + 1,
            phase=LeasePhase.INTENDED,
            since=at,
            requested_at=None,
            asked_at=None,
            misses=(),
        )

    def _check_evidence(self, evidence: Evidence | None) -> None:
        if evidence is None:
            raise ValueError(f"lease {self.id} cannot be absent without evidence")
        asked = self.phase is not LeasePhase.INTENDED
        fits = {
            Proof.NEVER_REQUESTED: not asked,
            Proof.REFUSED: self.phase is LeasePhase.REQUESTED,
            Proof.NOT_LISTED: asked and len(self.misses) >= 2,
            Proof.HANDED_OVER: self.free,
        }
        if not fits[evidence.proof]:
            raise ValueError(
                f"lease {self.id} is {self.phase} and missed {len(self.misses)} times; "
                f"{evidence.proof.value!r} does not prove that it has no machine"
            )


def launch_token(secret: bytes, ledger: str, lease: str, launch: int) -> str:
    """Give the key of one launch attempt: the same for the same attempt, and not to be guessed without the secret."""
    return derive(secret, f"launch\n{ledger}\n{lease}\n{launch}").hex()[:_TOKEN_LENGTH]


def derive(secret: bytes, purpose: str) -> bytes:
    """Derive 32 secret bytes for a purpose, so that a repeated request is identical and nothing secret is stored."""
    return hmac.new(secret, purpose.encode(), hashlib.sha256).digest()
