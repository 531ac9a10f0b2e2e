"""All faults by name, in the order in which `pushrig faults` lists them."""

from collections.abc import Mapping
from types import MappingProxyType

from simulator.faults.answered_twice import AnsweredTwiceFault
from simulator.faults.disconnect import DisconnectFault
from simulator.faults.dribbled_body import DribbledBodyFault
from simulator.faults.empty_answer import EmptyAnswerFault
from simulator.faults.expired_token import ExpiredTokenFault
from simulator.faults.fault import Fault
from simulator.faults.goaway import GoawayFault
from simulator.faults.handshake import HandshakeFault
from simulator.faults.html_page import HtmlPageFault
from simulator.faults.idle_close import IdleCloseFault
from simulator.faults.ignored_ping import IgnoredPingFault
from simulator.faults.latency import LatencyFault
from simulator.faults.maintenance import MaintenanceFault
from simulator.faults.no_alpn import NoAlpnFault
from simulator.faults.outage import OutageFault
from simulator.faults.oversized_frame import OversizedFrameFault
from simulator.faults.ping import PingFault
from simulator.faults.quota import QuotaFault
from simulator.faults.reason import ReasonFault
from simulator.faults.refuse import RefuseFault
from simulator.faults.reset_stream import ResetStreamFault
from simulator.faults.settings_change import SettingsChangeFault
from simulator.faults.silent_stream import SilentStreamFault
from simulator.faults.stall import StallFault
from simulator.faults.starved_windows import StarvedWindowsFault
from simulator.faults.stream_limit import StreamLimitFault
from simulator.faults.strict_streams import StrictStreamsFault
from simulator.faults.truncated_answer import TruncatedAnswerFault
from simulator.faults.unended_answer import UnendedAnswerFault
from simulator.faults.wrong_certificate import WrongCertificateFault
from simulator.faults.wrong_content_type import WrongContentTypeFault

GROUPS: Mapping[str, tuple[type[Fault], ...]] = MappingProxyType(
    {
        "Answers": (ReasonFault, HtmlPageFault, EmptyAnswerFault, TruncatedAnswerFault, WrongContentTypeFault),
        "Latency": (LatencyFault,),
        "Streams": (ResetStreamFault, SilentStreamFault, AnsweredTwiceFault, UnendedAnswerFault, DribbledBodyFault),
        "Connections": (
            GoawayFault,
            DisconnectFault,
            StallFault,
            IdleCloseFault,
            RefuseFault,
            HandshakeFault,
            WrongCertificateFault,
            NoAlpnFault,
        ),
        "Settings and frames": (
            StreamLimitFault,
            StrictStreamsFault,
            StarvedWindowsFault,
            SettingsChangeFault,
            OversizedFrameFault,
            IgnoredPingFault,
            PingFault,
        ),
        "State of the provider": (OutageFault, MaintenanceFault, QuotaFault, ExpiredTokenFault),
    }
)
"""By what they touch."""

FAULTS: Mapping[str, type[Fault]] = MappingProxyType({each.name: each for group in GROUPS.values() for each in group})
