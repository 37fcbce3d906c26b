"""Clients on Flower's Ray simulation; needs the extra ``ray``.

Flower's actors run the clients and its pool holds the actors. What is brought to them, what
becomes of those that die, and the order of replies are ours: Flower's own loop around the pool
gives a dead actor out again, waits without bound, and keeps clients' state in memory.
"""
