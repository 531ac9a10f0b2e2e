"""All users of load tests: what a locustfile has to name."""

from loadtest.users import BatchUser, PushUser
from loadtest.workloads.campaigns import CampaignsUser
from loadtest.workloads.connection_steps import ConnectionStepsUser
from loadtest.workloads.topics import TopicsUser
from loadtest.workloads.user_classes import (
    BadSenderUser,
    PayloadSizesUser,
    TokenRotationUser,
    UninstallWaveUser,
)

WORKLOADS: dict[str, type[BatchUser]] = {
    user.part: user
    for user in (
        PushUser,
        PayloadSizesUser,
        UninstallWaveUser,
        ConnectionStepsUser,
        TokenRotationUser,
        TopicsUser,
        CampaignsUser,
        BadSenderUser,
    )
}
"""The user classes by name: what `pushrig load --workload` and `locust --tags` call them."""
