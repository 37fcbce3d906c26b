"""What an encoder is compared with that no network learnt."""

from collections.abc import Callable, Mapping

from fedbreath import encoders
from fedbreath.config import Config, component
from fedbreath.downstream import embedding, functionals
from fedbreath.downstream.embedding import Floats
from fedbreath.downstream.functionals import FeatureSet
from fedbreath.encoders import Encoder
from fedbreath.features import Selection
from simulation.data import cache_of

#: Rows of openSMILE's features.
OPENSMILE: Mapping[str, FeatureSet] = {
    "opensmile_compare": "ComParE_2016",
    "opensmile_egemaps": "eGeMAPSv02",
}


def describer(config: Config) -> Encoder:
    """The fixed descriptors, ``encoder=descriptors``."""
    return encoders.build(component("encoder", "descriptors"), config.front_end.mels, seed=0)


def missing(name: str, config: Config) -> str:
    """Why a row cannot be run, and what to do; empty when it can."""
    if name in OPENSMILE:
        asked = config.evaluation.opensmile
        return functionals.missing() if asked else "evaluation.opensmile=true compares with it"
    if name in ("descriptors", "encoder_descriptors"):
        return "" if config.front_end.tracks else "front_end.tracks=true keeps what they need"
    return ""


def vectors(
    name: str, config: Config, selection: Selection, advance: Callable[[], None] = lambda: None
) -> Floats:
    """The features of a row.

    Args:
        name: The row's.
        config: The run.
        selection: Recordings and windows.
        advance: Called for each hundredth of what is slow.
    """
    if name == "log_mel":
        return embedding.log_mel_statistics(selection)
    if name == "level_length":
        return embedding.level_and_length(selection)
    if name == "descriptors":
        return embedding.embed(describer(config), selection, config.views.seconds)
    told = 0

    def tell(done: int, total: int) -> None:
        nonlocal told
        while told < 100 * done // total:
            told += 1
            advance()

    return functionals.functionals(selection, OPENSMILE[name], cache_of(config), tell)
