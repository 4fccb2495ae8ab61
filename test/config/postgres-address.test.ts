import { describe, expect, it } from "vitest";
import { readPostgresAddress } from "../../src/config/postgres-address.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";

const NO_FILES = { rootCert: undefined, cert: undefined, key: undefined };

describe("the address of a PostgreSQL database", () => {
  it("says hosts, who connects, and to what", () => {
    const text =
      "postgres://me%40x:p%3Aw@db1.example:5433,[::1],db2/breakglass?sslrootcert=/ca.pem";
    expect(readPostgresAddress(text)).toEqual({
      hosts: [
        { host: "db1.example", port: 5433 },
        { host: "::1", port: 5432 },
        { host: "db2", port: 5432 },
      ],
      user: "me@x",
      password: "p:w",
      database: "breakglass",
      tls: { ...NO_FILES, rootCert: "/ca.pem" },
    });
  });

  it("leaves to libpq's variables what it does not say", () => {
    expect(readPostgresAddress("postgresql://localhost")).toEqual({
      hosts: [{ host: "localhost", port: 5432 }],
      ...{ user: undefined, password: undefined, database: undefined, tls: undefined },
    });
  });

  it.each([
    ["postgres://db/x", NO_FILES],
    ["postgres://db/x?sslmode=disable", undefined],
    ["postgres://127.0.0.1/x", undefined],
    ["postgres://127.0.0.1,db/x", NO_FILES],
    ["postgres://127.0.0.1/x?sslmode=verify-full", NO_FILES],
    ["postgres:///x?host=/run/postgresql", undefined],
  ])(
    "is one that TLS is verified of, unless it says otherwise or is on this machine: %s",
    (text, tls) => {
      expect(readPostgresAddress(text)?.tls).toEqual(tls);
    },
  );

  it.each([
    "mysql://db/x",
    "postgres://",
    "postgres://db:99999/x",
    "postgres://db:/x",
    "postgres://db/x?sslmode=require",
    "postgres://db/x?sslmod=disable",
    "postgres://a b/x",
    "postgres://%zz@db/x",
  ])("is refused, and not printed: %s", (text) => {
    expect(readPostgresAddress(text)).toBeUndefined();
    const read = () => readServeConfig({ HOME: "/", BREAKGLASS_STORE: `${text}#secret` });
    expect(read).toThrow(/^BREAKGLASS_STORE .*takes postgres:\/\/USER@HOST/);
    expect(read).not.toThrow(/#secret/);
  });
});
