"""A state of FCM that knows one project and its account, for tests."""

from simulator.apns.state import ApnsState
from simulator.fcm.access_token import AccessTokens
from simulator.fcm.registrations import Registrations
from simulator.fcm.state import FcmState, Project
from simulator.registry import Registry
from tests.fcm.service_account import PROJECT_ID, account

PROJECT_NUMBER = "123456789012"
APPLICATION = "com.example.app"


def fcm_state(apns: ApnsState) -> FcmState:
    """One whose registrations of iOS `apns` judges. Access tokens are the test account's; message ids are in the service."""
    registrations = Registrations()
    return FcmState(
        Project(PROJECT_ID, PROJECT_NUMBER),
        AccessTokens(account("account"), apns.clock_offset_s, bytes),
        apns,
        APPLICATION,
        registrations,
        Registry(key_of=registrations.key_of),
    )
