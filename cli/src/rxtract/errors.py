"""What a command raises when its user can mend it."""


class UserError(Exception):
    """One clear line that says what is wrong and what to do; printed without a traceback, exit code 2."""
