"""Worker processes that run clients for `simulation.engines.process_pool`.

`crew` starts them and gives them work, `worker` is what runs in them, `deal` tells them what
each client has, and `segments` and `parcels` are the shared memory that arrays travel in.
"""
