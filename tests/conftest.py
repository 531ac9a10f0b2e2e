"""How tests run here: hypothesis on a shared machine without deadlines, and the same examples each time where `CI` is set.

A shell that runs the tests in the background has SIGINT ignored, which all programs inherit that tests start and interrupt.
"""

import os
import signal

from hypothesis import settings

settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("deterministic", deadline=None, print_blob=True, derandomize=True, database=None)
settings.load_profile("deterministic" if os.environ.get("CI") else "here")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
