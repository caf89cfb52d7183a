"""What whoever typed a command can mend."""


class InputError(ValueError):
    """The input cannot be used.

    ``field`` is what the user wrote or should have written, an option or a key; ``code`` is the rule that
    refused it, or INPUT_INVALID. As text it is one line.
    """

    def __init__(self, field: str, message: str, code: str = "INPUT_INVALID") -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.code = code


class OperatorError(Exception):
    """Something that whoever typed the command can mend; it is said in one line."""
