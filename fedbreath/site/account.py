"""Where a privacy domain stands: what is spent, what is left, and whether it can be trusted."""

from dataclasses import dataclass
from pathlib import Path

from fedbreath.errors import LedgerError
from fedbreath.privacy.accounting import epsilon
from fedbreath.privacy.calibration import more
from fedbreath.privacy.terms import Bound
from fedbreath.site.chain import Chain, Record, beside
from fedbreath.site.records import Budget, budget_of, check, events_of, never_committed


@dataclass(frozen=True)
class Account:
    """Where a domain stands.

    Attributes:
        site: The site.
        domain: The privacy domain.
        budget: What is allowed now.
        spent: What all reservations cost together.
        left: What the budget exceeds it by. Not a price list: a further release costs less
            than it would alone, see `further`.
        further: How many releases like the last one fit, None before the first.
        reserved: Releases that were reserved.
        open: Those among them that were never committed; they are spent.
        records: Records of the ledger.
        updated: When the last one was written, UTC.
    """

    site: str
    domain: str
    budget: Budget
    spent: Bound
    left: Bound
    further: int | None
    reserved: int
    open: int
    records: int
    updated: str


def verified(path: Path, second: Path | None = None) -> list[Record]:
    """The records of a ledger; without `second`, only the head beside it is checked.

    Raises:
        LedgerError: It cannot be trusted.
    """
    if not path.exists() and not beside(path).exists():
        raise LedgerError(f"{path} does not exist")
    if second is not None and not second.is_dir():
        raise LedgerError(f"{second}, the folder of the second copy of the head, does not exist")
    copies = [beside(path)] if second is None else [beside(path), second / beside(path).name]
    with Chain(path, copies).held(only_look=True) as held:
        records = list(held)
    check(path, records)
    return records


def account(path: Path, second: Path | None = None) -> tuple[Account, list[Record]]:
    """Verify a ledger and sum it up; without `second`, only the head beside it is checked.

    Raises:
        LedgerError: It cannot be trusted.
    """
    records = verified(path, second)
    budget, past = budget_of(records), events_of(records)
    spent = epsilon(past, budget.terms)
    left = Bound(max(0.0, budget.epsilon - spent.value), budget.terms, spent.accountant)
    return Account(
        site=records[0]["site"],
        domain=records[0]["domain"],
        budget=budget,
        spent=spent,
        left=left,
        further=more(past, past[-1], budget.terms, budget.epsilon) if past else None,
        reserved=len(past),
        open=len(never_committed(records)),
        records=len(records),
        updated=records[-1]["time"],
    ), records
