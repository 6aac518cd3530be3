"""TLS behind a CONNECT proxy, with a certificate authority of its own."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Self

import trustme

from loopback.yahoo import Yahoo


class Tunnel:
    """A proxy on loopback that ends every CONNECT at the given Yahoo, over TLS.

    Args:
        yahoo: Answers what comes through.
        trusted: Whether `environment` names the authority that signed the certificate.
        refuse: Answer every CONNECT with 403.
    """

    def __init__(self, yahoo: Yahoo, *, trusted: bool = True, refuse: bool = False) -> None:
        authority = trustme.CA()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("*.finance.yahoo.com", "*.yahoo.com").configure_cert(self._context)
        self._authority = authority if trusted else trustme.CA()
        self._yahoo, self._refuse = yahoo, refuse
        self.connects: list[str] = []
        self._server = ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self, folder: Path) -> dict[str, str]:
        """The variables that lead a process here; certificate and caches go to `folder`."""
        bundle = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(bundle))
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self._server.server_address[1]}",
            "CURL_CA_BUNDLE": str(bundle),
            "REQUESTS_CA_BUNDLE": str(bundle),
            "XDG_CACHE_HOME": str(folder / "caches"),
        }

    def _handler(self) -> type[StreamRequestHandler]:
        tunnel = self

        class Handler(StreamRequestHandler):
            rbufsize = 0  # what follows the CONNECT belongs to TLS

            def handle(self) -> None:
                request = self.rfile.readline().decode("latin-1")
                while self.rfile.readline().strip():
                    pass
                tunnel.connects.append(request.split()[1])
                if tunnel._refuse:
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                try:
                    with tunnel._context.wrap_socket(self.connection, server_side=True) as secure:
                        answerer = tunnel._yahoo.server.RequestHandlerClass
                        answerer(secure, self.client_address, tunnel._yahoo.server)
                except (ssl.SSLError, OSError):
                    pass  # the client went away, or does not trust us

        return Handler


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on loopback where nobody listens, kept from everybody else meanwhile."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield int(kept.getsockname()[1])
