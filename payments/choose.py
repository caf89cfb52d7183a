"""The provider that the settings name."""

from pathlib import Path

from payments.demo import DemoProvider
from payments.provider import PaymentProvider


def provider_of(
    name: str,
    *,
    stripe_api_key: str = "",
    stripe_webhook_secret: str = "",
    stripe_base: str = "",
    demo_secret: str = "",
    demo_journal: Path | None = None,
) -> PaymentProvider | None:
    """The provider called ``demo`` or ``stripe``; None for ``none``: no payments by card.

    To be made, used and closed in one event loop. An empty ``stripe_base`` is Stripe's own address.

    Raises:
        ValueError: there is no such provider, or it needs a secret that is empty. Secrets are not in the message.
    """
    if name == "none":
        return None
    if name == "demo":
        if not demo_secret:
            raise ValueError("payments by demo need a secret to sign events")
        return DemoProvider(demo_secret, demo_journal)
    if name == "stripe":
        if not stripe_api_key or not stripe_webhook_secret:
            raise ValueError("payments by stripe need an API key and the secret of a webhook")
        # Half a second that nobody else should wait for.
        from payments.stripe import API_BASE, StripeProvider  # noqa: PLC0415

        return StripeProvider(stripe_api_key, stripe_webhook_secret, base=stripe_base or API_BASE)
    raise ValueError(f"there is no payment provider {name!r}: demo, stripe or none")
