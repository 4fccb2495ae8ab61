import { randomUUID } from "node:crypto";

/** A message that tells of nothing: by it an operator sees whether a receiver takes them. */
export interface TestMessage {
  /** Its `webhook-id`: another one each time. */
  readonly id: string;
  readonly body: string;
}

/** Makes one, in the form of all others. @param time - When it is sent. */
export function testMessage(time: Date): TestMessage {
  const data = { title: "A test: breakglass can notify this receiver" };
  const body = { type: "notification.test", timestamp: time.toISOString(), data };
  return { id: `msg_test_${randomUUID()}`, body: JSON.stringify(body) };
}
