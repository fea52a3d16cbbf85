"""Sends events through what the Thrift compiler has made of the definitions beside this file.

Arguments: the folder of the generated code, the port, and what to do. Prints what was answered.
"""
import sys

sys.path.insert(0, sys.argv[1])

from thrift.protocol import TBinaryProtocol, TCompactProtocol
from thrift.Thrift import TApplicationException
from thrift.transport import TSocket, TTransport

PORT, WHAT = int(sys.argv[2]), sys.argv[3]


def connect(protocol, framed=True):
    socket = TSocket.TSocket("127.0.0.1", PORT)
    socket.setTimeout(20000)
    transport = (TTransport.TFramedTransport if framed else TTransport.TBufferedTransport)(socket)
    transport.open()
    return protocol(transport)


def old_binary(transport):
    """The binary protocol with heads of its first version, which it still accepts."""
    return TBinaryProtocol.TBinaryProtocol(transport, strictRead=False, strictWrite=False)


PROTOCOLS = {
    "compact": TCompactProtocol.TCompactProtocol,
    "binary": TBinaryProtocol.TBinaryProtocol,
    "old": old_binary,
    "accelerated": TBinaryProtocol.TBinaryProtocolAccelerated,
}


def flume():
    from flumerpc import FragmentProtocol, LaterProtocol, ThriftSourceProtocol
    from flumerpc.ttypes import Fragment, LaterEvent, Status, ThriftFlumeEvent

    channel = connect(PROTOCOLS[WHAT])
    client = ThriftSourceProtocol.Client(channel)
    names = Status._VALUES_TO_NAMES
    print(names[client.append(ThriftFlumeEvent({"a": "1", "ü": "ö"}, b"single"))])
    some = [ThriftFlumeEvent({"n": str(i)}, b"batch %d" % i) for i in range(20)]
    print(names[client.appendBatch(some)])
    print(names[client.appendBatch([])])
    print(names[client.append(ThriftFlumeEvent({}, b""))])
    print(names[client.append(ThriftFlumeEvent({"big": "x" * 300}, b"y" * 200000))])
    print(names[client.append(ThriftFlumeEvent({"h%d" % i: "v" for i in range(40)}, b"many"))])
    later = LaterProtocol.Client(channel)
    event = LaterEvent(
        {"l": "1"}, b"later", True, [{1: {1.5, 2.5}}, {}], ThriftFlumeEvent({"p": "q"}, b"parent"), 1 << 40)
    print(names[later.append(event, 7)])
    print(names[later.appendBatch("tenant", [event, event])])
    try:
        print(later.discard("x"))
    except TApplicationException as e:
        print("exception", e.type)
    print(names[client.append(ThriftFlumeEvent({}, b"last"))])
    # Java's server loses its place behind this one: the connection is of no use to it any more.
    try:
        print(FragmentProtocol.Client(channel).append(Fragment(None, b"x")))
    except TApplicationException as e:
        print("exception", e.type)


def scribe():
    from scriberpc import Scribe
    from scriberpc.ttypes import LogEntry

    for name in ("binary", "old"):
        # Answers have old heads, which a strict reader refuses.
        protocol = connect(lambda t: TBinaryProtocol.TBinaryProtocol(t, strictRead=False, strictWrite=name == "binary"))
        client = Scribe.Client(protocol)
        print(client.Log([LogEntry(name, "one"), LogEntry(name, "zwei €"), LogEntry(None, "bare")]))
        print(client.Log([]))
        print(client.Log([LogEntry(name, None)]))


def legacy():
    from legacyrpc import ThriftFlumeEventServer
    from legacyrpc.ttypes import Priority, ThriftFlumeEvent

    client = ThriftFlumeEventServer.Client(connect(PROTOCOLS["binary"], framed=False))
    for i in range(100):
        client.append(ThriftFlumeEvent(1700000000000 + i, Priority.WARN, b"line %d" % i, i, "old", {"k": b"v%d" % i}))
    print(client.close())


{"scribe": scribe, "legacy": legacy}.get(WHAT, flume)()
