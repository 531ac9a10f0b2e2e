"""The users of loadtest/ for the stock `locust` command: `locust -f locustfile.py --help` lists their options."""

from loadtest.users import PushUser

__all__ = ["PushUser"]
