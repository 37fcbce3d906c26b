"""Errors meant for a person: one sentence that names the thing, the value and what to do.

Every entry point turns a `UserError` into that sentence and exit code 2; any other
exception is a defect of ours and keeps its traceback.
"""


class UserError(Exception):
    """Something that the user can put right; the text is shown as it stands."""


class ConfigError(UserError):
    """The run's configuration names an unknown key or choice, or a value out of range."""


class DataError(UserError):
    """A data set cannot be read as a whole: the folder or its metadata is missing or broken."""


class AudioError(UserError):
    """One file cannot be used; the recording is skipped, counted and listed with this reason."""


class SiteError(UserError):
    """A site cannot take part: settings missing, too few recordings, an update refused."""
