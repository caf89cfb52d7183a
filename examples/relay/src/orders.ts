import { graphql } from "relay-runtime";

export const ORDER = graphql`
  fragment orders_order on SpotOrder {
    id
    number
    status
  }
`;

/** The orders of a customer, page by page: Relay joins the pages in its store. */
export const CUSTOMER = graphql`
  fragment orders_customer on Customer
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "ordersPageQuery") {
    id
    spotOrders(first: $first, after: $after) @connection(key: "orders_spotOrders") {
      edges {
        node {
          ...orders_order
        }
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;

/** A new order stands first in the connections given, without asking for them again. */
export const PLACE = graphql`
  mutation ordersPlaceMutation($input: SpotOrderPlaceInput!, $connections: [ID!]!) {
    spotOrderPlace(input: $input) {
      order @prependNode(connections: $connections, edgeTypeName: "SpotOrderEdge") {
        ...orders_order
      }
      errors {
        __typename
        message
        ... on EndsAfterContract {
          endsBefore
          contractEndsBefore
        }
      }
    }
  }
`;

/** The order's id is enough for Relay to change it wherever it is shown. */
export const CANCEL = graphql`
  mutation ordersCancelMutation($input: SpotOrderCancelInput!) {
    spotOrderCancel(input: $input) {
      order {
        id
        status
      }
      errors {
        __typename
        message
      }
    }
  }
`;
