/** A day of the customer's calendar, such as 2026-05-01. Not a JavaScript Date, which would be an instant. */
export type Day = `${number}-${number}-${number}`;

/** An instant with its offset, such as 2026-04-10T03:00:00+00:00. */
export type Instant = `${Day}T${string}`;
