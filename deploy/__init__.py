"""How it is run in production: files for containers, systemd and Kubernetes, made from the settings."""
