"""What the rules share that are told how many clients may be hostile."""

from dataclasses import dataclass
from typing import TypeVar

from fedbreath.errors import UserError
from strategies.federated import Cohort, Federated


@dataclass(frozen=True)
class Hostile(Cohort):
    """Whom to call, and how many of them may be hostile.

    Attributes:
        byzantine: Clients of a round that may send anything.
    """

    byzantine: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.byzantine < 0:
            raise ValueError(f"byzantine must be >= 0, got {self.byzantine}")


H = TypeVar("H", bound=Hostile)


class Bounded(Federated[H]):
    """A strategy that bears `byzantine` hostile clients of ``2 byzantine + beyond``.

    Attributes:
        beyond: Clients that the rule needs beyond twice the hostile ones.
    """

    beyond: int

    @property
    def least(self) -> int:
        """Usable replies without which the rule guarantees nothing."""
        return 2 * self.config.byzantine + self.beyond

    def require(self, number: int, found: int, what: str = "usable reply(ies)") -> None:
        """Refuse a round with more hostile clients than the rule can bear.

        Raises:
            UserError: Fewer than `least`.
        """
        if found >= self.least:
            return
        bearable = (found - self.beyond) // 2
        lower = f"lower strategy.byzantine to at most {bearable}" if bearable >= 0 else ""
        raise UserError(
            f"round {number}: {found} {what}, but {type(self).__name__} with "
            f"strategy.byzantine={self.config.byzantine} needs at least {self.least} "
            f"(2 x {self.config.byzantine} + {self.beyond}): call more clients, or "
            f"{lower or 'choose strategy=median, which needs no number'}"
        )
