import { describe, expect, it } from "vitest";
import { readServeConfig } from "../../src/config/serve-config.ts";

const read = (url: string, more: Record<string, string> = {}) =>
  readServeConfig({
    HOME: "/h",
    BREAKGLASS_STORE: "postgres://a@127.0.0.1/b",
    BREAKGLASS_SNAPSHOT_URL: url,
    ...more,
  }).snapshotAddress;

describe("BREAKGLASS_SNAPSHOT_URL", () => {
  it("is a folder or a bucket, with what the SDK's variables say of that", () => {
    expect(read("file:/var/snapshots/")).toEqual({ kind: "folder", path: "/var/snapshots" });
    const bucket = { kind: "s3", bucket: "ops", region: undefined, endpoint: undefined };
    expect(read("s3://ops")).toMatchObject({ ...bucket, prefix: "", credentials: undefined });
    const keys = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_REGION: "eu-north-1" };
    expect(read("s3://ops/some/where/", keys)).toMatchObject({
      ...{ ...bucket, prefix: "some/where/", region: "eu-north-1" },
      credentials: { accessKeyId: "a", secretAccessKey: "b", sessionToken: undefined },
    });
    const minio = "s3://ops/x?endpoint=https://minio.example:9000";
    expect(read(minio)).toMatchObject({
      endpoint: "https://minio.example:9000",
      region: "us-east-1",
    });
    const elsewhere = { AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9000", AWS_REGION: "r" };
    expect(read("s3://ops", elsewhere)).toMatchObject({
      endpoint: elsewhere.AWS_ENDPOINT_URL_S3,
      region: "r",
    });
  });

  it.each([
    "https://ops",
    "file://host/folder",
    "s3://",
    "s3://UPPER_CASE",
    "s3://key:secret@ops/x",
    "s3://ops/x?endpoint=minio",
    "s3://ops/x?acl=public",
    "s3://ops/%00",
  ])("%s is refused", (url) => {
    expect(() => read(url)).toThrow(/^BREAKGLASS_SNAPSHOT_URL .*takes s3:\/\/BUCKET/);
  });

  it("is refused without a database: no session moves then", () => {
    expect(() => read("file:/x", { BREAKGLASS_STORE: "" })).toThrow(/set BREAKGLASS_STORE/);
  });
});
