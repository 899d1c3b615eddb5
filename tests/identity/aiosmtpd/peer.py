"""Mail servers on loopback, each on a port of its own: their names, ports and authority are the first line, what they are
given a line each. The first part of an address says what its mailbox answers. Ends when stdin closes."""

import datetime, email, email.policy, ipaddress, json, socket, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def certificate(name, key, issuer, issuer_key, until, extension, critical):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer or name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW - 9 * DAY).not_valid_after(until)
    return made.add_extension(extension, critical).sign(issuer_key, hashes.SHA256())


def pem(made):
    return made.public_bytes(serialization.Encoding.PEM)


authority_key = ec.generate_private_key(ec.SECP256R1())
authority = certificate(
    "authority", authority_key, None, authority_key, NOW + 9 * DAY, x509.BasicConstraints(ca=True, path_length=None), True)
open("authority.pem", "wb").write(pem(authority))


def context(name, until, address):
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = certificate(name, key, authority.subject, authority_key, until, names, False)
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain) + pem(made)
    open(f"{name}.pem", "wb").write(text)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(f"{name}.pem")
    return served


class Mailboxes:
    tries = {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        told = address.split("@")[0]
        self.tries[address] = self.tries.get(address, 0) + 1
        if told.startswith("gone"):
            return f"550 5.1.1 <{address}> is nobody here"
        if told.startswith("busy") and self.tries[address] <= int(told[4]):
            return "451 4.7.1 Come again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        raw = envelope.content.decode("ascii", "replace")
        told = {name: str(letter[name]) for name in ("From", "To", "Subject", "Message-ID", "Date", "Auto-Submitted")}
        told |= {"at": server.at, "mailboxes": envelope.rcpt_tos, "text": letter.get_content(), "raw": raw}
        print(json.dumps(told), flush=True)
        return "250 Taken"


def judge(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"enamel" and data.password == b"letters only, please", handled=False)


def start(name, **more):
    class Named(Controller):
        def factory(self):
            made = super().factory()
            made.at = name
            return made

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    served = Named(Mailboxes(), hostname="127.0.0.1", port=port, **more)
    served.start()
    return served


good, late = context("good", NOW + DAY, "127.0.0.1"), context("late", NOW - DAY, "127.0.0.1")
elsewhere = context("elsewhere", NOW + DAY, "127.0.0.2")
servers = {
    "starttls": start("starttls", tls_context=good, require_starttls=True),
    "implicit": start("implicit", ssl_context=good),
    "late": start("late", tls_context=late, require_starttls=True),
    "elsewhere": start("elsewhere", tls_context=elsewhere, require_starttls=True),
    "plain": start("plain"),
    "signed_in": start("signed_in", tls_context=good, require_starttls=True, auth_required=True, authenticator=judge),
}
print(json.dumps({name: served.port for name, served in servers.items()}), flush=True)
sys.stdin.read()
for served in servers.values():
    served.stop()
