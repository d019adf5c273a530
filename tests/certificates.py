"""Certificates of the tests' own, as PEM files."""
import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def make(folder, name, *others, begins=-100, days=90, kind="ec", stem=None, names=None):
    """A certificate for these names, signed by itself; the paths of it and of its key. `names`:
    other ones than these in subjectAltName, or none at all."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else \
        rsa.generate_private_key(65537, int(kind))
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = (name, *others) if names is None else names
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=-begins))
        .not_valid_after(now + datetime.timedelta(days=days)))
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([general(n) for n in names]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    stem = folder / (stem or name)
    paths = f"{stem}.pem", f"{stem}.key"
    with open(paths[0], "wb") as f:
        f.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(paths[1], "wb") as f:
        f.write(key.private_bytes(serialization.Encoding.PEM,
                                  serialization.PrivateFormat.PKCS8,
                                  serialization.NoEncryption()))
    return paths
