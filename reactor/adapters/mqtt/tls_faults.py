"""What can be wrong with TLS, as sentences for the operator."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from reactor.adapters.mqtt.options import MqttOptions
from reactor.errors import BrokerError

# X509_V_ERR_* of OpenSSL, include/openssl/x509_vfy.h.in.
_NOT_YET_VALID = 9
_EXPIRED = 10
_OTHER_NAME = frozenset({62, 64})

# What a broker answers to a client's certificate: RFC 8446, 6.2, in OpenSSL's spelling,
# without what stands before it.
_NONE_SENT = frozenset({"CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE"})
_OUR_FAULT = {
    "CERTIFICATE_EXPIRED": ("it has expired", "renew it"),
    "CERTIFICATE_REVOKED": ("it was revoked", "get a new one"),
    "UNKNOWN_CA": (
        "the broker does not know the CA that signed it",
        "have it signed by the CA that the broker names as cafile",
    ),
    "BAD_CERTIFICATE": ("the broker cannot use it", "look into the broker's log"),
    "UNSUPPORTED_CERTIFICATE": ("it is none for clients", "make one for clients (clientAuth)"),
    "CERTIFICATE_UNKNOWN": ("the broker does not say why", "look into the broker's log"),
    "DECRYPT_ERROR": ("its key is another's", "correct key_file"),
}


def not_verified(options: MqttOptions, cause: ssl.SSLCertVerificationError) -> BrokerError:
    """The broker's certificate proves nothing to us."""
    match cause.verify_code:
        case code if code == _EXPIRED:
            fix = "renew it at the broker, or set this host's clock"
        case code if code == _NOT_YET_VALID:
            fix = "set this host's clock, or the one where it was made"
        case code if code in _OTHER_NAME:
            fix = "write a name in url that stands in it, or make one for this name"
        case _:
            fix = "name the CA that signed it as ca_file"
    problem = f"its TLS certificate is not accepted: {cause.verify_message.rstrip('.')}"
    return BrokerError(f"broker {options.address}", problem, fix)


def alerted(options: MqttOptions, reasons: Sequence[str]) -> BrokerError | None:
    """What the broker says of our certificate; None where it says nothing of it.

    Args:
        reasons: those of OpenSSL's errors, such as ``TLSV1_ALERT_UNKNOWN_CA``.
    """
    place = f"broker {options.address}"
    alerts = [reason.partition("ALERT_")[2] for reason in reasons]
    for alert in alerts:
        if alert in _NONE_SENT and options.cert_file is None:
            problem = "it lets nobody in without a client certificate"
            return BrokerError(place, problem, "write cert_file and key_file")
        if alert in _OUR_FAULT:
            why, fix = _OUR_FAULT[alert]
            problem = f"it does not accept our certificate {options.cert_file}: {why}"
            return BrokerError(place, problem, fix)
    return None


def encrypted(name: str, path: Path) -> BrokerError:
    """The key is protected by a passphrase, which nobody is there to type."""
    return BrokerError(
        f"{name} {path}",
        "cannot be used: the key in it is encrypted",
        f"write it without a passphrase: openssl pkey -in {path} -out FILE, and chmod 600 FILE",
    )
