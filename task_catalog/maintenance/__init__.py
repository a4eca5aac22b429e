"""Nobody waits."""

from . import files, media, mqtt, queries, records

__all__ = ["files", "media", "mqtt", "queries", "records"]
