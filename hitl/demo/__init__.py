"""The demo: a stream with planted truth, a Label Studio of its own, and people who work there through the API."""
