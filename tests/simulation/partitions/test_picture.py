"""The picture of the partitions, made by its command."""

from pathlib import Path

from fedbreath.composition import choices
from fedbreath.config import load
from simulation import PACKAGES
from simulation.partitions.__main__ import PANELS, main, silent


def test_the_command_writes_a_picture(tmp_path: Path) -> None:
    main([str(tmp_path / "partitions.png")])
    content = (tmp_path / "partitions.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert 20_000 < len(content) < 200_000


def test_every_partition_of_several_clients_is_in_it() -> None:
    assert {word for _, asked in PANELS for word in asked.split() if "=" in word} >= {
        f"partition={name}" for name in choices("partition") if name not in ("pooled", "population")
    }


def test_a_silent_store_holds_every_recording() -> None:
    for site in load("data.persons=3", PACKAGES).data.build().sites():
        assert tuple(e.recording for e in silent(site).select().entries) == site.recordings
