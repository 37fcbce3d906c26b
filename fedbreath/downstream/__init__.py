"""Downstream: frozen encoder -> scores. Tasks, probes, intervals, controls."""
