"""Programs and packages that rows of the bench need beyond the project's own, and how to get them."""

import importlib.util
import shutil
from typing import NamedTuple


class Tool(NamedTuple):
    """`programs`: on the path. `modules`: importable. `install`: the command that brings them."""

    name: str
    programs: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    install: str = ""

    @property
    def present(self) -> bool:
        """Whether all of it is here."""
        return all(program_file(program) for program in self.programs) and all(
            importlib.util.find_spec(module) is not None for module in self.modules
        )


# Package managers put servers where the path of an ordinary user does not always lead.
_SERVER_PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
EXTRA = "pip install 'pushrig[bench]'"

H2LOAD = Tool("h2load", programs=("h2load",), install="sudo apt install nghttp2-client (macOS: brew install nghttp2)")
NGHTTPD = Tool(
    "h2load and nghttpd",
    programs=("h2load", "nghttpd"),
    install="sudo apt install nghttp2-client nghttp2-server (macOS: brew install nghttp2)",
)
LOCUST = Tool("Locust", modules=("locust", "gevent"), install="pip install 'pushrig[load]'")
H2 = Tool("h2", modules=("h2",), install=EXTRA)
AIOAPNS = Tool("aioapns", modules=("aioapns",), install=EXTRA)
HTTPX = Tool("httpx", modules=("httpx", "h2"), install=EXTRA)


def program_file(program: str) -> str | None:
    """The file of a program, None when it is not installed."""
    return shutil.which(program) or shutil.which(program, path=_SERVER_PLACES)
