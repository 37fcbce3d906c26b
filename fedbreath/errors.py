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


class PrivacyError(UserError):
    """A privacy claim cannot be made: a value out of range, or two that do not fit together."""


class LedgerError(PrivacyError):
    """A privacy ledger cannot be trusted or used: broken, missing, rolled back, forked."""


class BudgetError(PrivacyError):
    """What is asked would spend more than the site's privacy budget; nothing is released."""
