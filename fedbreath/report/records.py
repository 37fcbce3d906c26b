"""What a run leaves in its folder: one frozen dataclass for each file, and its parts.

=============  ============================  ==========================================
file           one                           written
=============  ============================  ==========================================
run.json       `RunRecord`                   at the start, again at the end
data.json      `DataRecord`                  once the sites are split into clients
rounds.jsonl   `RoundRecord` a line          after each round
probes.jsonl   `ProbeRecord` a line          after each probe of the global encoder
scores.json    `ScoresRecord`                after the last round
privacy.json   `PrivacyRecord`               before the scores, where an arm was private
=============  ============================  ==========================================

`fedbreath.report.folder` reads and writes them; nothing else does. Counts are of
recordings unless a field says persons or groups; durations are in seconds; every score
is an AUROC with a 95 % interval.
"""

from dataclasses import dataclass
from typing import Any

from fedbreath.collapse import Signs
from fedbreath.report.privacy_records import PrivacyRecord
from fedbreath.report.score_records import ScoresRecord


@dataclass(frozen=True)
class Machine:
    """Where the run was computed."""

    cpu: str
    cores: int
    threads: int
    device: str


@dataclass(frozen=True)
class GuaranteeText:
    """The privacy that was achieved, in words; ``mechanism`` is "none" without any."""

    mechanism: str
    text: str


@dataclass(frozen=True)
class EncoderFacts:
    """The encoder.

    Attributes:
        name: Its YAML's name.
        parameters: Number of weights.
        dim: Numbers that are read from it for a window.
        start: The file that the first weights came from, and its hash; "" for a seed.
        trained: Number of weights that are not frozen; null where all are trained.
    """

    name: str
    parameters: int
    dim: int
    start: str = ""
    trained: int | None = None


@dataclass(frozen=True)
class RunRecord:
    """run.json: what was asked, of which code, where and when.

    Attributes:
        fedbreath: Version of this library.
        digest: Twelve hex digits of the configuration.
        overrides: The command line, one override each.
        config: The resolved configuration as a tree.
        config_yaml: The same as text.
        versions: Name of a package (or python) to its version.
        seed: Fixes initial weights, views and draws.
        started: ISO 8601 time.
        finished: ISO 8601 time; null until the run is over.
        seconds: Wall time of the session that finished it; null until the run is over.
        machine: Where.
        guarantee: The privacy statement.
        encoder: What was pretrained.
    """

    fedbreath: str
    digest: str
    overrides: tuple[str, ...]
    config: dict[str, Any]
    config_yaml: str
    versions: dict[str, str]
    seed: int
    started: str
    finished: str | None
    seconds: float | None
    machine: Machine
    guarantee: GuaranteeText
    encoder: EncoderFacts


@dataclass(frozen=True)
class SiteFacts:
    """One data set as found on disk, test persons included.

    Attributes:
        name: The data set's name.
        recordings: Usable recordings.
        subjects: Persons; null where the data set publishes no person ids.
        groups: What a split never cuts: persons, or blocks of recordings.
        seconds: Total duration.
        pretrain: Whether any of it is pretrained on.
        modalities: Modality to recordings.
        devices: Device to recordings.
        test_recordings: Recordings kept out of all pretraining.
        test_groups: Groups kept out of all pretraining.
        hidden_recordings: Those of test persons that are not even scored on, since
            validation persons stand in for them.
        digest: Hash of every recording's id, person, labels and decoded samples: what the
            run saw of the site, whatever the files were called where it ran.
    """

    name: str
    recordings: int
    subjects: int | None
    groups: int
    seconds: float
    pretrain: bool
    modalities: dict[str, int]
    devices: dict[str, int]
    test_recordings: int
    test_groups: int
    digest: str = ""
    hidden_recordings: int = 0


@dataclass(frozen=True)
class ClientFacts:
    """What one client pretrains on; test persons are not among it.

    Attributes:
        name: The client's name.
        recordings: Usable recordings.
        subjects: Persons; null where some recordings name none.
        seconds: Total duration.
        modalities: Modality to recordings.
        groups: What is dealt whole: persons, or blocks of recordings. Null if not recorded.
        mixture: Value of the data record's ``mixture_of`` to groups, by the value that most
            of a group's recordings have; "unknown" where none has one. Null if not recorded.
    """

    name: str
    recordings: int
    subjects: int | None
    seconds: float
    modalities: dict[str, int]
    groups: int | None = None
    mixture: dict[str, int] | None = None


@dataclass(frozen=True)
class SkippedItem:
    """A file that could not be used; the text before the reason's colon is its kind."""

    site: str
    item: str
    reason: str


@dataclass(frozen=True)
class DataRecord:
    """data.json: the sites, how they were dealt to clients, and what was skipped.

    Attributes:
        sites: As found on disk.
        clients: As dealt.
        partition: Name of the partition's YAML.
        problems: What was skipped.
        mixture_of: The label (or device, modality, site) that the clients' mixtures are
            of; null if not recorded.
        hostile: Names of the clients that a simulation made hostile.
        declared: Phones of a declared population, none of which is listed among the clients;
            null where all are.
    """

    sites: tuple[SiteFacts, ...]
    clients: tuple[ClientFacts, ...]
    partition: str
    problems: tuple[SkippedItem, ...]
    mixture_of: str | None = None
    hostile: tuple[str, ...] = ()
    declared: int | None = None


@dataclass(frozen=True)
class Participant:
    """A client whose update entered a round, and what it told; null where it did not.

    Under privacy a client tells its name alone.
    """

    name: str
    recordings: int | None
    steps: int | None
    loss: float | None
    update_norm: float | None
    seconds: float | None


@dataclass(frozen=True)
class Failure:
    """A reply that did not enter the round, or was awaited in vain, and why.

    The client may have taken part all the same: with another reply, or when asked again.
    """

    name: str
    code: str


@dataclass(frozen=True)
class SimulatedClient:
    """A client that was called in simulated time.

    Attributes:
        name: The client's name.
        outcome: ``took part``, or what became of it.
        seconds: From the call to its answer, s; null where none came.
        bytes_down: Sent to it.
        bytes_up: Sent by it, an answer that came too late included.
    """

    name: str
    outcome: str
    seconds: float | None
    bytes_down: int
    bytes_up: int


@dataclass(frozen=True)
class SimulatedRound:
    """A round in simulated time, s since the federation began.

    Attributes:
        started: When the round before it was over.
        called: When clients were called; until then the server waited for them.
        finished: When the last answer that was taken came, or the deadline passed.
        there: Clients that could be reached when they were called.
        clients: Those that were called.
    """

    started: float
    called: float
    finished: float
    there: int
    clients: tuple[SimulatedClient, ...]


@dataclass(frozen=True)
class RoundRecord:
    """A line of rounds.jsonl.

    Attributes:
        number: From 1.
        participants: Whose updates entered.
        failures: What did not.
        norm: L2 norm of the global change.
        seconds: From the call to the new weights.
        bytes_down: Sent to the clients.
        bytes_up: Sent by them.
        signs: Of collapse, of the encoder after the round; null where none was due.
        signs_before: Of the encoder that the run started from; with the first round alone.
        repeats: Times that clients were asked again, because too few replies could be used.
        simulated: What a real federation would have needed; null where all clients were there.
    """

    number: int
    participants: tuple[Participant, ...]
    failures: tuple[Failure, ...]
    norm: float
    seconds: float
    bytes_down: int
    bytes_up: int
    signs: Signs | None = None
    signs_before: Signs | None = None
    repeats: int = 0
    simulated: SimulatedRound | None = None


@dataclass(frozen=True)
class ProbeRecord:
    """A line of probes.jsonl: AUROC of the global encoder on a task after a round."""

    round: int
    task: str
    value: float


@dataclass(frozen=True)
class Records:
    """A whole run folder.

    ``scores`` is None while the run is under way, ``privacy`` then and where nothing was
    private.
    """

    run: RunRecord
    data: DataRecord
    rounds: tuple[RoundRecord, ...]
    probes: tuple[ProbeRecord, ...]
    scores: ScoresRecord | None
    privacy: PrivacyRecord | None = None
