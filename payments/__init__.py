"""Card payments through a provider: Stripe, or a demo that moves no money."""
