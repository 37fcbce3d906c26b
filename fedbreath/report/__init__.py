"""The report of a run: its records on disk, and the page and summary made of them."""
