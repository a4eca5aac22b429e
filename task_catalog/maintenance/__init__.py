"""Nobody waits."""

from . import files, heartbeat, media, mqtt, queries, records, sessions

__all__ = ["files", "heartbeat", "media", "mqtt", "queries", "records", "sessions"]
