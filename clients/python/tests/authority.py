"""A certificate authority of a test's own, made by openssl."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Gives a server at 127.0.0.1 its certificate."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        self._openssl("req", "-x509", *KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.pem")

    @property
    def certificate(self) -> bytes:
        """Its own, as PEM."""
        return self._file("ca.pem").read_bytes()

    def settings(self) -> dict[str, str]:
        """Those of a server that it vouches for."""
        self._file("server.ext").write_text("basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n")
        self._openssl("req", *KEY, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
        signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
        asked = ("-in", "server.csr", "-extfile", "server.ext", "-days", "2")
        self._openssl("x509", "-req", *asked, *signer, "-out", "server.pem")
        return {
            "BREAKGLASS_TLS_CERT": str(self._file("server.pem")),
            "BREAKGLASS_TLS_KEY": str(self._file("server.key")),
        }

    def _file(self, name: str) -> Path:
        return self._root / self._name / name

    def _openssl(self, *args: str) -> None:
        directory = self._root / self._name
        directory.mkdir(exist_ok=True)
        subprocess.run(("openssl", *args), check=True, capture_output=True, timeout=60, cwd=directory)
