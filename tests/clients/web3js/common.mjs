// What the scripts share. Each is run with the node's address, Counter.json and how to reach the node (http or ws), and
// fails with what it found.
import { readFileSync } from "node:fs";
import { Web3 } from "web3";

const [url, counter, transport] = process.argv.slice(2);

export const overSocket = transport === "ws";
export const web3 = new Web3(overSocket ? url.replace("http", "ws") : url);
// A transaction is looked for more often than every second.
web3.eth.transactionPollingInterval = 50;

export const counterArtefact = JSON.parse(readFileSync(counter, "utf8"));

/// Keys of the first two well-known accounts.
web3.eth.accounts.wallet.add("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
web3.eth.accounts.wallet.add("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");
export const [owner, other] = [0, 1].map((index) => web3.eth.accounts.wallet[index].address);

/// Resolves once `done` says so.
export async function until(done) {
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/// What does not come would be waited for without an end.
const PATIENCE_MS = 60_000;
setTimeout(() => {
  console.error(`not done after ${PATIENCE_MS} ms`);
  process.exit(1);
}, PATIENCE_MS).unref();
