"""Tokens: whose, until when; renewed and revoked."""

from datetime import datetime, timedelta
from typing import Annotated

import strawberry

from db.access import StoredToken
from resolvers import tokens as use_cases
from resolvers.access import Role
from schema.account_mutations import Payload
from schema.context import Info
from schema.errors import refusals_in_payload

DAY_SECONDS = 86_400


@strawberry.type(description="A bearer token, or a person of the OpenID Connect provider. It never shows the token.")
class AccessToken:
    number: int = strawberry.field(description="Its number, by which the history names who did something.")
    role: Role = strawberry.field(description="What it allows.")
    subject: str | None = strawberry.field(
        description="The provider's address and its name for the person. Null for tokens of our own."
    )
    created_at: datetime = strawberry.field(description="When it was made, or the person first signed in.")
    expires_at: datetime = strawberry.field(description="When it ends; persons' own tokens end earlier.")
    revoked_at: datetime | None = strawberry.field(description="When it was or will be ended. Null if it was not.")


def access_token(found: StoredToken) -> AccessToken:
    """A stored token as AccessToken."""
    return AccessToken(
        number=found.id,
        role=Role(found.role),
        subject=found.subject,
        created_at=found.created_at,
        expires_at=found.expires_at,
        revoked_at=found.revoked_at,
    )


@strawberry.input(description="How a token is renewed.")
class TokenRotateInput:
    overlap_seconds: int = strawberry.field(
        default=DAY_SECONDS, description="For so long the old token goes on, 0 to 604,800 seconds."
    )


@strawberry.type(description="The new token, or why there is none.")
class TokenRotatePayload(Payload):
    token: str | None = strawberry.field(
        default=None, description="What to sign in with: keep it, it is shown this once. Null when it was refused."
    )
    access_token: AccessToken | None = strawberry.field(
        default=None, description="What is known of it. Null when it was refused."
    )


@strawberry.input(description="A token to end.")
class TokenRevokeInput:
    number: int = strawberry.field(description="Its number.")


@strawberry.type(description="The token that was ended, or why it was not.")
class TokenRevokePayload(Payload):
    access_token: AccessToken | None = strawberry.field(
        default=None, description="What is known of it. Null when it was refused."
    )


@strawberry.type
class TokenMutations:
    """The part of Mutation about tokens."""

    @strawberry.mutation(
        description="Make a new token in place of the one that is signed in with: the same role, valid for as long."
    )
    @refusals_in_payload(TokenRotatePayload)
    async def token_rotate(
        self, info: Info, input: Annotated[TokenRotateInput, strawberry.argument(description="How.")]
    ) -> TokenRotatePayload | None:
        token, found = await use_cases.rotate(
            info.context.services, info.context.caller, timedelta(seconds=input.overlap_seconds)
        )
        return TokenRotatePayload(token=token, access_token=access_token(found))

    @strawberry.mutation(
        description="End a token at once, or shut a person out. For owners, of their own customer, and operators."
    )
    @refusals_in_payload(TokenRevokePayload)
    async def token_revoke(
        self, info: Info, input: Annotated[TokenRevokeInput, strawberry.argument(description="Which.")]
    ) -> TokenRevokePayload | None:
        found = await use_cases.revoke(info.context.services, info.context.caller, input.number)
        return TokenRevokePayload(access_token=access_token(found))
