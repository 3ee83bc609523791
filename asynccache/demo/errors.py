"""What can keep the demo from running, told in one line."""

from __future__ import annotations


class DemoProblem(Exception):
    """The demo cannot run; the message says why and what to do."""
