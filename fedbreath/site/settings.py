"""The site's own settings: a YAML file that the data holder owns and no run can override.

.. code-block:: yaml

    name: hospital-a          # how the site is called in the study
    dataset: sprsound         # one of configs/data
    options: {root: /data}    # that data set's own settings
    state: /var/lib/fedbreath # what the site keeps between rounds, and its feature store
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fedbreath.errors import SiteError


@dataclass(frozen=True)
class SiteSettings:
    """What a site says of itself.

    Attributes:
        name: The site's name in the study.
        dataset: Name of a YAML under ``configs/data``.
        options: That data set's settings.
        state: Folder for what the site keeps.
    """

    name: str
    dataset: str
    options: Mapping[str, Any]
    state: Path


def read(path: Path) -> SiteSettings:
    """Read a site's settings; anything unclear is a refusal.

    Raises:
        SiteError: The file is missing, is no YAML mapping, or a key is missing, unknown or
            of the wrong type.
    """
    try:
        node = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SiteError(f"site settings {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SiteError(f"site settings {path}: not readable as YAML") from None
    names = [f.name for f in dataclasses.fields(SiteSettings)]
    if not isinstance(node, dict) or set(node) != set(names):
        found = sorted(map(str, node)) if isinstance(node, dict) else type(node).__name__
        raise SiteError(f"site settings {path}: expected the keys {names}, found {found}")
    for name in ("name", "dataset", "state"):
        if not isinstance(node[name], str) or not node[name]:
            raise SiteError(f"site settings {path}: {name} must be text, got {node[name]!r}")
    if not isinstance(node["options"], dict):
        raise SiteError(f"site settings {path}: options must be a mapping")
    return SiteSettings(node["name"], node["dataset"], node["options"], Path(node["state"]))
