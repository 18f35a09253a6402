"""A real mail server (aiosmtpd) that says what it took, one line of JSON a mail.

Addresses tell what becomes of a mail: never@ is refused for good, later@ for
now, full@ when the mail itself is there, and mails of more alerts than --most-alerts are too
large; clingy@ gets it and no goodbye is said. The
answer to endless@ is a line of many megabytes.
"""

import argparse
import asyncio
import email
import json
import re
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


def alerts_in(content):
    """The ids of the alerts that the text part lists, each on a line of its own."""
    text = email.message_from_bytes(content).get_payload(0).get_payload(decode=True)
    pattern = r"^    ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\r?$"
    return re.findall(pattern, text.decode(), re.MULTILINE)


class Keep:
    def __init__(self, most_alerts):
        self.most_alerts = most_alerts

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("never@"):
            return "550 5.1.1 nobody of that name"
        if address.startswith("later@"):
            return "451 4.7.1 greylisted"
        if address.startswith("endless@"):
            return "250 " + "x" * (64 << 20)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if any(to.startswith("full@") for to in envelope.rcpt_tos):
            return "552 5.2.2 mailbox full"
        ids = alerts_in(envelope.content)
        if self.most_alerts and len(ids) > self.most_alerts:
            return "552 5.3.4 Message size exceeds fixed limit"
        mail = {
            "alerts": ids,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "login": session.auth_data,
            "whole": envelope.content.decode(),
        }
        print(json.dumps(mail), flush=True)
        session.clingy = any(to.startswith("clingy@") for to in envelope.rcpt_tos)
        return "250 2.0.0 kept"

    async def handle_QUIT(self, server, session, envelope):
        if getattr(session, "clingy", False):
            await asyncio.sleep(3600)
        return "221 bye"


def login(server, session, envelope, mechanism, data):
    user, password = data.login.decode(), data.password.decode()
    good = (user, password) == ("advisoryd", "hunter2-hunter2")
    return AuthResult(success=good, handled=good, auth_data=user)


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tls", choices=["none", "starttls", "tls"], default="none")
    arguments.add_argument("--certificate")
    arguments.add_argument("--key")
    arguments.add_argument("--login", action="store_true")
    arguments.add_argument("--most-alerts", type=int)
    chosen = arguments.parse_args()
    context = None
    if chosen.tls != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(chosen.certificate, chosen.key)
    starttls = chosen.tls == "starttls"

    def talk():
        return SMTP(
            Keep(chosen.most_alerts),
            hostname="mail.test",
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=login if chosen.login else None,
            auth_required=chosen.login,
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        talk, "127.0.0.1", 0, ssl=context if chosen.tls == "tls" else None
    )
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
