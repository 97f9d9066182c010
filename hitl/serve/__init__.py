"""Answering Label Studio while a campaign goes on: its newest model predicts, and rounds begin by themselves.

Label Studio asks for predictions by its ML-backend protocol and tells of answers by webhooks. What it tells are only
hints to look sooner: everything also happens by looking now and then.
"""

from hitl.serve.running import Serving, serve

__all__ = ["Serving", "serve"]
