import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** The files that define some services, found as gRPC's reflection asks for them, and serialized once. */
export class ReflectedFiles {
  readonly #byName = new Map<string, DescFile>();
  readonly #bySymbol = new Map<string, DescFile>();
  readonly #bytes = new Map<DescFile, Uint8Array>();

  constructor(services: readonly DescService[]) {
    for (const { file } of services) this.#add(file);
  }

  /** A file and all that it imports, each before what it imports; undefined: there is none of that name. */
  named(name: string): Uint8Array[] | undefined {
    return this.#withImports(this.#byName.get(name));
  }

  /** Those of the file that defines a message, an enum, a service or one of its methods, or a field. */
  defining(symbol: string): Uint8Array[] | undefined {
    return this.#withImports(this.#bySymbol.get(symbol));
  }

  /** Whether there is a message of that name. */
  has(symbol: string): boolean {
    return this.#bySymbol.has(symbol);
  }

  #add(file: DescFile): void {
    const { name } = file.proto;
    if (this.#byName.has(name)) return;
    this.#byName.set(name, file);
    for (const symbol of symbolsOf(file)) this.#bySymbol.set(symbol, file);
    for (const imported of file.dependencies) this.#add(imported);
  }

  #withImports(file: DescFile | undefined): Uint8Array[] | undefined {
    if (file === undefined) return undefined;
    const all = new Set<DescFile>();
    const add = (one: DescFile) => {
      if (all.has(one)) return;
      one.dependencies.forEach(add);
      all.add(one);
    };
    add(file);
    return [...all].reverse().map((one) => this.#serialized(one));
  }

  #serialized(file: DescFile): Uint8Array {
    const known = this.#bytes.get(file);
    const bytes = known ?? toBinary(FileDescriptorProtoSchema, file.proto);
    this.#bytes.set(file, bytes);
    return bytes;
  }
}

function* symbolsOf(file: DescFile): Generator<string> {
  for (const type of nestedTypes(file)) {
    yield type.typeName;
    if (type.kind === "service") {
      for (const { name } of type.methods) yield `${type.typeName}.${name}`;
    }
    if (type.kind === "message") {
      for (const { name } of type.fields) yield `${type.typeName}.${name}`;
    }
  }
}
