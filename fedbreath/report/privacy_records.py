"""privacy.json: what the private arms of a run spent, as their ledgers say.

Every epsilon stands with its unit, adjacency, trust model and delta; the primary accountant
is PLD, and PRV and RDP cross-check it. What was planned stands in run.json instead.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epsilons:
    """Epsilon of the same releases by three accountants; null where one gives none.

    Attributes:
        pld: By privacy loss distributions: the one that is meant where one is stated.
        prv: By Opacus's PRV accountant, add/remove only.
        rdp: By Opacus's Rényi accountant, add/remove only.
    """

    pld: float | None
    prv: float | None
    rdp: float | None


@dataclass(frozen=True)
class SiteSpending:
    """What one ledger says; of the server's, where the noise is added there.

    Attributes:
        site: Whose ledger.
        population: Public number of units that the site stated.
        rate: q: the chance of a unit to be drawn in a step; the greatest of all releases.
        sigma: Noise per D_add; the least of all releases.
        clip_low: The least clipping norm C.
        clip_high: The greatest; another one where C follows the updates.
        rule: How D_add, what one unit can change, follows from C: ``C`` or ``2 C``.
        steps: Releases, steps of all rounds together.
        reserved: Rounds that were written down before they began: all of them are spent.
        committed: Rounds among them whose reply was stored.
        spent: Of all that was reserved.
    """

    site: str
    population: int
    rate: float
    sigma: float
    clip_low: float
    clip_high: float
    rule: str
    steps: int
    reserved: int
    committed: int
    spent: Epsilons


@dataclass(frozen=True)
class Cohort:
    """A simulated cohort that stands for a larger one, out of a population of clients."""

    simulated: int
    assumed: int
    population: int


@dataclass(frozen=True)
class ArmPrivacy:
    """What one arm spent.

    Attributes:
        arm: Its name among the scores.
        title: For a reader.
        mechanism: Name of its YAML.
        unit: What is hidden: ``recording``, ``patient`` or ``client``.
        adjacency: ``add/remove`` or ``replace-one``.
        trust_model: ``local``, ``central`` or ``distributed``.
        delta: Of every epsilon here.
        released: What leaves.
        sites: By ledger.
        most: The greatest over sites: of disjoint sites, the arm's.
        text: That number with all it means, and what it assumes.
        cohort: Null where every client stands for itself.
    """

    arm: str
    title: str
    mechanism: str
    unit: str
    adjacency: str
    trust_model: str
    delta: float
    released: str
    sites: tuple[SiteSpending, ...]
    most: Epsilons
    text: str
    cohort: Cohort | None = None


@dataclass(frozen=True)
class Composition:
    """What several arms cost the same people together.

    Attributes:
        arms: Titles.
        unit: As theirs.
        adjacency: As theirs.
        trust_model: As theirs.
        delta: As theirs.
        spent: Greatest over sites of all arms' releases composed.
        text: That number with all it means, and what it assumes.
    """

    arms: tuple[str, ...]
    unit: str
    adjacency: str
    trust_model: str
    delta: float
    spent: Epsilons
    text: str


@dataclass(frozen=True)
class PrivacyRecord:
    """privacy.json.

    Attributes:
        arms: The private ones.
        compositions: Of all private arms that can be composed with one another; arms of
            different units, adjacencies, trust models or deltas can not.
        unprotected: Titles of arms that were trained on the same people without privacy.
    """

    arms: tuple[ArmPrivacy, ...]
    compositions: tuple[Composition, ...]
    unprotected: tuple[str, ...] = ()
