"""Read what comes in: sources, credentials, cross-origin rules and public paths."""
