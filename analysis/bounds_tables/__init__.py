"""One function for each table that ``python -m analysis bounds`` can print."""
