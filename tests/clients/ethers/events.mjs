// Listens to a contract: told of what comes, in order, and of nothing that was there before, however it listens.
import { strict as assert } from "node:assert";
import { Contract, ContractFactory, JsonRpcProvider, WebSocketProvider } from "ethers";
import { counterArtefact, provider, wallet } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const counter = await new ContractFactory(abi, bytecode, wallet(0)).deploy(0n);
await counter.waitForDeployment();
await (await counter.step(1n)).wait();

const url = provider._getConnection().url;
const listeners = [
  // By filters, as ethers does where nothing else is asked of it.
  new JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 }),
  // By asking for logs.
  new JsonRpcProvider(url, undefined, { polling: true, pollingInterval: 50, cacheTimeout: -1 }),
  // By subscriptions.
  new WebSocketProvider(url.replace("http", "ws")),
];
listeners[0].pollingInterval = 50;
const heard = listeners.map((listener) => {
  const steps = [];
  new Contract(counter.target, abi, listener).on("Stepped", (by, step, value) => steps.push([by, step, value]));
  return steps;
});
const socket = listeners[2];
const heads = [];
const hashes = [];
socket.on("block", (number) => heads.push(number));
socket.on("pending", (hash) => hashes.push(hash));

/// Whether all have heard of the step in this receipt, which led to `value`, within a time.
async function told(receipt, value) {
  for (let wait = 0; wait < 50; wait += 1) {
    const steps = heard.every((steps) => steps.at(-1)?.[2] === value);
    if (steps && heads.at(-1) === receipt.blockNumber && hashes.includes(receipt.hash)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

// Listening begins some time after it was asked for: until all have heard of a step, others are taken.
let value = 1n;
let receipt;
do {
  receipt = await (await counter.step(1n)).wait();
  value += 1n;
} while (!(await told(receipt, value)));
for (const list of [...heard, heads, hashes]) list.length = 0;

const expected = { steps: [], heads: [], hashes: [] };
for (const [index, by] of [[0, 2n], [1, 3n]]) {
  receipt = await (await counter.connect(wallet(index)).step(by)).wait();
  value += by;
  expected.steps.push([wallet(index).address, by, value]);
  expected.heads.push(receipt.blockNumber);
  expected.hashes.push(receipt.hash);
}
while (!(await told(receipt, value)));
for (const steps of heard) assert.deepEqual(steps, expected.steps);
assert.deepEqual(heads, expected.heads);
assert.deepEqual(hashes, expected.hashes);
assert.equal(await socket.send("eth_chainId", []), "0x7a69");

for (const listener of listeners) await listener.destroy();
provider.destroy();
