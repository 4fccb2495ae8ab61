/** Recorded when the turn ends: until then it is its newest event's, so that an append need not write the turn's row too. */
export const LAST_SEQUENCE = `iif(turns.end_time IS NULL,
  coalesce((SELECT max(sequence) FROM events WHERE events.turn_key = turns.turn_key), 0), turns.end_sequence) AS last_sequence`;
