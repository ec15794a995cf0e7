"""What is known of a contact, and why it is where it is, for people to read."""
