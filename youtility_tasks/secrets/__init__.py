"""Arguments that nobody may read: marked in the signature, sealed in the row, opened in the child, scrubbed from what it says."""
