"""Contacts of a file into the log: rows | what a row becomes | what is found in the whole file | sending, resumable."""
