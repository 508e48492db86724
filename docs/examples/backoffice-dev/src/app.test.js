import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { app } from "./app.js";

let address;
before(async () => {
  await new Promise((ready) => app.listen(0, "127.0.0.1", ready));
  address = `http://127.0.0.1:${app.address().port}`;
});
after(() => app.close());

test("says that it is well", async () => {
  const response = await fetch(`${address}/health`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { status: "ok" });
});

test("knows nothing else", async () => {
  const response = await fetch(`${address}/nothing`);
  assert.equal(response.status, 404);
});
