"""A real SMTP server in a process of its own: STARTTLS, login, refusals and temporary failures on demand."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

USER, PASSWORD = "reporter", "correct horse battery"


@dataclass
class Server:
    """What a test sees of it."""

    folder: Path
    port: int = 0
    options: dict = field(default_factory=dict)
    process: subprocess.Popen | None = None

    def start(self, **options) -> Server:
        """Options: tls (starttls, tls, none), login, defer (first N messages get 451), refuse and later (addresses)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.options = options
        command = [sys.executable, __file__, str(self.folder), str(self.port), json.dumps(options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process.stdout.close()
            self.process = None

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def messages(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]


class Handler:
    def __init__(self, folder, options):
        self.folder = folder
        self.options = options
        self.deferred = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):  # noqa: N802, ARG002 - aiosmtpd's
        if address in self.options.get("refuse", ()):
            return "550 5.1.1 no such user"
        if address in self.options.get("later", ()):
            return "450 4.2.0 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802, ARG002 - aiosmtpd's
        if self.deferred < self.options.get("defer", 0):
            self.deferred += 1
            return "451 4.3.0 try again later"
        number = len(list(self.folder.glob("*.json")))
        record = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("ascii"),
            "tls": session.ssl is not None or self.options.get("tls") == "tls",
            "login": bool(session.authenticated),
        }
        (self.folder / f"{number:03}-{time.time_ns()}.json").write_text(json.dumps(record))
        return "250 OK"


async def serve(folder: Path, port: int, options: dict) -> None:
    import trustme
    from aiosmtpd.smtp import SMTP, AuthResult

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    def authenticate(server, session, envelope, mechanism, data):
        good = (data.login.decode(), data.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=good, handled=good)

    tls = options.get("tls", "starttls")
    handler = Handler(folder, options)

    def session():
        return SMTP(
            handler,
            hostname="localhost",
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=authenticate if options.get("login") else None,
            auth_required=bool(options.get("login")),
            auth_require_tls=tls == "starttls",
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", port, ssl=context if tls == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the port, for the parent
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])))
