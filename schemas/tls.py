"""The files that a TLS connection needs, checked when a program starts, so that no client meets a bad one later."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

from pydantic import SecretStr


class TlsFiles(NamedTuple):
    """Whom to trust, and who we are. All PEM; without an authority the system's are trusted."""

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    """None: it lies in the certificate's file."""
    key_password: SecretStr | None = None
    check_hostname: bool = True
    """Whether the server's certificate must be for the name that it was reached by."""

    @property
    def key_file(self) -> Path | None:
        """Where the key lies."""
        return self.key or self.certificate

    @property
    def password(self) -> str | None:
        """Of the key."""
        return None if self.key_password is None else self.key_password.get_secret_value()

    def context(self) -> ssl.SSLContext:
        """What Python's own TLS needs. Raises `ValueError` that says which file is bad, and why."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except ssl.SSLError:
            raise ValueError(f"{self.authority}: expected certificates of authorities in PEM") from None
        except OSError as error:
            raise ValueError(f"{self.authority}: expected a file that can be read: {error.strerror}") from None
        context.check_hostname = self.check_hostname
        if self.certificate is not None:
            self._identify(context, self.certificate)
        return context

    def _identify(self, context: ssl.SSLContext, certificate: Path) -> None:
        for path in (certificate, self.key_file or certificate):
            try:
                path.read_bytes()
            except OSError as error:
                raise ValueError(f"{path}: expected a file that can be read: {error.strerror}") from None
        try:
            # Without a function for the password OpenSSL would ask whoever sits at the terminal.
            context.load_cert_chain(certificate, self.key_file, lambda: self.password or "")
        except ssl.SSLError as error:
            reason = (error.reason or "no PEM").replace("_", " ").lower()
            raise ValueError(
                f"{certificate}, {self.key_file}: expected a certificate, its key, and the password of the key if it "
                f"has one: {reason}"
            ) from None
