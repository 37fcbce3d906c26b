"""The site's own settings: a YAML file that the data holder owns and no run can override.

.. code-block:: yaml

    name: hospital-a          # how the site is called in the study
    dataset: sprsound         # one of configs/data
    options: {root: /data}    # that data set's own settings
    state: /var/lib/fedbreath # what the site keeps between rounds, and its feature store
    privacy:                  # optional: what a run must promise, and all that it may spend
      domain: adults-2026     # the persons that the budget is for
      unit: patient
      population: 250         # a public number of units, never counted from the data
      epsilon: 8.0
      delta: 1.0e-4
      second: /mnt/heads      # a folder on another disk for a copy of the ledger's head

With ``privacy`` a run that promises less is refused; without it, a run that promises any is,
since nobody has said what it may spend.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from fedbreath.config import checked
from fedbreath.errors import ConfigError, PrivacyError, SiteError
from fedbreath.privacy.terms import Terms
from fedbreath.site.records import Budget


@dataclass(frozen=True)
class PrivacySettings:
    """What a site lets runs spend, and of what.

    Attributes:
        domain: The persons that the budget is for; with the site's name it names the ledger.
        unit: What a run must hide.
        population: A public number of units.
        epsilon: All that runs may ever spend in the domain.
        delta: Must be < 1 / population.
        second: A folder, better on another disk, for a copy of the ledger's head.
    """

    domain: str
    unit: Literal["recording", "patient"]
    population: int
    epsilon: float
    delta: float
    second: str

    def budget(self) -> Budget:
        """As the ledger keeps it.

        Raises:
            PrivacyError: A value out of range.
        """
        terms = Terms(self.unit, "add/remove", "local", self.delta, self.population)
        return Budget(self.epsilon, terms)


@dataclass(frozen=True)
class SiteSettings:
    """What a site says of itself.

    Attributes:
        name: The site's name in the study.
        dataset: Name of a YAML under ``configs/data``.
        options: That data set's settings.
        state: Folder for what the site keeps.
        privacy: What runs may spend; None where none may ask for privacy.
    """

    name: str
    dataset: str
    options: Mapping[str, Any]
    state: Path
    privacy: PrivacySettings | None = None


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
    if not isinstance(node, dict) or set(node) | {"privacy"} != set(names):
        found = sorted(map(str, node)) if isinstance(node, dict) else type(node).__name__
        raise SiteError(f"site settings {path}: expected the keys {names}, found {found}")
    for name in ("name", "dataset", "state"):
        if not isinstance(node[name], str) or not node[name]:
            raise SiteError(f"site settings {path}: {name} must be text, got {node[name]!r}")
    if not isinstance(node["options"], dict):
        raise SiteError(f"site settings {path}: options must be a mapping")
    privacy = _privacy(node["privacy"], path) if "privacy" in node else None
    return SiteSettings(
        node["name"], node["dataset"], node["options"], Path(node["state"]), privacy
    )


def _privacy(node: Any, path: Path) -> PrivacySettings:
    """The section on privacy; one that cannot be read allows nothing."""
    try:
        if not isinstance(node, dict):
            raise ConfigError(f"privacy must be a mapping, got {node!r}")
        found = checked(PrivacySettings, node, "privacy")
        found.budget()
    except (ConfigError, PrivacyError) as error:
        raise SiteError(f"site settings {path}: {error}") from None
    return found
