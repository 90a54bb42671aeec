"""Redis itself, Debian's, beside Valkey: alone, with TLS, and under a Sentinel."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ports import free_port


def find_redis_server() -> str:
    """Return the path of the program; without it a test is skipped, or fails in CI."""
    path = shutil.which("redis-server")
    if path is None:
        reason = "redis-server is not installed: apt-get install redis-server"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


class RedisServer:
    """One process, which may be killed, stopped for a while, and started again.

    Args:
        settings: Lines of its configuration; ``{folder}`` is a folder of its own.
        mode: ``--sentinel``, or nothing.
    """

    def __init__(self, *settings, mode=(), port=None, tls=None):
        self.port = port or free_port()
        self.tls = tls
        self.folder = Path(tempfile.mkdtemp(prefix="redis-test-"))
        listen = f"tls-port {self.port}\nport 0" if tls else f"port {self.port}"
        lines = [listen, "bind 127.0.0.1", f"dir {self.folder}", *settings]
        self._config = self.folder / "redis.conf"
        self._config.write_text("\n".join(lines) + "\n")
        self._command = [find_redis_server(), str(self._config), *mode]
        self.process = None

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                with self.client() as client:
                    client.ping()
            except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
                return self
            except redis.ConnectionError:
                time.sleep(0.05)
            else:
                return self
        raise RuntimeError(f"no Redis on port {self.port}")

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def client(self):
        tls = {"ssl": True, "ssl_ca_certs": str(self.tls.authority)} if self.tls else {}
        client = redis.Redis(
            host="127.0.0.1", port=self.port, decode_responses=True, **tls
        )
        try:
            yield client
        finally:
            client.close()


class Certificates:
    """An authority, and what it has signed for 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "authority.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        root, key = (
            ec.generate_private_key(ec.SECP256R1()),
            ec.generate_private_key(ec.SECP256R1()),
        )
        local = x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        # Python checks by RFC 5280 since 3.13: whoever signs must say so.
        signs = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        authority = _sign("authority", root, root, signs, is_authority=True)
        _write(self.authority, authority)
        _write(self.certificate, _sign("server", key, root, local))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _sign(name, key, root, *extensions, is_authority=False):
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()),
            critical=False,
        )
    )
    for extension in extensions:
        critical = isinstance(extension, x509.KeyUsage)
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(root, hashes.SHA256())


@contextmanager
def redis_server(*settings, **options):
    server = RedisServer(*settings, **options)
    try:
        yield server.start()
    finally:
        server.close()
