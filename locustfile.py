"""The users of loadtest/ for the stock `locust` command: their options stand in its web form.

`PushUser` runs unless others are named, by class or by tag: docs/workloads.md tells of them.
"""

from loadtest.users import PushUser
from loadtest.workloads.campaigns import CampaignsUser
from loadtest.workloads.connection_steps import ConnectionStepsUser
from loadtest.workloads.topics import TopicsUser
from loadtest.workloads.user_classes import BadSenderUser, PayloadSizesUser, TokenRotationUser, UninstallWaveUser

__all__ = [
    "BadSenderUser",
    "CampaignsUser",
    "ConnectionStepsUser",
    "PayloadSizesUser",
    "PushUser",
    "TokenRotationUser",
    "TopicsUser",
    "UninstallWaveUser",
]
