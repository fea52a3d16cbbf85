"""Sends events to a thrift source that wants Kerberos, with the code that the Thrift compiler makes of flume.thrift and the
GSS-API of MIT Kerberos: no library of Flume, Java or this project.

Arguments: the folder of the code, the port, the service (flume@localhost), and what to do:
  send N     send N events as one batch, and one more alone
  act NAME   ask to act as somebody else
  repeat     show the source a request that it has seen before
Prints the statuses of the calls, or what the source refuses with.
"""
import socket
import struct
import sys

import gssapi

sys.path.insert(0, sys.argv[1])
from flumerpc import ThriftSourceProtocol  # noqa: E402
from flumerpc.ttypes import ThriftFlumeEvent  # noqa: E402
from thrift.protocol.TCompactProtocol import TCompactProtocol  # noqa: E402
from thrift.transport import TTransport  # noqa: E402

START, OK, BAD, ERROR, COMPLETE = range(1, 6)


class Refused(Exception):
    pass


class Sasl(TTransport.TTransportBase, TTransport.CReadableTransport):
    """Thrift's SASL transport for GSSAPI, without protection of messages."""

    def __init__(self, port):
        self.sock = socket.create_connection(("localhost", port))
        self.sock.settimeout(20)
        self.out, self.inp = b"", b""

    def exactly(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise EOFError("the source has closed the connection")
            data += piece
        return data

    def say(self, status, payload):
        self.sock.sendall(struct.pack(">BI", status, len(payload)) + payload)

    def hear(self):
        status, size = struct.unpack(">BI", self.exactly(5))
        payload = self.exactly(size)
        if status in (BAD, ERROR):
            raise Refused(payload.decode())
        return status, payload

    def negotiate(self, service, name=b"", request=None):
        target = gssapi.Name(service, gssapi.NameType.hostbased_service)
        flags = gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.out_of_sequence_detection
        context = gssapi.SecurityContext(name=target, usage="initiate", flags=flags)
        token = request or context.step()
        self.say(START, b"GSSAPI")
        self.say(OK, token)
        status, reply = self.hear()
        if request:
            return token
        context.step(reply)
        assert context.complete, "the source has not shown who it is"
        self.say(OK, b"")
        status, offer = self.hear()
        offer = context.unwrap(offer).message
        assert status == OK and offer == b"\x01\0\0\0", offer
        self.say(OK, context.wrap(b"\x01\0\0\0" + name, False).message)
        status, last = self.hear()
        assert (status, last) == (COMPLETE, b""), (status, last)
        return token

    def read(self, n):
        if not self.inp:
            self.inp = self.exactly(struct.unpack(">I", self.exactly(4))[0])
        data, self.inp = self.inp[:n], self.inp[n:]
        return data

    def write(self, data):
        self.out += data

    def flush(self):
        self.sock.sendall(struct.pack(">I", len(self.out)) + self.out)
        self.out = b""


def main():
    port, service, what = int(sys.argv[2]), sys.argv[3], sys.argv[4]
    transport = Sasl(port)
    if what == "act":
        transport.negotiate(service, sys.argv[5].encode())
    elif what == "repeat":
        seen = transport.negotiate(service)
        Sasl(port).negotiate(service, request=seen)
    else:
        transport.negotiate(service)
        client = ThriftSourceProtocol.Client(TCompactProtocol(transport))
        events = [ThriftFlumeEvent({"n": str(i)}, b"python %d" % i) for i in range(int(sys.argv[5]))]
        print(client.appendBatch(events))
        print(client.append(ThriftFlumeEvent({}, b"last")))


try:
    main()
except Refused as refusal:
    print("refused:", refusal)
except gssapi.exceptions.GSSError as failure:
    print("failed:", failure)
