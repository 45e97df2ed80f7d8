"""TLS: which authorities are trusted, and errors that say which setting is wrong."""

from __future__ import annotations

import os
import re
import socket
from typing import Optional

from bramble.errors import BrambleError
from bramble.interpreter import missing

# An optional part of Python, which plain http does without.
try:
    import ssl
except ImportError:
    ssl = None  # type: ignore[assignment]


_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # openssl-rehash(1)


def secured(
    sock: socket.socket, host: str, ca_file: Optional[str], ca_directory: Optional[str]
) -> socket.socket:
    """Return the connection to `host` inside TLS. Raises fetch.tls for a wrong setting, OSError for the rest.

    An end of the connection that TLS does not announce is an error (RFC 8446, 6.1), not an end of the data.
    """
    # spec: build.fetch.tls
    context = _context(ca_file, ca_directory)
    # Given as text, it would be encoded by rules that ASCII needs not, with tables that a Python may lack.
    name = host.encode() if host.isascii() else host
    return context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=False)


def authorities(ca_file: Optional[str], ca_directory: Optional[str]) -> Optional[bytes]:
    """Return the certificates that the settings mean, in the form PEM, for programs that make connections of
    their own; None if nothing is set. Raises fetch.tls for a setting that names nothing.
    """
    # spec: build.fetch.tls
    if ca_file is None and ca_directory is None:
        return None
    if ssl is not None:
        _context(ca_file, ca_directory)
    files = [] if ca_file is None else [ca_file]
    for directory in filter(None, (ca_directory or "").split(":")):
        files += [f"{directory}/{name}" for name in sorted(os.listdir(directory)) if _HASHED.fullmatch(name)]
    found = []
    for path in filter(os.path.isfile, files):
        with open(path, "rb") as file:
            found.append(file.read())
    return b"\n".join(found)


def _context(ca_file: Optional[str], ca_directory: Optional[str]) -> ssl.SSLContext:
    if ssl is None:
        # spec: cli.python
        code, fact, remedy = missing("ssl")
        raise BrambleError(code, fact, remedy=f"{remedy}, or give a local copy in the mirror table")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As newer versions of Python have it (RFC 8996).
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None and ca_directory is None:
        context.load_default_certs()
        return context
    if ca_file is not None:
        _load("SSL_CERT_FILE", ca_file, os.path.isfile(ca_file), "is not a file", context)
    for directory in (ca_directory or "").split(":"):
        if directory:
            _load("SSL_CERT_DIR", directory, os.path.isdir(directory), "is not a directory", context)
    return context


def _load(variable: str, path: str, there: bool, otherwise: str, context: ssl.SSLContext) -> None:
    why = "" if there else otherwise
    if there:
        try:
            if variable == "SSL_CERT_FILE":
                context.load_verify_locations(cafile=path)
            else:
                context.load_verify_locations(capath=path)
                if not any(_HASHED.fullmatch(name) for name in os.listdir(path)):
                    why = "holds no certificate that is named by its hash (`openssl rehash`)"
        except ssl.SSLError:
            why = "holds no certificate in the form PEM"
        except OSError as error:
            why = f"cannot be read: {os.strerror(error.errno or 0)}"
    if why:
        raise BrambleError(
            "fetch.tls",
            f"{variable} is {path}, which {why}",
            remedy=f"set {variable} to certificates of authorities, or unset it",
        )


def tls_trouble(error: Exception, url: str) -> Optional[tuple[BrambleError, bool]]:
    """Return what an error of TLS means, and whether it may pass; None for another one."""
    if ssl is None or not isinstance(error, ssl.SSLError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        untrusted = "set SSL_CERT_FILE to the certificate of a private authority"
        return (
            BrambleError(
                "fetch.tls",
                f"the certificate of {url} is not trusted: {error.verify_message}",
                remedy=f"check the clock; install ca-certificates; {untrusted}",
            ),
            False,
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return None
    return (
        BrambleError(
            "fetch.tls",
            f"no secure connection for {url}: {error.reason or error}",
            remedy="check whether the server speaks TLS on this port",
        ),
        True,
    )


def is_ragged_end(error: Exception) -> bool:
    """Return whether the connection ended without the end that TLS announces."""
    return ssl is not None and isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError))
