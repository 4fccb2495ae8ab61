import { describe, expect, it } from "vitest";
import { imageViolation } from "../../src/agent/image-violation.ts";

const PNG = "\x89PNG\r\n\x1a\n";
const LIMITS = {
  mediaTypes: ["image/png", "image/jpeg", "image/gif", "image/webp", "image/heic"],
  maxBytes: 1000,
};

function fieldOf(mediaType: string, latin1: string, limits = LIMITS): string | undefined {
  const data = new Uint8Array(Buffer.from(latin1, "latin1"));
  return imageViolation(limits, { mediaType, data })?.field;
}

describe("an image for an agent", () => {
  it.each([
    ["image/png", PNG],
    ["image/jpeg", "\xff\xd8\xff"],
    ["image/gif", "GIF89a"],
    ["image/gif", "GIF87a"],
    ["image/webp", "RIFF\n\0\0\nWEBP"],
  ])("of the type %s is taken only with bytes of it", (mediaType, beginning) => {
    expect(fieldOf(mediaType, `${beginning}rest`)).toBeUndefined();
    for (const wrong of ["", "x", beginning.slice(0, -1), ` ${beginning}`])
      expect(fieldOf(mediaType, wrong)).toBe("data");
  });

  it("is not taken under the type of another, nor of one that the agent does not take", () => {
    expect(fieldOf("image/jpeg", PNG)).toBe("data");
    for (const mediaType of ["image/svg+xml", "image/bmp", "image/x-png"])
      expect(fieldOf(mediaType, PNG)).toBe("mediaType");
    expect(fieldOf("image/gif", "GIF89a", { ...LIMITS, mediaTypes: ["image/png"] })).toBe(
      "mediaType",
    );
  });

  it("of a type whose bytes are not known here is taken unless they are another's", () => {
    expect(fieldOf("image/heic", "whatever")).toBeUndefined();
    expect(fieldOf("image/heic", PNG)).toBe("data");
  });

  it("has at most what the agent says", () => {
    expect(fieldOf("image/png", PNG.padEnd(1000, "x"))).toBeUndefined();
    expect(fieldOf("image/png", PNG.padEnd(1001, "x"))).toBe("data");
  });
});
