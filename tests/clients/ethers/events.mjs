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
  return new Promise((resolve) => {
    new Contract(counter.target, abi, listener).on("Stepped", (by, step, value) => {
      steps.push([by, step, value]);
      if (steps.length === 2) resolve(steps);
    });
  });
});
const socket = listeners[2];
const heads = [];
const hashes = [];
socket.on("block", (number) => heads.push(number));
socket.on("pending", (hash) => hashes.push(hash));

// Until the node has been told that somebody listens.
await new Promise((resolve) => setTimeout(resolve, 500));
const sent = [];
for (const [index, by] of [[0, 2n], [1, 3n]]) {
  const receipt = await (await counter.connect(wallet(index)).step(by)).wait();
  sent.push(receipt.hash);
}
for (const steps of await Promise.all(heard)) {
  assert.deepEqual(steps, [
    [wallet(0).address, 2n, 3n],
    [wallet(1).address, 3n, 6n],
  ]);
}
while (heads.length < 2 || hashes.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
assert.deepEqual(heads, [3, 4]);
assert.deepEqual(hashes, sent);
assert.equal(await socket.send("eth_chainId", []), "0x7a69");

for (const listener of listeners) await listener.destroy();
provider.destroy();
