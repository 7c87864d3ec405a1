// Watches blocks, events and waiting transactions: by filters over HTTP, by subscriptions over a WebSocket.
import { strict as assert } from "node:assert";
import { client, counterArtefact, leave, mined, wallet } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const owner = wallet(0);
const { contractAddress: address } = await mined(owner.deployContract({ abi, bytecode, args: [0n] }));
await mined(owner.writeContract({ address, abi, functionName: "step", args: [1n] }));

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
// Until the node has been told that somebody listens.
await new Promise((resolve) => setTimeout(resolve, 500));

const sent = [];
for (const by of [2n, 3n, 4n]) {
  const receipt = await mined(owner.writeContract({ address, abi, functionName: "step", args: [by] }));
  sent.push(receipt.transactionHash);
}
while (events.length < 3 || hashes.length < 3 || blocks.at(-1) !== 5n) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
stop.forEach((end) => end());
assert.deepEqual(events, [2n, 3n, 4n]);
assert.deepEqual(hashes, sent);
assert.ok(blocks.every((number, index) => index === 0 || number > blocks[index - 1]), `${blocks}`);

// What was asked of a filter by hand.
const filter = await client.createContractEventFilter({ address, abi, eventName: "Stepped", fromBlock: 0n });
await mined(owner.writeContract({ address, abi, functionName: "step", args: [5n] }));
const changes = await client.getFilterChanges({ filter });
assert.deepEqual(changes.map(({ args }) => args.step), [5n]);
assert.equal((await client.getFilterLogs({ filter })).length, 5);
assert.equal(await client.uninstallFilter({ filter }), true);
assert.equal(await client.uninstallFilter({ filter }), false);

await leave();
