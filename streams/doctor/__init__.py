"""What may be wrong with a deployment: small judgements over plain facts, which `segue doctor` gathers and tells."""
