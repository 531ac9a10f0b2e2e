"""Locust's events, in one place, since its types leave them open."""

from collections.abc import Callable

from locust.event import EventHook


def listen(event: EventHook, listener: Callable[..., None]) -> None:
    """Call `listener` with the keyword arguments of each `event`."""
    event.add_listener(listener)  # type: ignore[no-untyped-call]


def fire(event: EventHook, **arguments: object) -> None:
    """Call all listeners of an event."""
    event.fire(**arguments)  # type: ignore[no-untyped-call]
