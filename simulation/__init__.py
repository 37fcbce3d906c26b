"""The simulation: many clients on one machine, baselines, probes, report."""

from server.app import PACKAGES as _SERVER

#: Every group: the simulation builds all of them.
PACKAGES = {**_SERVER, "partition": "simulation.partitions", "engine": "simulation.engines"}
