"""A process that makes network namespaces and listens in them; run by `infra.cloud.network`.

A socket belongs to the network namespace in which it was made, and only a process with one thread
can be root of a user namespace: so another process makes them and hands them over. It imports the
standard library only, is run by its path, and ends when its standard input, a Unix socket, does.

For each message received: a new namespace with its loopback interface up, one listening socket for
each port given as argument (0 for any), and one message with the namespace's descriptor and theirs.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

# From linux/sched.h, linux/sockios.h and linux/if.h.
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_BACKLOG = 128


def enter_new_namespace() -> None:
    """Move this process into a new network namespace. Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # With it come the addresses 127.0.0.1 and ::1.
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def main() -> None:
    """Answer each message on standard input with a namespace, until nobody is there to ask."""
    ports = [int(argument) for argument in sys.argv[1:]]
    with socket.socket(fileno=0) as cloud:
        while cloud.recv(1):
            try:
                enter_new_namespace()
            except OSError as error:
                sys.exit(f"unshare: {error.strerror}")
            namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
            listeners = [socket.create_server(("127.0.0.1", p), backlog=_BACKLOG) for p in ports]
            descriptors = [namespace, *(listener.fileno() for listener in listeners)]
            try:
                socket.send_fds(cloud, [b"."], descriptors)
            except BrokenPipeError:
                return
            finally:
                os.close(namespace)
                for listener in listeners:
                    listener.close()


if __name__ == "__main__":
    main()
