"""What e-mails carry: open pixels, click links, the unsubscribe; and who followed them."""
