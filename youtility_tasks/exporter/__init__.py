"""The numbers for Prometheus: read from the database at each scrape, so that every exporter gives the same and no restart resets one."""
