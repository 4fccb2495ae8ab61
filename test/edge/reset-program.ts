import { connect, constants } from "node:http2";
import { setTimeout } from "node:timers/promises";

/** Resets requests as fast as it can; prints the GOAWAY codes that come. */
const [url, path] = process.argv.slice(2);
const goaways: number[] = [];
const session = connect(url!);
session.on("goaway", (code) => goaways.push(code)).on("error", () => {});
for (let sent = 0; sent < 4500 && !session.closed && !session.destroyed; sent += 250) {
  for (let i = 0; i < 250; i++) {
    const stream = session.request({ ":method": "POST", ":path": path! });
    stream.on("error", () => {}).close(constants.NGHTTP2_CANCEL);
  }
  await setTimeout(1);
}
await setTimeout(300);
process.stdout.write(JSON.stringify(goaways));
session.destroy();
