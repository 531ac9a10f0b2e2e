"""The error for a named bound that was reached: which, how large it is, and what to do about it."""


class BoundReachedError(Exception):
    """Something is full. Nothing was changed.

    `bound`: the name of the bound. `maximum`: its value. `remedy`: what the user can do.
    """

    def __init__(self, bound: str, maximum: int, remedy: str) -> None:
        super().__init__(f"{bound} is reached: no more than {maximum:,}; {remedy}")
        self.bound, self.maximum, self.remedy = bound, maximum, remedy
