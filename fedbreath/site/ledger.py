"""The privacy ledger: what a site has spent, written down before it is spent.

It belongs to whoever adds the noise and lies on that machine's disk, outside anything that
Flower keeps; one file for each site and privacy domain (the persons that a budget is for).
A release is made in this order:

.. code-block:: python

    reserved = ledger.reserve(release)    # on disk, or refused; from here on it is spent
    ...                                   # draw, compute, add noise
    ledger.commit(reserved, reply_sha256) # the reply is stored: sending it again is free

There is no refund: what was reserved is spent, whether or not anything came of it. Doing a
round again draws new noise and is a new reservation.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fedbreath.errors import BudgetError, LedgerError, PrivacyError
from fedbreath.privacy.accounting import COARSE, epsilon
from fedbreath.privacy.terms import Bound, Event
from fedbreath.site.chain import Chain, Head, Record, beside, head
from fedbreath.site.records import (
    Budget,
    Release,
    Reservation,
    budget_of,
    check,
    events_of,
    fits,
    never_committed,
    of_kind,
)


class Ledger:
    """The ledger of one site and one privacy domain.

    Args:
        folder: Where it lies, on the site's disk.
        second: Another folder, better on another disk, for a copy of its head.
        site: The site.
        domain: The privacy domain.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        second: Path,
        site: str,
        domain: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name in (site, domain):
            if not re.fullmatch(r"[\w-]+", name):
                raise LedgerError(f"a ledger's name has letters, digits, - and _ only: {name!r}")
        if folder.resolve() == second.resolve():
            raise LedgerError(f"the second folder must be another one than {folder}")
        self.path = folder / f"{site}.{domain}.jsonl"
        self.site, self.domain = site, domain
        self._chain = Chain(self.path, (beside(self.path), second / beside(self.path).name))
        self._clock = clock

    def create(self, budget: Budget) -> None:
        """Begin a ledger; once in a domain's life.

        Raises:
            LedgerError: There is one, or a head of one is left.
        """
        with self._chain.held() as records:
            if records:
                raise LedgerError(f"{self.path} exists: a ledger is never begun anew")
            self._write(records, "open", site=self.site, domain=self.domain, budget=asdict(budget))

    def begin(self, budget: Budget) -> None:
        """`create` a ledger of which there is no trace; `set_budget` of one that there is.

        Raises:
            LedgerError: A ledger or a head of one is left, and cannot be trusted.
            PrivacyError: As for `set_budget`.
        """
        if self.path.exists() or any(copy.exists() for copy in self._chain.copies):
            self.set_budget(budget)
        else:
            self.create(budget)

    def set_budget(self, budget: Budget) -> None:
        """The site changes its policy; what was spent stays spent.

        Raises:
            LedgerError: The ledger cannot be trusted.
            PrivacyError: The new policy is about another unit, adjacency or trust model.
        """
        with self._read() as records:
            now = budget_of(records)
            if budget == now:
                return
            for name in ("unit", "adjacency", "trust_model"):
                old, new = getattr(now.terms, name), getattr(budget.terms, name)
                if old != new:
                    raise PrivacyError(
                        f"{self.path} accounts for {name.replace('_', ' ')} {old}, not {new}: "
                        "another policy needs another domain"
                    )
            self._write(records, "budget", budget=asdict(budget))

    def reserve(self, release: Release) -> Reservation:
        """Spend what `release` costs; it may be made once this returns, and only then.

        Returns:
            The reservation.

        Raises:
            BudgetError: It would exceed the budget. Nothing is written.
            PrivacyError: It is not what the site's policy asks for.
            LedgerError: The ledger cannot be trusted, or the clock went back.
        """
        with self._read() as records:
            budget = budget_of(records)
            fits(release, budget.terms)
            past = events_of(records)
            bound = _decided([*past, release.event], budget)
            if bound.value > budget.epsilon:
                raise BudgetError(
                    f"the privacy budget of site {self.site}, domain {self.domain}, is used up: "
                    f"round {release.round} of {release.run} would bring it to {bound}, above "
                    f"{budget.epsilon:g}. Nothing is released"
                )
            event = release.event
            written = self._write(
                records,
                "reserve",
                run=release.run,
                round=release.round,
                steps=[release.first_step, release.first_step + event.steps],
                q=event.rate,
                sigma=event.sigma,
                noise=event.noise,
                D_add=event.clip,
                C=release.clipping_norm,
                D_rule=release.sensitivity,
                sampler=event.sampler,
                unit=release.unit,
                adjacency=release.adjacency,
                trust_model=release.trust_model,
                config=release.config,
            )
            return Reservation(int(written["number"]), release)

    def commit(self, reservation: Reservation, reply_sha256: str) -> None:
        """The reply of a reservation is stored and may be sent, as often as need be.

        Raises:
            LedgerError: No such reservation, or it is committed; or as `reserve`.
        """
        with self._read() as records:
            if reservation.number not in never_committed(records):
                raise LedgerError(f"{self.path}: reservation {reservation.number} is not open")
            self._write(records, "commit", reservation=reservation.number, reply=reply_sha256)

    def reply(self, run: str, round_: int) -> str | None:
        """SHA-256 of the last committed reply of a round: a stored one may be sent again.

        Raises:
            LedgerError: The ledger cannot be trusted.
        """
        with self._read() as records:
            of_round = {
                r["number"]
                for r in of_kind(records, "reserve")
                if (r["run"], r["round"]) == (run, round_)
            }
            replies = [r for r in of_kind(records, "commit") if r["reservation"] in of_round]
            return str(replies[-1]["reply"]) if replies else None

    def head(self) -> Head:
        """Number of records and the last one's SHA-256, to be signed into a reply.

        Raises:
            LedgerError: The ledger cannot be trusted.
        """
        with self._read() as records:
            return head(records)

    def spent(self) -> Bound:
        """What all reservations cost together, committed or not.

        Raises:
            LedgerError: The ledger cannot be trusted.
        """
        with self._read() as records:
            return epsilon(events_of(records), budget_of(records).terms)

    @contextmanager
    def _read(self) -> Iterator[list[Record]]:
        """The records of a ledger that exists and is this one."""
        if not self.path.exists() and not any(copy.exists() for copy in self._chain.copies):
            raise LedgerError(f"{self.path} does not exist: a ledger is begun by its site, once")
        with self._chain.held() as records:
            check(self.path, records)
            if (records[0]["site"], records[0]["domain"]) != (self.site, self.domain):
                raise LedgerError(
                    f"{self.path} is the ledger of site {records[0]['site']}, domain "
                    f"{records[0]['domain']}"
                )
            yield records

    def _write(self, records: Sequence[Record], kind: str, **content: Any) -> Record:
        now = datetime.fromtimestamp(int(self._clock()), UTC).isoformat()
        if records and now < records[-1]["time"]:
            raise LedgerError(
                f"the clock says {now}, the last record of {self.path} was written at "
                f"{records[-1]['time']}: the clock went back. Set it right; nothing is "
                "released until then"
            )
        return self._chain.append({"kind": kind, "time": now, **content})


def _decided(events: Sequence[Event], budget: Budget) -> Bound:
    """Epsilon, computed finely only where the quick upper bound is above the budget."""
    quick = epsilon(events, budget.terms, cell=COARSE)
    return quick if quick.value <= budget.epsilon else epsilon(events, budget.terms)
