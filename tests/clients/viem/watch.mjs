// Watches blocks, events and waiting transactions: by filters over HTTP, by subscriptions over a WebSocket.
import { strict as assert } from "node:assert";
import { client, counterArtefact, leave, mined, wallet } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const owner = wallet(0);
const { contractAddress: address } = await mined(owner.deployContract({ abi, bytecode, args: [0n] }));

const events = [];
const blocks = [];
const hashes = [];
const onError = (error) => assert.fail(error);
const stop = [
  client.watchContractEvent({
    address,
    abi,
    eventName: "Stepped",
    onLogs: (logs) => events.push(...logs.map(({ args }) => args.step)),
    onError,
  }),
  client.watchBlockNumber({ onBlockNumber: (number) => blocks.push(number), onError }),
  client.watchPendingTransactions({ onTransactions: (sent) => hashes.push(...sent), onError }),
];
const step = (by) => mined(owner.writeContract({ address, abi, functionName: "step", args: [by] }));

/// Whether the event, the block and the hash of a step have been heard of, within a time.
async function told(receipt, by) {
  for (let wait = 0; wait < 50; wait += 1) {
    const block = blocks.at(-1) === receipt.blockNumber;
    if (block && events.at(-1) === by && hashes.includes(receipt.transactionHash)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

// Watching begins some time after it was asked for: until a step has been heard of, others are taken.
let probe = 10n;
while (!(await told(await step(probe), probe))) probe += 1n;
for (const list of [events, blocks, hashes]) list.length = 0;

const sent = [];
let receipt;
for (const by of [2n, 3n, 4n]) {
  receipt = await step(by);
  sent.push(receipt.transactionHash);
}
while (!(await told(receipt, 4n)));
stop.forEach((end) => end());
assert.deepEqual(events, [2n, 3n, 4n]);
assert.deepEqual(hashes, sent);
assert.ok(blocks.every((number, index) => index === 0 || number > blocks[index - 1]), `${blocks}`);

// What was asked of a filter by hand.
const filter = await client.createContractEventFilter({ address, abi, eventName: "Stepped", fromBlock: 0n });
await step(5n);
const changes = await client.getFilterChanges({ filter });
assert.deepEqual(changes.map(({ args }) => args.step), [5n]);
const all = await client.getFilterLogs({ filter });
assert.deepEqual(all.slice(-4).map(({ args }) => args.step), [2n, 3n, 4n, 5n]);
assert.equal(await client.uninstallFilter({ filter }), true);
assert.equal(await client.uninstallFilter({ filter }), false);

await leave();
