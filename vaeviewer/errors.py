"""The one kind of error a user sees: a sentence that names the file or field and what to do."""


class UserError(Exception):
    """Something the user can mend. Its text is one sentence, shown as it is and never with a traceback.

    On the command line it becomes one line on standard error and exit code 2, in the window a message
    that does not block.
    """


class SettingsError(UserError):
    """A setting, in a form, on the command line or in a file, has a value that cannot be used."""


class DataError(UserError):
    """A data set is missing, damaged or of a form that cannot be read."""


class FetchError(DataError):
    """A data set could not be fetched; a folder that holds it would do."""


class RunFolderError(UserError):
    """A run folder is missing, damaged, not writable, or written by a newer program."""


class RunInUseError(RunFolderError):
    """Another window or command has the run folder open."""


class NoDensityError(UserError):
    """A kind of model has no density, or no prior, and what needs one is asked of it."""
