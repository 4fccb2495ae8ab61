import { describe, expect, it } from "vitest";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { DEAF, running, startLimited } from "./limited-server.ts";

describe.concurrent("a defect that nothing caught", () => {
  it.each([
    ["an exception", "throw new Error('thrown on purpose')"],
    ["a rejection", "void Promise.reject(new Error('thrown on purpose'))"],
  ])(
    "that is %s is logged whole and ends the server with what its turns run",
    async (_what, deed) => {
      const preload = `process.on("SIGUSR2",()=>{${deed}})`;
      const url = `data:text/javascript,${encodeURIComponent(preload).replaceAll("'", "%27")}`;
      await using limited = await startLimited("as it is", { NODE_OPTIONS: `--import=${url}` });
      const { server } = limited;
      using connection = connect(server.url);
      await using _reader = await running(
        connection.client,
        script("ignore", `child ${DEAF}`, "say up", "hang"),
      );
      expect(limited.processes().length).toBeGreaterThanOrEqual(2);
      expect(await server.end("SIGUSR2")).toBe(70);
      expect(await eventually(limited.processes, (pids) => pids.length === 0)).toEqual([]);
      const line = limited.log().find(({ message }) => message === "the server ends by a defect");
      expect(line).toMatchObject({
        level: "error",
        error: { message: "thrown on purpose", stack: expect.stringContaining("at ") },
      });
    },
  );
});
