/**
 * Raw replies read for what they say (`decode`) and for what they are made of (`shapeOf`), independently of the
 * product's own parser. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */

/** `type` is the byte that a reply begins with. */
export type Decoded =
  | { readonly type: "+" | "-" | "$" | "="; readonly text: string }
  | { readonly type: ":" | ","; readonly number: number }
  | { readonly type: "null" }
  | { readonly type: "*" | "~" | "%"; readonly items: readonly Decoded[] };

/** A whole reply, as `RawConnection` hands it out. */
export function decode(reply: Buffer): Decoded {
  return new Reader(reply).next();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  next(): Decoded {
    const end = this.#bytes.indexOf("\r\n", this.#at);
    const type = String.fromCharCode(this.#bytes[this.#at]);
    const line = this.#bytes.toString("utf8", this.#at + 1, end);
    this.#at = end + 2;
    if (type === "_" || (line === "-1" && "$*".includes(type))) return { type: "null" };
    if (type === "+" || type === "-") return { type, text: line };
    if (type === ":" || type === ",") return { type, number: Number(line) };
    const count = Number(line);
    if (type === "$" || type === "=") {
      const text = this.#bytes.toString("utf8", this.#at, this.#at + count);
      this.#at += count + 2;
      return { type, text };
    }
    if (type !== "*" && type !== "~" && type !== "%") throw new Error(`no reply begins with ${type}`);
    const items: Decoded[] = [];
    for (let left = type === "%" ? 2 * count : count; left > 0; left -= 1) items.push(this.next());
    return { type, items };
  }
}

/** Text, numbers, null, lists; maps as lists of their keys and values in turn, as RESP2 has them; no `txt:`. */
export function plainOf(decoded: Decoded): unknown {
  if (decoded.type === "null") return null;
  if ("items" in decoded) return decoded.items.map(plainOf);
  if ("number" in decoded) return decoded.number;
  return decoded.type === "=" ? decoded.text.slice("txt:".length) : decoded.text;
}

/** A map's fields by name. */
export function fieldsOf(decoded: Decoded): Map<string, Decoded> {
  if (!("items" in decoded) || decoded.items.length % 2 === 1)
    throw new Error(`${shapeOf(decoded)} is no map`);
  const fields = new Map<string, Decoded>();
  for (let i = 0; i < decoded.items.length; i += 2) {
    fields.set(String(plainOf(decoded.items[i])), decoded.items[i + 1]);
  }
  return fields;
}

/**
 * What a reply is made of, without what it says: `*[$ :]`. Of what a list holds, each kind once, so that longer
 * lists of the same kinds are alike; `depth` cuts off what is further inside.
 */
export function shapeOf(decoded: Decoded, depth = Infinity): string {
  if (!("items" in decoded)) return decoded.type;
  if (depth === 0) return decoded.type;
  const kinds = new Set(decoded.items.map((item) => shapeOf(item, depth - 1)));
  return `${decoded.type}[${[...kinds].join(" ")}]`;
}
