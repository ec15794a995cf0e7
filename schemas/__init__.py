"""Every interface that Segue has with the outside: records, topics, headers, metrics, settings, exit codes.

This package imports none of the others. What is written here is what users, dashboards and other
programs may rely on.
"""
