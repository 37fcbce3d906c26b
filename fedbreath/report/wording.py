"""Numbers and verdicts in words: what may be said of an interval, and what may not."""

from dataclasses import dataclass
from typing import Literal, Protocol

from fedbreath.report.records import Records, RoundRecord
from fedbreath.report.score_records import Difference, ScoresRecord

Tone = Literal["gain", "noise", "loss", "open"]

#: What a reader must know of a run that serves to choose.
_CHOOSING = (
    "Scores are of validation persons, to choose by; the test persons were left out of everything."
)


class Estimate(Protocol):
    """A value with an interval, which may be missing."""

    @property
    def value(self) -> float:
        """The point estimate."""

    @property
    def low(self) -> float | None:
        """The lower bound."""

    @property
    def high(self) -> float | None:
        """The upper bound."""


@dataclass(frozen=True)
class Verdict:
    """The page's first sentence; ``aside`` qualifies it, ``tone`` is how it came out."""

    tone: Tone
    text: str
    aside: str


def decimal(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """A number with a true minus sign and no negative zero.

    >>> decimal(-0.001), decimal(-0.02), decimal(0.02, sign=True)
    ('0.00', '−0.02', '+0.02')
    """
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{'−' if value < 0 else '+' if sign else ''}{text}"


def interval(estimate: Estimate, digits: int = 2) -> str:
    """The interval alone, or what its absence is called."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{decimal(estimate.low, digits)} to {decimal(estimate.high, digits)}"


def change(estimate: Estimate, unit: str = "") -> str:
    """A difference with its interval; more digits where two would round a bound to 0.

    >>> change(Difference("a", "b", "mean", 0.02, -0.01, 0.05), "AUROC")
    '+0.02 AUROC (−0.01 to 0.05)'
    >>> change(Difference("a", "b", "mean", 0.02, 0.001, 0.039))
    '+0.020 (0.001 to 0.039)'
    """
    bounds = [abs(b) for b in (estimate.low, estimate.high) if b]
    smallest = min(bounds, default=1.0)
    digits = next((d for d in (2, 3) if smallest >= 0.5 * 10**-d), 4)
    value = decimal(estimate.value, digits, sign=True)
    return f"{value}{unit and f' {unit}'} ({interval(estimate, digits)})"


def tone(estimate: Estimate | None) -> Tone:
    """What a paired interval allows one to say; touching 0 is noise."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return "open"
    if estimate.low > 0:
        return "gain"
    return "loss" if estimate.high < 0 else "noise"


def difference(
    scores: ScoresRecord, arm: str, task: str, against: str = "random"
) -> Difference | None:
    """The paired difference between two arms on a task, if it was computed."""
    wanted = (arm, against, task)
    found = (d for d in scores.differences if (d.arm, d.against, d.task) == wanted)
    return next(found, None)


def alone(records: Records) -> bool:
    """Whether one client held everything: then nothing was federated."""
    return len(records.data.clients) == 1


def private(records: Records) -> bool:
    """Whether the run's own encoder was trained under privacy."""
    return records.run.guarantee.mechanism != "none"


def verdict(records: Records) -> Verdict:
    """Say in one sentence whether pretraining was worth it.

    What a private run must beat is the public start, which costs no privacy; without one, and
    without privacy, it is the network untrained.
    """
    scores = records.scores
    what = "Pretraining in one place" if alone(records) else "Federated pretraining"
    if private(records):
        what = f"Private {what[0].lower()}{what[1:]}"
    if not records.rounds:
        return Verdict("open", "No round has finished yet: there is nothing to judge.", "")
    if scores is None:
        text = "The encoder has not been scored yet: the run has not finished."
        return Verdict("open", text, "")
    if not scores.scores:
        text = "The encoder could not be scored, so nothing can be said about its use."
        return Verdict("open", text, _why_skipped(scores))
    gained = difference(scores, "federated", "mean")
    if gained is None:
        text = f"{what} was not compared with the same network untrained."
        return Verdict("open", text, "No paired difference of the means is recorded.")
    count = sum(task.in_mean for task in scores.tasks)
    aside = f"Mean over {count} {'task' if count == 1 else 'tasks'}."
    over = difference(scores, "federated", "mean", "start")
    judged, sentence = gained, _sentence(what, gained)
    if private(records) and over is not None:
        judged, sentence = over, _over_start(what, over)
        aside = f"{aside} Against the same network untrained: {change(gained)}."
    elif over is not None:
        aside = f"{aside} Against the public start: {change(over)}."
    # A network that was harmed keeps no share of anything, and one place has all of it; a
    # private run has no centralised arm.
    if tone(gained) != "loss" and not alone(records) and not private(records):
        aside = f"{aside} {_share(scores)}".strip()
    if scores.persons == "validation":
        aside = f"{aside} {_CHOOSING}"
    return Verdict(tone(judged), sentence, aside)


def _over_start(what: str, over: Difference) -> str:
    """What a private run was worth: a gain only where the paired interval leaves out 0."""
    bounds = change(over, "AUROC")
    match tone(over):
        case "gain":
            return f"{what} gained {bounds} over the public start."
        case "loss":
            return f"{what} lost {bounds.removeprefix('−')} against the public start."
        case "noise":
            return f"{what} cannot be told from the public start: {bounds}."
    return (
        f"{what} changed AUROC by {decimal(over.value, sign=True)} against the public start; "
        "without an interval it cannot be told from it."
    )


def _sentence(what: str, gained: Difference) -> str:
    bounds = change(gained, "AUROC")
    match tone(gained):
        case "gain":
            return f"{what} gained {bounds} over the same network untrained."
        case "loss":
            lost = bounds.removeprefix("−")
            return f"{what} lost {lost} against the same network untrained."
        case "noise":
            return (
                f"{what} made a difference of {bounds} to the same network untrained: within noise."
            )
    return (
        f"{what} changed AUROC by {decimal(gained.value, sign=True)} against the same network "
        "untrained; without an interval this shows nothing."
    )


def _share(scores: ScoresRecord) -> str:
    ratio = scores.ratio
    central = difference(scores, "centralised", "mean")
    if central is None:
        return _no_share(ratio.text)
    if tone(central) != "gain":
        word = {"noise": "within noise", "loss": "a loss", "open": "without an interval"}
        return (
            f"Pooling all data in one place changed it by {change(central)}, "
            f"{word[tone(central)]}: there is no centralised gain of which a share could be stated."
        )
    if ratio.value is None:
        return _no_share(ratio.text)
    bounds = ""
    if ratio.low is not None and ratio.high is not None:
        bounds = f" ({decimal(100 * ratio.low, 0)} to {decimal(100 * ratio.high, 0)} %)"
    share = decimal(100 * ratio.value, 0)
    return f"Federated keeps {share} %{bounds} of the centralised gain of {change(central)}."


def _no_share(reason: str) -> str:
    return f"No share of a centralised gain is stated: {reason}." if reason else ""


def _why_skipped(scores: ScoresRecord) -> str:
    reasons = [f"{s.task}: {s.reason}" for s in scores.skipped]
    if not reasons:
        return "No task was evaluated."
    more = f"; and {len(reasons) - 2} more" if len(reasons) > 2 else ""
    return f"{'; '.join(reasons[:2])}{more}."


def duration(seconds: float) -> str:
    """A time that a person would say.

    >>> duration(42.3), duration(754), duration(9000)
    ('42 s', '12 min 34 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def hours(seconds: float) -> str:
    """Hours of sound; minutes below one hour, seconds below two minutes.

    >>> hours(16), hours(600), hours(9000), hours(900000)
    ('16 s', '10 min', '2.5 h', '250 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 360_000 else f"{seconds / 3600:,.0f} h"


def megabytes(rounds: tuple[RoundRecord, ...]) -> str:
    """What crossed the network in all rounds together, both ways."""
    return data_size(sum(r.bytes_down + r.bytes_up for r in rounds))


def data_size(count: int) -> str:
    """A number of bytes.

    >>> data_size(1234), data_size(12_345_678), data_size(12_345_678_901)
    ('1 kB', '12 MB', '12.3 GB')
    """
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1e6:,.0f} MB" if count < 1e10 else f"{count / 1e9:,.1f} GB"


def persons(counts: list[int | None]) -> str:
    """A sum of persons; a plus where some holder publishes no person ids.

    >>> persons([3, 4]), persons([3, None]), persons([None])
    ('7', '3+', 'unknown')
    """
    known = [count for count in counts if count is not None]
    if not known:
        return "unknown"
    return f"{sum(known):,}{'' if len(known) == len(counts) else '+'}"


def kept_share(scores: ScoresRecord) -> str:
    """The share of the centralised gain that federation keeps, or why it is not stated."""
    ratio = scores.ratio
    if ratio.value is None:
        return f"not stated: {ratio.text}."
    if ratio.low is None or ratio.high is None:
        return f"{decimal(ratio.value)}, without an interval."
    return f"{decimal(ratio.value)} ({decimal(ratio.low)} to {decimal(ratio.high)})."
