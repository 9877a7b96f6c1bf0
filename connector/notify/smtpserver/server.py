# A real mail server for tests: aiosmtpd, from Debian's package. How it answers is decided by the local part of the
# recipient; what it takes is written into files. The argument is a JSON file.
import asyncio
import itertools
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

with open(sys.argv[1]) as f:
    conf = json.load(f)
numbers = itertools.count(1)
seen = set()


def first(what):
    new = what not in seen
    seen.add(what)
    return new


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.7.1 this sender may not send here"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        who = address.split("@")[0]
        if who == "nobody":
            return "550 5.1.1 no such user here"
        if who == "grey" and first(address):
            return "450 4.2.0 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos[0]
        who = to.split("@")[0]
        if who == "full":
            return "552 5.2.2 mailbox full"
        if who == "cut" and first(to):  # before the mail is taken
            server.transport.abort()
            return "250 2.0.0 Ok"
        if who == "slow":
            await asyncio.sleep(conf["slow"])
        n = next(numbers)
        with open("%s/%04d.new" % (conf["dir"], n), "wb") as f:
            f.write(b"X-Envelope-To: " + to.encode() + b"\r\n" + envelope.original_content)
        os.rename("%s/%04d.new" % (conf["dir"], n), "%s/%04d.eml" % (conf["dir"], n))
        if who == "lost" and first(to):  # after it is taken, and before that is said
            server.transport.abort()
        return "250 2.0.0 Ok: queued as %d" % n


def authenticate(server, session, envelope, mechanism, data):
    ok = isinstance(data, LoginPassword) and data.login.decode() == conf["user"] and data.password.decode() == conf["password"]
    return AuthResult(success=ok, handled=False, message=None if ok else "535 5.7.8 bad credentials")


async def main():
    context = None
    if conf["tls"] != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(conf["cert"], conf["key"])
    starttls = conf["tls"] == "starttls"

    def factory():
        return SMTP(
            Handler(), hostname="mx.test", tls_context=context if starttls else None, require_starttls=starttls,
            authenticator=authenticate, auth_required=bool(conf["user"]), auth_require_tls=starttls, timeout=60)

    server = await asyncio.get_running_loop().create_server(
        factory, "127.0.0.1", conf["port"], ssl=context if conf["tls"] == "implicit" else None)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())
