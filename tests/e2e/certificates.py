"""A test's own certificate world: one root that the gateway trusts towards origins, and what hangs below it."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    return datetime.datetime.utcnow().replace(microsecond=0)


def subject_name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Identity:
    """A private key and its chain, as the files that servers want."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain_file: Path
    key_file: Path

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


class CaWorld:
    """The root, and identities issued below it. Files go to `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._serial = itertools.count(1)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(
            "tollgate e2e root",
            self.key.public_key(),
            "tollgate e2e root",
            self.key,
            ca=True,
            not_before=now() - 30 * DAY,
            not_after=now() + 365 * DAY,
        )
        self.root_file = self._write("root.pem", [self.certificate])

    def identity(
        self,
        *names: str,
        common_name: str | None = None,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        self_signed: bool = False,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    ) -> Identity:
        """A leaf for `names` (host names or IP addresses); valid for a month unless told otherwise."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = common_name if common_name is not None else names[0]
        issuer = subject if self_signed else "tollgate e2e root"
        certificate = self._sign(
            subject,
            key.public_key(),
            issuer,
            key if self_signed else self.key,
            names=names,
            not_before=not_before or now() - DAY,
            not_after=not_after or now() + 30 * DAY,
            usage=usage,
        )
        stem = f"{next(self._serial)}-{subject.replace(':', '_').replace('*', 'any')}"
        key_file = self.folder / f"{stem}.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Identity(certificate, key, self._write(f"{stem}.pem", [certificate]), key_file)

    def _write(self, name: str, chain: list[x509.Certificate]) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain))
        return path

    def _sign(
        self, subject: str, public_key, issuer: str, signer, *, not_before, not_after, names=(), ca=False, usage=None
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject_name(subject))
            .issuer_name(subject_name(issuer))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=1 if ca else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
            .add_extension(key_usage(ca), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(signer, hashes.SHA256())


def key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


# Python hides truncation unless this is off (OpenSSL's SSL_OP_IGNORE_UNEXPECTED_EOF).
_IGNORE_UNEXPECTED_EOF = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0x80)


def server_context(
    identity: Identity,
    *,
    alpn: tuple[str, ...] = (),
    maximum: ssl.TLSVersion | None = None,
    minimum: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.options &= ~_IGNORE_UNEXPECTED_EOF
    context.load_cert_chain(identity.chain_file, identity.key_file)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if maximum:
        context.maximum_version = maximum
    if minimum:
        context.minimum_version = minimum
    return context


def client_context(
    anchor: Path | None,
    *,
    alpn: tuple[str, ...] = (),
    maximum: ssl.TLSVersion | None = None,
    minimum: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """Trusts only `anchor`; with None it takes any certificate, for tests that look at it themselves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~_IGNORE_UNEXPECTED_EOF
    if anchor is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(anchor)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if maximum:
        context.maximum_version = maximum
    if minimum:
        context.minimum_version = minimum
    return context
