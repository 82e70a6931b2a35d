"""A TLS front for a server that speaks none: a certificate for 127.0.0.1 from an authority of its own."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CHUNK = 65536
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


class TlsFront:
    """`ca_file` has the authority's certificate."""

    def __init__(self, upstream: int, folder: Path) -> None:
        self._upstream = upstream
        self.ca_file = folder / "ca.pem"
        self._chain = folder / "server.pem"
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        _write_certificates(self.ca_file, self._chain)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self._chain)
        self._listener = await self._listen()
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)

    async def _serve(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        from_server, server = await asyncio.open_connection("127.0.0.1", self._upstream)
        for source, target in ((from_client, server), (from_server, client)):
            task = asyncio.create_task(_pass_on(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


class PostgresTlsFront(TlsFront):
    """PostgreSQL's clients first ask in the clear whether there is TLS. `greeted`: how many did."""

    greeted = 0

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._greet, "127.0.0.1", 0)

    async def _greet(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if await from_client.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
            client.close()
            return
        client.write(b"S")
        try:
            await client.start_tls(self.context)
        except (OSError, ssl.SSLError):
            client.close()  # it did not like the certificate
            return
        self.greeted += 1
        await self._serve(from_client, client)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    except (OSError, ssl.SSLError):
        pass  # a side went away
    finally:
        target.close()


def _write_certificates(ca_file: Path, chain: Path) -> None:
    now = datetime.now(UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority, name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, word)]) for word in ("tests", "127.0.0.1"))

    def certificate(subject: x509.Name, of: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    signer = (
        certificate(authority, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    server = (
        certificate(name, key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    ca_file.write_bytes(signer.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + server.public_bytes(pem))
