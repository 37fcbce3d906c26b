"""The site's own settings: complete and clear, or a refusal that names the file."""

from pathlib import Path

import pytest

from fedbreath.errors import SiteError
from fedbreath.site import settings

GOOD = "name: hospital-a\ndataset: sprsound\noptions: {root: /data}\nstate: /var/lib/fedbreath\n"


def test_all_four_are_read(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD)
    assert settings.read(path) == settings.SiteSettings(
        "hospital-a", "sprsound", {"root": "/data"}, Path("/var/lib/fedbreath")
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected the keys .* found NoneType"),
        ("- a list", "found list"),
        (GOOD + "epsilon_max: 3\n", "found .*epsilon_max"),
        (GOOD.replace("state:", "stat:"), "found .*stat"),
        (GOOD + "1: a number\n", "found .*1"),
        (GOOD.replace("hospital-a", "7"), "name must be text, got 7"),
        (GOOD.replace("hospital-a", "''"), "name must be text, got ''"),
        (GOOD.replace("sprsound", "[sprsound]"), "dataset must be text"),
        (GOOD.replace("{root: /data}", "/data"), "options must be a mapping"),
        (GOOD.replace("/var/lib/fedbreath", "null"), "state must be text, got None"),
        ("name: [", "not readable as YAML"),
        ("name: !!python/object/apply:os.getcwd []", "not readable as YAML"),
    ],
)
def test_anything_unclear_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(SiteError, match=f"site settings .*site.yaml: .*{sentence}"):
        settings.read(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"missing\.yaml: No such file"):
        settings.read(tmp_path / "missing.yaml")
    with pytest.raises(SiteError, match="Is a directory"):
        settings.read(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9\n")
    with pytest.raises(SiteError, match="not readable as YAML"):
        settings.read(tmp_path / "latin.yaml")
