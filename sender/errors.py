"""What can be wrong with a sender's configuration. Answers of providers are values, never exceptions.

SenderError
├── SenderConfigurationError   options, key files or payloads that cannot be used: nothing was sent
└── CampaignStoppedError       the provider refused what every notification of the campaign has in common
"""


class SenderError(Exception):
    """Any error of the sender that its user can act upon; the message says what was wrong, where, and what to do."""


class SenderConfigurationError(SenderError):
    """Nothing was sent: the configuration cannot be used."""


class CampaignStoppedError(SenderError):
    """The campaign was ended early; what was not accepted stays due."""
