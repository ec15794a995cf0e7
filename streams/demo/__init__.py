"""`segue demo`: the whole way, from a shop's visitors to signed webhooks, on one machine with nothing installed."""
