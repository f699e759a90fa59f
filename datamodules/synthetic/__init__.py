"""Writers of small, deterministic stand-ins in the on-disk formats of the real corpora."""
