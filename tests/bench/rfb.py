# SPDX-License-Identifier: GPL-2.0-only
"""As much of a VNC viewer as moves a pointer and presses keys (RFC 6143): it
asks for no picture."""

import socket
import struct

VERSION = b"RFB 003.008\n"
NO_PASSWORD = 1


class Viewer:
    """A connection; width and height: of the screen. sock: one that stands."""

    def __init__(self, port, address="127.0.0.1", sock=None):
        self.sock = sock
        if sock is None:
            self.sock = socket.create_connection((address, port), 20)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._shake_hands()
        except OSError:
            self.sock.close()
            raise

    def _read(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise ConnectionError("the VNC server has hung up")
            data += more
        return data

    def _shake_hands(self):
        version = self._read(len(VERSION))
        if version < VERSION:
            raise ConnectionError(f"the VNC server is an old one: {version}")
        self.sock.sendall(VERSION)
        if NO_PASSWORD not in self._read(self._read(1)[0]):
            raise ConnectionError("the VNC server wants a password")
        self.sock.sendall(bytes([NO_PASSWORD]))
        if self._read(4) != bytes(4):
            raise ConnectionError("the VNC server refuses")
        self.sock.sendall(b"\1")        # others may look, too
        self.width, self.height, _, name = struct.unpack(
            ">HH16sI", self._read(24))
        self._read(name)
        # raw pixels; QEMU decides then whether the pointer is an absolute one
        self.sock.sendall(struct.pack(">BxHi", 2, 1, 0))

    def point(self, x, y, buttons=0):
        """The pointer is there."""
        self.sock.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def press(self, keysym):
        """A key goes down and up; keysym: X11's."""
        for down in (1, 0):
            self.sock.sendall(struct.pack(">BBHI", 4, down, 0, keysym))

    def close(self):
        """Hangs up."""
        self.sock.close()
