"""How hypothesis runs here: on a shared machine without deadlines, and the same examples each time where `CI` is set."""

import os

from hypothesis import settings

settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("deterministic", deadline=None, print_blob=True, derandomize=True, database=None)
settings.load_profile("deterministic" if os.environ.get("CI") else "here")
