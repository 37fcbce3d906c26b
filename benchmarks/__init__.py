"""Benchmarks: one command each. Every one prints a table and, as its last line, one JSON object."""
