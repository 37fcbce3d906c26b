"""Public constants of descriptors: in a file for the default, from simulated sound otherwise."""

import json

import pytest
import torch
from torch import Tensor

from fedbreath import descriptors
from fedbreath.audio import FrontEnd
from fedbreath.objectives import bank, public
from fedbreath.views import Views
from tests.objectives.small import FRAMES, FRONT_END

DEFAULT = FrontEnd()
SECOND = DEFAULT.frames(Views().seconds)


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("simulated sound was rendered")

    monkeypatch.setattr(bank, "spectra_of", refuse)
    public.computed.cache_clear()


@pytest.mark.usefixtures("unrendered")
def test_the_default_is_read_and_never_rendered() -> None:
    mean, sd = public.standard(DEFAULT, SECOND)
    assert mean.shape == sd.shape == (descriptors.count(64),)
    assert torch.isfinite(mean).all()
    assert float(sd.min()) >= public.LEAST
    assert mean.dtype == sd.dtype == torch.float32


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize(
    ("front_end", "frames"),
    [(FrontEnd(mels=32), SECOND), (FrontEnd(sd=5.0), SECOND), (FrontEnd(), SECOND + 1)],
)
def test_another_front_end_or_length_is_rendered(front_end: FrontEnd, frames: int) -> None:
    with pytest.raises(AssertionError, match="was rendered"):
        public.standard(front_end, frames)


def test_what_is_rendered_is_mean_and_deviation_of_the_banks_crops() -> None:
    mean, sd = public.standard(FRONT_END, FRAMES)
    crops = bank.spectra_of(public.TAKES, public.CROPS, FRONT_END, FRAMES)
    assert crops.shape == (512, FRONT_END.rows, FRAMES)
    found = descriptors.describe(crops, FRONT_END.mels).double().numpy()
    torch.testing.assert_close(
        mean.double(), torch.from_numpy(found.mean(axis=0)), rtol=0, atol=1e-4
    )
    expected = torch.from_numpy(found.std(axis=0, ddof=1)).clamp_min(public.LEAST)
    torch.testing.assert_close(sd.double(), expected, rtol=1e-4, atol=1e-4)


def test_crops_of_one_take_stand_together_and_differ() -> None:
    crops = bank.spectra_of(2, 3, FRONT_END, FRAMES)
    again = bank.spectra_of(2, 3, FRONT_END, FRAMES)
    assert torch.equal(crops, again)
    assert len({tuple(crop.flatten()[:50].tolist()) for crop in crops}) == 6
    spectra = crops[:, : FRONT_END.mels].mean(dim=2)
    assert (
        torch.cdist(spectra[:1], spectra[1:3]).max() < torch.cdist(spectra[:1], spectra[3:]).min()
    )


def test_the_file_says_what_it_was_made_by() -> None:
    kept = json.loads(public.FILE.read_text(encoding="utf-8"))
    assert set(kept) == {"made_by", "mean", "sd"}
    assert kept["made_by"] == public.made_by(DEFAULT, SECOND), (
        "the front end, a crop's length or the takes changed: "
        "python -m fedbreath.objectives.public writes the file anew"
    )


@pytest.mark.slow
def test_the_file_is_what_is_rendered_anew() -> None:
    mean, sd = public.standard(DEFAULT, SECOND)
    again, spread = public.computed(DEFAULT, SECOND)
    # Five digits are written.
    torch.testing.assert_close(mean, again, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sd, spread, rtol=1e-4, atol=1e-4)
