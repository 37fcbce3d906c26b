"""The guarantee in words for a data-protection officer, and what it does not cover.

Nothing here is a legal opinion; every sentence says what holds mathematically, or that it
does not. Numbers come from the ledgers (`privacy_records`).
"""

import math

from fedbreath.report.privacy_records import ArmPrivacy, PrivacyRecord

#: What a heading of the explanation says.
Said = tuple[str, str]

_HIDDEN = {
    "recording": "Whether any single recording was used. This is the weakest unit: a patient "
    "with several recordings is protected less, the less the more there are.",
    "patient": "Whether any one patient took part at all: all recordings of that patient at a "
    "site together, whatever is heard in them, and how many there are.",
    "client": "Whether any one client took part at all: a phone with everything that its owner "
    "recorded on it.",
}

_FROM = {
    "local": "From everyone outside the site: the server of the study, the other sites, and "
    "whoever is given the encoder, whatever else they know. The site itself is trusted with its "
    "own recordings and adds the noise.",
    "central": "From the other clients and from whoever is given the encoder, whatever else they "
    "know. Not from the server: it sees each update before noise is added, and must be trusted "
    "to clip it, to add the noise, and to keep it to itself.",
    "distributed": "From everyone but a coalition that breaks the protocol between the sites.",
}

_LEAVES = {
    "local": "After each round a site's {released}, with noise in them, the name that the site "
    "has in the study, and the number of steps, which the study set. No recording, no loss, no "
    "count and no text of an error leaves.",
    "central": "Each called client sends its update without noise, to the server alone. After "
    "each round the server releases {released}, with noise in them. No loss and no count leaves a "
    "client.",
}


def surest(epsilon: float) -> float:
    """How sure anyone may become that a unit took part who held it for even odds before.

    The posterior e^epsilon / (1 + e^epsilon), up to delta (Wasserman and Zhou 2010).

    >>> round(surest(1.0), 2)
    0.73
    """
    return 1 / (1 + math.exp(-epsilon))


def sure(epsilon: float) -> str:
    """`surest` as a share, never rounded up to certainty.

    >>> sure(1.0), sure(3.0), sure(8.0), sure(30.0)
    ('73 %', '95 %', '99.97 %', 'more than 99.99 %')
    """
    share = 100 * surest(epsilon)
    if share > 99.99:
        return "more than 99.99 %"
    digits = 0 if share < 98.5 else 1 if share < 99.85 else 2
    return f"{share:.{digits}f} %"


def times(epsilon: float) -> str:
    """The factor e^epsilon as a person would say it.

    >>> times(1.0), times(3.0), times(8.0), times(30.0)
    ('2.7', '20', '2,981', 'more than a million')
    """
    if epsilon > math.log(1e6):
        return "more than a million"
    factor = math.exp(epsilon)
    return f"{factor:.1f}" if factor < 10 else f"{factor:,.0f}"


def chance(delta: float) -> str:
    """A small chance as one in so many.

    >>> chance(1e-4)
    '1 in 10,000'
    """
    return f"1 in {round(1 / delta):,}"


def explained(arm: ArmPrivacy) -> tuple[Said, ...]:
    """What the guarantee of an arm means, heading by heading."""
    unit = arm.unit
    leaves = _LEAVES.get(arm.trust_model, "{released}, with noise in them.")
    return (
        ("What is hidden", _HIDDEN[unit]),
        ("From whom", _FROM[arm.trust_model]),
        ("How well", _how_well(arm)),
        ("What leaves", leaves.format(released=arm.released)),
    )


def _how_well(arm: ArmPrivacy) -> str:
    epsilon, unit = arm.most.pld, arm.unit
    if epsilon is None:
        return (
            "No useful bound: so little noise was added that no accountant gives a finite epsilon."
        )
    compared = (
        f"the same training with or without that {unit}"
        if arm.adjacency == "add/remove"
        else f"the same training with that {unit} or with another one in its place"
    )
    strength = (
        "That is a strong promise."
        if epsilon <= 1
        else "That is a moderate promise."
        if epsilon <= 4
        else "That is a weak promise on paper: attacks known today reach far less, but nothing "
        "proves that they always will."
    )
    return (
        f"Compare {compared}. Anything that can be concluded from all that was released is at "
        f"most {times(epsilon)} times as likely in one case as in the other (epsilon "
        f"{epsilon:.2f}), but for a chance of about {chance(arm.delta)} (delta {arm.delta:g}). So "
        f"whoever held it for even odds that a given {unit} took part can become at most "
        f"{sure(epsilon)} sure. {strength}"
    )


#: What no epsilon covers, whatever the run; ``{one}`` is who is hidden.
_NEVER: tuple[Said, ...] = (
    (
        "This page",
        "Scores, probes, intervals and figures are computed without noise on recordings and "
        "labels of persons of the same data sets. To publish them is outside the guarantee.",
    ),
    (
        "Choices",
        "Settings that were chosen by looking at results on the same persons (a learning rate, an "
        "arm of this page, the best of several runs) tell of them, and no ledger knows. Choose on "
        "public or simulated sound.",
    ),
    (
        "Other runs",
        "The ledgers of a simulation begin and end with the run. What earlier runs spent on the "
        "same recordings comes on top; a node's own ledger counts it.",
    ),
    (
        "What holds of many",
        "Participation of one {one} is hidden, not what is true of people like them: that wheezes "
        "go with asthma may be learnt, and may be told of somebody who never took part. Nor are "
        "relatives, twins or others who were recorded together hidden as a group.",
    ),
    (
        "Stated figures",
        "Populations and sampling rates are what the site or the study states. Nobody checks them.",
    ),
    (
        "Arithmetic",
        "The proof is about real numbers. Noise in floating point leaks a little more to whoever "
        "exploits its last bits; that is not accounted for.",
    ),
    (
        "Timing",
        "How long a round takes at a site hints at how much was drawn for it; no noise covers "
        "that.",
    ),
    (
        "The start",
        "What the encoder began with is taken for public: its recordings are not protected by "
        "anything here.",
    ),
)

_DISJOINT: Said = (
    "Disjoint sites",
    "The greatest epsilon over sites counts, on the assumption that no {one} is at two of them. "
    "Who is pays for both.",
)

_SERVER: Said = (
    "The server",
    "It sees every update without noise. Against the server itself, or whoever breaks into it, "
    "there is no guarantee.",
)

_COHORT: Said = (
    "A simulated cohort",
    "Noise and epsilon are those of the assumed cohort, scaled down to the simulated one. The "
    "persons of this simulation did not get that protection; the figure is what a deployment of "
    "the assumed size would have.",
)

_UNPROTECTED: Said = (
    "Arms without privacy",
    "{arms}: trained on the same persons, and bounded by nothing. Such an encoder must not leave "
    "the place where it was computed; with it, no composition is worth anything.",
)


def uncovered(record: PrivacyRecord) -> tuple[Said, ...]:
    """What no epsilon of this page covers."""
    arms = record.arms
    units = sorted({arm.unit for arm in arms})
    one = units[0] if len(units) == 1 else "person"
    said = [
        *_NEVER,
        *([_DISJOINT] if any(len(arm.sites) > 1 for arm in arms) else []),
        *([_SERVER] if any(arm.trust_model == "central" for arm in arms) else []),
        *([_COHORT] if any(arm.cohort for arm in arms) else []),
        *([_UNPROTECTED] if record.unprotected else []),
    ]
    names = ", ".join(record.unprotected)
    return tuple((heading, text.format(one=one, arms=names)) for heading, text in said)
