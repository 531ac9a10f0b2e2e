"""What can be wrong with a sender's configuration. Answers of providers are values, never exceptions.

SenderError
├── SenderConfigurationError   options, key files or payloads that cannot be used: nothing was sent
└── StoreError                 the device store: its own tree stands in `sender/store/errors.py`
"""


class SenderError(Exception):
    """Any error of the sender that its user can act upon; the message says what was wrong, where, and what to do."""


class SenderConfigurationError(SenderError):
    """Nothing was sent: the configuration cannot be used."""
