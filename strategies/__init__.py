"""Flower strategies: one thin file each, over the pure rules of ``fedbreath.aggregation``."""
