"""The schema itself: what is committed, described, and named."""

from dataclasses import fields
from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    is_introspection_type,
    is_specified_scalar_type,
)
from graphql import (
    build_schema as parse_schema,
)

from domain.errors import RuleError
from schema.app import build_schema
from settings import Settings

SDL = build_schema(Settings()).as_str() + "\n"
FILE = Path(__file__).parents[2] / "schema" / "schema.graphql"


def built() -> GraphQLSchema:
    return parse_schema(SDL)


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    assert FILE.read_text("utf-8") == SDL, "renew it with: spotplan schema > schema/schema.graphql"


def test_every_element_is_described() -> None:
    missing = []
    for name, kind in built().type_map.items():
        if is_introspection_type(kind) or is_specified_scalar_type(kind):
            continue
        if not kind.description:
            missing.append(name)
        if isinstance(kind, GraphQLEnumType):
            missing += [f"{name}.{value}" for value, item in kind.values.items() if not item.description]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            missing += [f"{name}.{field}" for field, item in kind.fields.items() if not item.description]
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            missing += [
                f"{name}.{field}({argument})"
                for field, item in kind.fields.items()
                for argument, given in item.args.items()
                if not given.description
            ]
    assert missing == []


def test_every_null_has_a_documented_meaning() -> None:
    vague = [
        f"{name}.{field}"
        for name, kind in built().type_map.items()
        if isinstance(kind, GraphQLObjectType) and not is_introspection_type(kind) and name != "Mutation"
        for field, item in kind.fields.items()
        if not str(item.type).endswith("!") and "null" not in (item.description or "").lower()
    ]
    assert vague == []


def test_every_rule_error_is_a_user_error_with_its_numbers() -> None:
    schema = built()
    for rule in RuleError.__subclasses__():
        kind = schema.type_map[rule.__name__]
        assert isinstance(kind, GraphQLObjectType)
        assert [interface.name for interface in kind.interfaces] == ["UserError"]
        assert len(kind.fields) == 2 + len(fields(rule))  # code, message


def test_the_names_of_the_surface() -> None:
    schema = built()
    assert schema.query_type is not None
    assert schema.mutation_type is not None
    assert list(schema.query_type.fields) == [
        "viewer",
        "node",
        "plans",
        "taxRates",
        "customers",
        "customer",
        "spotOrderPreview",
        "deactivationPreview",
        "signInAllowed",
        "contractOrderPreview",
        "spotPlanRecommend",
    ]
    assert list(schema.mutation_type.fields) == [
        "spotOrderPlace",
        "spotOrderCheckout",
        "spotOrderCancel",
        "mainContractOrder",
        "mainContractRenew",
        "mainContractUpgrade",
        "additionalLicenceOrder",
        "mainContractCancelRenewal",
        "purchaseCheckout",
        "purchaseCancel",
        "paymentRecord",
        "refundRecord",
        "recommendationSave",
        "recommendationOrder",
        "quoteIssue",
        "quoteAccept",
        "accountRegister",
        "accountImport",
        "accountSuspend",
        "accountReactivate",
        "accountDelete",
        "accountProtect",
        "accountGroupsChange",
        "accountGroupDelete",
        "deactivationPolicySet",
        "planPriceSet",
        "taxRateSet",
        "testClockAdvance",
        "webhookEndpointAdd",
        "webhookEndpointRemove",
        "webhookEndpointEnable",
        "webhookEndpointRotateSecret",
        "webhookReplay",
        "tokenRotate",
        "tokenRevoke",
    ]
