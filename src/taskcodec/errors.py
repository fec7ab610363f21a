"""The errors that taskcodec raises on purpose.

Every message is one line that names the file (or argument), what was expected and what was found, so that a command
can print it as it is. Code that catches `TaskcodecError` catches all of them.
"""


class TaskcodecError(Exception):
    """Base of every error that taskcodec raises on purpose."""


class UsageError(TaskcodecError):
    """An argument or a combination of arguments that cannot be carried out."""


class SourceError(TaskcodecError):
    """A source of data is missing, unreadable, empty or of a kind that is not supported."""


class ForeignFileError(TaskcodecError):
    """The file or folder is not one of ours."""


class FutureVersionError(TaskcodecError):
    """The file was written by a newer taskcodec with a format this one does not know."""


class CorruptFileError(TaskcodecError):
    """The file is ours, but its bytes are damaged, truncated or inconsistent."""


class MismatchError(TaskcodecError):
    """Two things that must belong together (codec and store, codec and features, shapes) do not."""


class BackboneError(TaskcodecError):
    """A backbone is unknown, not installed, not at hand offline, or its weights are not the recorded ones."""


class StorageError(TaskcodecError):
    """Writing failed (no space left, no permission, a second writer); what was committed before is sound."""
