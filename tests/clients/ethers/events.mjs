// Listens to a contract: told of what comes, in order, and of nothing that was there before.
import { strict as assert } from "node:assert";
import { Contract, ContractFactory, JsonRpcProvider } from "ethers";
import { counterArtefact, provider, wallet } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const counter = await new ContractFactory(abi, bytecode, wallet(0)).deploy(0n);
await counter.waitForDeployment();
await (await counter.step(1n)).wait();

// The node keeps no filters for its callers, so a listener asks for logs.
const url = provider._getConnection().url;
const listener = new JsonRpcProvider(url, undefined, { polling: true, pollingInterval: 50, cacheTimeout: -1 });
const heard = [];
const enough = new Promise((resolve) => {
  new Contract(counter.target, abi, listener).on("Stepped", (by, step, value) => {
    heard.push([by, step, value]);
    if (heard.length === 2) resolve();
  });
});
// Listening begins at the block that is newest when the listener first asks.
await new Promise((resolve) => setTimeout(resolve, 500));
await (await counter.step(2n)).wait();
await (await counter.connect(wallet(1)).step(3n)).wait();
await enough;
assert.deepEqual(heard, [
  [wallet(0).address, 2n, 3n],
  [wallet(1).address, 3n, 6n],
]);

listener.destroy();
provider.destroy();
