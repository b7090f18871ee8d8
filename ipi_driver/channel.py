"""One connection to i-PI: what arrives goes to the conversation, and its replies go back."""

from __future__ import annotations

import socket

from ipi_driver.protocol import Conversation

__all__ = ["Channel"]


class Channel:
    """A connection: socket and conversation.

    Attributes
    ----------
    is_lost
        Whether the server has gone.
    """

    def __init__(self, connected: socket.socket, conversation: Conversation) -> None:
        self.socket = connected
        self.conversation = conversation
        self.is_lost = False

    def receive(self, buffer: bytearray) -> None:
        """Read what is there and reply where the protocol asks for it."""
        try:
            size = self.socket.recv_into(buffer)
        except OSError:
            size = 0
        self.is_lost = size == 0
        if size:
            self.send(self.conversation.receive(memoryview(buffer)[:size]))

    def send(self, data: bytes) -> None:
        """Send all; a server that is gone shows in `is_lost`."""
        if not data:
            return
        try:
            self.socket.sendall(data)
        except OSError:
            self.is_lost = True

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.is_lost or self.conversation.has_ended
