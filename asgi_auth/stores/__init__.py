"""Where sessions and revocations live: in memory, in SQL, or in Redis."""
