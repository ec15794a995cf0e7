"""Finds machines by what is known only afterwards: by several events of a contact, seen together."""
