import { endianness } from "node:os";

/** An address as the tables show it: words of 32 bits in this machine's order of bytes. */
export function kernelAddress(address: string): string {
  const bytes = address.includes(":") ? bytesOfIpv6(address) : bytesOfIpv4(address);
  if (endianness() === "LE") {
    for (let word = 0; word < bytes.length; word += 4) {
      bytes.splice(word, 4, ...bytes.slice(word, word + 4).reverse());
    }
  }
  return bytes.map((byte) => hex(byte, 2)).join("");
}

function bytesOfIpv4(address: string): number[] {
  return address.split(".").map(Number);
}

function bytesOfIpv6(address: string): number[] {
  const [plain = ""] = address.split("%");
  const [head = "", tail = ""] = plain.split("::");
  const [first, last] = [groupsOf(head), groupsOf(tail)];
  return [...first, ...new Array<number>(16 - first.length - last.length).fill(0), ...last];
}

function groupsOf(part: string): number[] {
  return part
    .split(":")
    .filter((group) => group !== "")
    .flatMap((group) => {
      if (group.includes(".")) return bytesOfIpv4(group);
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 0xff];
    });
}

/** A number as the tables show it. */
export function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
