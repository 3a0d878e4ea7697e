/**
 * The REST interface by `fetch`. Its description is at http://localhost:8000/docs.
 *
 * Run: npm start, and in another terminal: node examples/http.mjs
 */
const base = process.env.MINIKEYDB_URL ?? "http://127.0.0.1:8000";
const headers = { "Content-Type": "application/json" };
const key = `${base}/kv/${encodeURIComponent("example:city/Vila")}`;

const put = await fetch(key, {
  method: "PUT",
  headers,
  body: JSON.stringify({ value: { name: "Vila", country: "AD" } }),
});
console.log("PUT", put.status, await put.json());

const got = await fetch(key);
const etag = got.headers.get("etag");
console.log("GET", got.status, await got.json(), "version", etag);

const update = await fetch(key, {
  method: "PUT",
  headers: { ...headers, "If-Match": etag },
  body: JSON.stringify({ value: { name: "Vila", country: "AD", visited: true } }),
});
console.log("PUT over that version", update.status, await update.json());

const late = await fetch(key, {
  method: "PUT",
  headers: { ...headers, "If-Match": etag },
  body: JSON.stringify({ value: {} }),
});
console.log("PUT over the old version", late.status, await late.json());

const gone = await fetch(key, { method: "DELETE" });
console.log("DELETE", gone.status, await gone.json());
