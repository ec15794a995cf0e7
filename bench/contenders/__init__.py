"""What a user would pick instead of Segue, each a folder with its own requirements."""
