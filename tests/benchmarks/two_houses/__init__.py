"""The application whose drain is measured with and without what keeps tenants apart."""
