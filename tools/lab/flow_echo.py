"""The server's end of flows.py: `-m lab.flow_echo ADDRESS...` repeats what it hears on those
addresses of its own, by TCP and UDP. Prints "ready" and ends with its standard input.
"""

import contextlib
import os
import select
import socket
import sys

PORT = 7007
_PRIORITY = 30  # below koid's workers: paused between check and transmission they could send late


def make_socket(address, kind):
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def hurry():
    """This process goes before all but koid."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))


def run(addresses):
    """Ends with its standard input."""
    poller, handlers = select.poll(), {}

    def watch(sock, handler):
        sock.setblocking(False)
        handlers[sock.fileno()] = lambda: handler(sock)
        poller.register(sock, select.POLLIN)

    def drop(sock):
        poller.unregister(sock)
        del handlers[sock.fileno()]
        sock.close()

    def repeat(sock):
        try:
            data = sock.recv(65536)
            if data:
                sock.setblocking(True)  # the sender is paced: there is room
                sock.sendall(data)
                sock.setblocking(False)
            else:
                drop(sock)
        except OSError:
            drop(sock)

    def repeat_datagram(sock):
        with contextlib.suppress(OSError):
            sock.sendto(*sock.recvfrom(2048))

    for address in addresses:
        listener = make_socket(address, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, PORT))
        listener.listen()
        watch(listener, lambda sock: watch(sock.accept()[0], repeat))
        datagrams = make_socket(address, socket.SOCK_DGRAM)
        datagrams.bind((address, PORT))
        watch(datagrams, repeat_datagram)
    poller.register(sys.stdin, select.POLLIN)
    hurry()
    print("ready", flush=True)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == sys.stdin.fileno():
                return
            if descriptor in handlers:
                handlers[descriptor]()


if __name__ == "__main__":
    run(sys.argv[1:])
