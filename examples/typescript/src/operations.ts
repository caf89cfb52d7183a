import { graphql } from "./gql/gql.js";

export const Start = graphql(`
  query Start {
    viewer {
      role
      customer {
        name
        today
        mainContract { endsBefore accountsPerUnit terms { planCode accounts startsOn endsBefore } }
      }
    }
  }
`);

export const Capacity = graphql(`
  query Capacity($from: Date!, $until: Date!) {
    customer { capacityTimeline(from: $from, until: $until) { from until accounts } }
  }
`);

export const Recommend = graphql(`
  query Recommend($input: RecommendInput!) {
    spotPlanRecommend(input: $input) { ...Plan }
  }
`);

export const Search = graphql(`
  subscription Search($input: RecommendInput!) {
    recommendationSearch(input: $input) { ...Plan }
  }
`);

export const Plan = graphql(`
  fragment Plan on Recommendation {
    status
    netTotal { minorUnits amount currency }
    lowerBound { minorUnits }
    orders { accounts startsOn lastDay months kind price { total { minorUnits } } reason }
  }
`);

export const Preview = graphql(`
  query Preview($input: SpotOrderInput!) {
    spotOrderPreview(input: $input) {
      lastDay
      price { total { minorUnits } }
      termsVersion
      refusals { ...Refusal }
    }
  }
`);

export const Place = graphql(`
  mutation Place($input: SpotOrderPlaceInput!) {
    spotOrderPlace(input: $input) {
      order { id number status placedAt expiresAt price { total { minorUnits } } }
      errors { ...Refusal }
    }
  }
`);

export const Checkout = graphql(`
  mutation Checkout($input: SpotOrderCheckoutInput!) {
    spotOrderCheckout(input: $input) {
      order { id status paymentDueOn }
      errors { ...Refusal }
    }
  }
`);

/** The refusals this program has an answer to, with their numbers; all others with what every refusal says. */
export const Refusal = graphql(`
  fragment Refusal on UserError {
    code
    message
    field
    ... on EndsAfterContract { endsBefore contractEndsBefore }
    ... on AccountsNotMultiple { accounts accountsPerUnit }
    ... on TermsNotAgreed { currentVersion }
    ... on PriceChanged { expectedTotal currentTotal }
  }
`);

export const Orders = graphql(`
  query Orders($first: Int!, $after: String) {
    customer {
      spotOrders(first: $first, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        edges { node { number status accounts startsOn lastDay } }
      }
    }
  }
`);
