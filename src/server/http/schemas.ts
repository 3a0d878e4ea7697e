/**
 * What OpenAPI says of each route. For people and generators only: requests are checked by the code that reads
 * them, which says more precisely what is wrong than a schema can.
 */
import { READ_LEVELS, WRITE_LEVELS } from "../../node/database.js";

type Schema = Readonly<Record<string, unknown>>;

const text = { type: "string" } as const;
const integer = { type: "integer" } as const;
const ref = (name: string): Schema => ({ $ref: `${name}#` });
const object = (properties: Schema, required: readonly string[] = Object.keys(properties)): Schema => ({
  type: "object",
  properties,
  required,
});
const status = (word: string): Schema => ({ type: "string", const: word });
const json = (description: string, schema: Schema): Schema => ({
  description,
  content: { "application/json": { schema } },
});

const ERROR_TEXTS: Readonly<Record<number, string>> = {
  400: "The request is wrong; the text names what",
  404: "There is no such key, keyspace or path",
  409: "It exists already",
  412: "The version is another one",
  413: "The value is too large",
  415: "The body's media type is not accepted",
  422: "It cannot be computed; the text names the operation or the variable",
  429: "Overloaded: nothing was done, try again",
  503: "No majority can be reached, or the node is starting or stopping; see Retry-After",
  504: "Timed out: the write may or may not have happened",
};

const errors = (...codes: readonly number[]): Schema =>
  Object.fromEntries(codes.map((code) => [code, json(ERROR_TEXTS[code], ref("Error"))]));

const READ_ERRORS = [400, 404, 429, 503] as const;
const WRITE_ERRORS = [400, 404, 412, 429, 503, 504] as const;

/** Shared by the routes; each has an `$id` that `ref` names. */
export const SHARED_SCHEMAS: readonly Schema[] = [
  {
    $id: "Error",
    ...object(
      {
        error: { ...text, description: "For people" },
        code: { ...text, description: "For programs; stable", examples: ["NOT_FOUND"] },
        outcome: { const: "unknown", description: "Present when a write may or may not have happened" },
      },
      ["error", "code"],
    ),
  },
  {
    $id: "Keyspace",
    ...object({
      id: { ...integer, description: "As `SELECT` takes it" },
      name: text,
      consistency: { enum: ["strong", "eventual"] },
      storage: { enum: ["disk", "memory"] },
      replicas: integer,
      partitions: integer,
    }),
  },
  {
    $id: "Value",
    ...object(
      {
        value: { description: "A string for bytes; any other JSON is a document" },
        encoding: { const: "base64", description: "Present when the bytes are not UTF-8" },
        version: integer,
        ttl: { type: "number", description: "Seconds until the key goes, when it will" },
      },
      ["value", "version"],
    ),
  },
];

const keyspaceParameter = { keyspace: { ...text, description: "The keyspace's name" } };
const keyParameter = {
  key: { ...text, description: "1 to 1,024 bytes of UTF-8, percent-encoded; `/` may stay as it is" },
};
const params = (named: boolean, withKey: boolean): Schema =>
  object({ ...(named ? keyspaceParameter : {}), ...(withKey ? keyParameter : {}) });
const idOf = (name: string, named: boolean): string => (named ? `${name}InKeyspace` : name);

const consistencyOfRead = {
  consistency: {
    enum: READ_LEVELS,
    description: "Default: linearizable; `one` in an eventual keyspace",
  },
};
const consistencyOfWrite = {
  consistency: {
    enum: ["linearizable", ...WRITE_LEVELS],
    description: "Default: a majority's disks; `one` in an eventual keyspace",
  },
};
const optional = (properties: Schema): Schema => object(properties, []);

const ifMatch = {
  "if-match": { ...text, description: 'Only at this version, as `"3"`; `*`: at any, if the key exists' },
};
const ifNoneMatch = (description: string): Schema => ({ "if-none-match": { ...text, description } });
const version = { etag: { ...text, description: "The version in double quotes" } };

export const getKeySchema = (named: boolean): Schema => ({
  operationId: idOf("getKey", named),
  summary: "Read a key",
  tags: ["Keys"],
  params: params(named, true),
  querystring: optional(consistencyOfRead),
  headers: optional({ ...ifMatch, ...ifNoneMatch("Not when the version is one of these: 304") }),
  response: {
    200: {
      description: "The value",
      headers: version,
      content: {
        "application/json": { schema: ref("Value") },
        "application/octet-stream": { schema: { type: "string", format: "binary" } },
      },
    },
    304: { description: "The version is one that the client has" },
    ...errors(...READ_ERRORS, 412),
  },
});

export const putKeySchema = (named: boolean): Schema => ({
  operationId: idOf("putKey", named),
  summary: "Create or replace a key",
  tags: ["Keys"],
  params: params(named, true),
  querystring: optional({
    ...consistencyOfWrite,
    ttl: { type: "number", description: "Seconds; for raw bodies, which have no place for it" },
  }),
  headers: optional({ ...ifMatch, ...ifNoneMatch("`*`: only when there is no such key") }),
  body: {
    content: {
      "application/json": {
        schema: object(
          {
            value: { description: "A string is stored as its UTF-8 bytes; any other JSON as a document" },
            ttl: { type: "number", exclusiveMinimum: 0, description: "Seconds until the key goes" },
            encoding: {
              enum: ["utf-8", "base64"],
              description: "`base64`: the string stands for these bytes",
            },
          },
          ["value"],
        ),
      },
      "application/octet-stream": { schema: { type: "string", format: "binary" } },
    },
  },
  response: {
    200: json("Replaced", object({ status: status("updated"), version: integer })),
    201: json("Created", object({ status: status("created"), version: integer })),
    ...errors(...WRITE_ERRORS, 409, 413, 415),
  },
});

export const deleteKeySchema = (named: boolean): Schema => ({
  operationId: idOf("deleteKey", named),
  summary: "Delete a key",
  tags: ["Keys"],
  params: params(named, true),
  querystring: optional(consistencyOfWrite),
  headers: optional(ifMatch),
  response: { 200: json("Deleted", object({ status: status("deleted") })), ...errors(...WRITE_ERRORS) },
});

export const listKeysSchema = (named: boolean): Schema => ({
  operationId: idOf("listKeys", named),
  summary: "Keys in byte order, by page",
  tags: ["Keys"],
  ...(named ? { params: params(true, false) } : {}),
  querystring: optional({
    prefix: { ...text, description: "Only keys that start with this" },
    limit: { ...integer, minimum: 1, maximum: 1000, default: 100 },
    cursor: { ...text, description: "From the answer before" },
    ...consistencyOfRead,
  }),
  response: {
    200: json(
      "A page",
      object(
        {
          keys: { type: "array", items: text },
          keysBase64: { type: "array", items: text, description: "Present when some keys are not UTF-8" },
          cursor: { type: ["string", "null"], description: "For the next page; null at the end" },
        },
        ["keys", "cursor"],
      ),
    ),
    ...errors(...READ_ERRORS),
  },
});

const path = {
  ...text,
  description:
    'A key and the way into its document, separated by dots: `person2.address.number`, `tags.0`, `"a.b".c`; ' +
    "percent-encoded, `/` may stay as it is",
};

export const querySchema = (named: boolean): Schema => ({
  operationId: idOf("query", named),
  summary: "Read one place in a document",
  tags: ["Documents"],
  params: object({ ...(named ? keyspaceParameter : {}), path }),
  querystring: optional(consistencyOfRead),
  response: {
    200: json(
      "The value at the path",
      object(
        {
          path: { ...text, description: "As it was asked for" },
          value: { description: "Any JSON; a string for a key of bytes" },
          encoding: { const: "base64", description: "Present when the bytes are not UTF-8" },
        },
        ["path", "value"],
      ),
    ),
    ...errors(...READ_ERRORS),
  },
});

export const computeSchema = (named: boolean): Schema => ({
  operationId: idOf("compute", named),
  summary: "Compute a formula over numbers at paths, all of one moment",
  tags: ["Documents"],
  ...(named ? { params: params(true, false) } : {}),
  querystring: optional(consistencyOfRead),
  body: {
    content: {
      "application/json": {
        schema: object(
          {
            expression: {
              ...text,
              description: "`+ - * / ^`, parentheses, functions such as `sqrt`, `pi`, `e`, and variables",
              examples: ["2*(x+3)"],
            },
            where: {
              type: "object",
              additionalProperties: text,
              description: "The path of each variable's value",
              examples: [{ x: "person2.address.number" }],
            },
            angle: { enum: ["radians", "degrees"], default: "radians", description: "Of sin, cos, tan …" },
          },
          ["expression"],
        ),
      },
    },
  },
  response: {
    200: json("The result", object({ result: { type: "number" } })),
    ...errors(400, 404, 413, 415, 422, 429, 503),
  },
});

export const listKeyspacesSchema: Schema = {
  operationId: "listKeyspaces",
  summary: "All keyspaces",
  tags: ["Keyspaces"],
  response: {
    200: json("All keyspaces", object({ keyspaces: { type: "array", items: ref("Keyspace") } })),
  },
};

export const getKeyspaceSchema: Schema = {
  operationId: "getKeyspace",
  summary: "One keyspace",
  tags: ["Keyspaces"],
  params: params(true, false),
  response: { 200: json("The keyspace", ref("Keyspace")), ...errors(404) },
};

export const createKeyspaceSchema: Schema = {
  operationId: "createKeyspace",
  summary: "Make a keyspace",
  tags: ["Keyspaces"],
  body: {
    content: {
      "application/json": {
        schema: object(
          {
            name: text,
            consistency: { enum: ["strong", "eventual"], default: "strong" },
            storage: { enum: ["disk", "memory"], default: "disk" },
            replicas: { ...integer, minimum: 1 },
            partitions: { ...integer, minimum: 1 },
          },
          ["name"],
        ),
      },
    },
  },
  response: { 201: json("Made", ref("Keyspace")), ...errors(400, 409, 413, 415, 503, 504) },
};

export const dropKeyspaceSchema: Schema = {
  operationId: "dropKeyspace",
  summary: "Drop a keyspace and all its keys",
  tags: ["Keyspaces"],
  params: params(true, false),
  response: {
    200: json("Dropped", object({ status: status("deleted") })),
    ...errors(400, 404, 503, 504),
  },
};

export const healthSchema: Schema = {
  operationId: "getHealth",
  summary: "Is the process alive",
  tags: ["Node"],
  response: {
    200: json(
      "It is",
      object({ status: status("ok"), nodeId: text, version: text, uptimeSeconds: { type: "number" } }),
    ),
  },
};

const reasons = { type: "array", items: text } as const;

export const readySchema: Schema = {
  operationId: "getReady",
  summary: "Can the node serve",
  tags: ["Node"],
  response: {
    200: json("It can", object({ ready: { const: true } })),
    503: json("Not now", object({ ready: { const: false }, reasons, error: text, code: text })),
  },
};

const counted = (description: string): Schema => ({ ...integer, description });

const replication: Schema = {
  type: "array",
  description: "Eventual keyspaces, as this node's replicas see them",
  items: object({
    keyspace: integer,
    lag: counted("This node's writes that some other replica has not confirmed"),
    lagMax: counted("Of the partition that has most of them"),
    hints: counted("Those of them that this node remembers, to send them on"),
    tombstones: counted("Deletions and expired keys that are kept until every replica has them"),
    readRepairs: counted("Records that reads through this node have put right since it was started"),
    comparisons: counted("Comparisons with other replicas since this node was started"),
    repaired: counted("Records that those brought here"),
    lastRepair: {
      description: "The last comparison that moved anything",
      ...object({
        partition: integer,
        with: { type: ["string", "null"], description: "The other node" },
        finishedMs: counted("Milliseconds since 1970, by this node's clock"),
        durationMs: integer,
        recordsTaken: integer,
        recordsGiven: integer,
        bytes: counted("Both ways, with what it took to compare"),
      }),
      type: ["object", "null"],
    },
  }),
};

const address = { ...text, description: "`host:port`; empty while unknown" };

export const clusterSchema: Schema = {
  operationId: "getCluster",
  summary: "Nodes, keyspaces, partitions and leaders, as this node knows them",
  tags: ["Node"],
  response: {
    200: json(
      "The cluster",
      object({
        clusterId: text,
        nodeId: text,
        epoch: integer,
        version: text,
        uptimeSeconds: { type: "number" },
        ready: { type: "boolean" },
        members: {
          type: "array",
          items: object({
            id: text,
            incarnation: integer,
            state: { enum: ["active", "suspect", "inactive"] },
            peerAddress: address,
            respAddress: address,
            httpAddress: address,
            self: { type: "boolean" },
          }),
        },
        keyspaces: { type: "array", items: ref("Keyspace") },
        partitions: {
          type: "array",
          items: object({
            keyspace: integer,
            partition: integer,
            slots: { type: "array", items: { type: "array", items: integer, minItems: 2, maxItems: 2 } },
            leader: { type: ["string", "null"] },
            replicas: {
              type: "array",
              items: object({
                node: text,
                role: { enum: ["leader", "follower", "learner", "replica"] },
                lag: {
                  ...integer,
                  description:
                    "Entries behind the leader; in an eventual keyspace, this node's writes that the other has not " +
                    "confirmed; -1 when unknown",
                },
              }),
            },
          }),
        },
        replication,
      }),
    ),
  },
};
