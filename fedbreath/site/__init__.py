"""What a data holder owns: its settings, the state it keeps, the guard on what leaves."""
