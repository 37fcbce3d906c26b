"""fedbreath: federated, privacy-preserving pretraining of respiratory-audio encoders.

The library: recordings, front end, encoders, objectives, mechanisms, probes and
reports. It never imports Flower; the application (``client``, ``server``,
``strategies``, ``simulation``) does, and stands beside it in the repository.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("fedbreath")
except PackageNotFoundError:  # an app bundle carries the source, not the distribution
    __version__ = "0+bundle"

__all__ = ["__version__"]
