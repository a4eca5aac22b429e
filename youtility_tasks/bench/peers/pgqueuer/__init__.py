"""pgqueuer with asyncpg, the driver that its documentation shows first."""
