"""The simulation: many clients on one machine, baselines, probes, report."""

import os

#: One thread a process, and no telemetry.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}

# Before torch and Flower are imported.
for _name, _value in ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

from server.app import PACKAGES as _SERVER  # noqa: E402 - after the settings above

#: Every group: the simulation builds all of them.
PACKAGES = {
    **_SERVER,
    "partition": "simulation.partitions",
    "engine": "simulation.engines",
    "world": "simulation.worlds",
}
