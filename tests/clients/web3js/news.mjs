// Hears of blocks, events and waiting transactions: by subscriptions over a WebSocket, by filters over HTTP.
import { strict as assert } from "node:assert";
import { counterArtefact, overSocket, owner, until, web3 } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const counter = await new web3.eth.Contract(abi).deploy({ data: bytecode, arguments: [0] }).send({ from: owner });
await counter.methods.step(1).send({ from: owner });

const steps = [2n, 3n, 4n];
const heard = { steps: [], heads: [], hashes: [] };
let ask = async () => {};
let end;
if (overSocket) {
  const events = counter.events.Stepped();
  events.on("data", ({ returnValues }) => heard.steps.push(returnValues.step));
  const heads = await web3.eth.subscribe("newBlockHeaders");
  heads.on("data", ({ number }) => heard.heads.push(number));
  const pending = await web3.eth.subscribe("pendingTransactions");
  pending.on("data", (hash) => heard.hashes.push(hash));
  await until(() => events.id !== undefined);
  for (const { id } of [events, heads, pending]) assert.match(id, /^0x[0-9a-f]+$/);
  end = async () => {
    for (const one of [events, heads, pending]) await one.unsubscribe();
  };
} else {
  const send = (method, ...params) => web3.requestManager.send({ method, params });
  const topic = web3.eth.abi.encodeEventSignature("Stepped(address,uint256,uint256)");
  const address = counter.options.address;
  const filters = [
    await send("eth_newFilter", { address, topics: [topic] }),
    await send("eth_newBlockFilter"),
    await send("eth_newPendingTransactionFilter"),
  ];
  ask = async () => {
    const [logs, heads, hashes] = await Promise.all(filters.map((id) => send("eth_getFilterChanges", id)));
    heard.steps.push(...logs.map(({ topics }) => BigInt(topics[2])));
    heard.hashes.push(...hashes);
    for (const hash of heads) heard.heads.push((await web3.eth.getBlock(hash)).number);
  };
  end = async () => {
    for (const id of filters) assert.equal(await send("eth_uninstallFilter", id), true);
    const gone = await send("eth_getFilterChanges", filters[0]).then(assert.fail, (error) => error);
    assert.match(`${gone.message} ${gone.cause?.message}`, /filter not found/);
  };
}

const sent = [];
for (const by of steps) {
  const receipt = await counter.methods.step(by).send({ from: owner });
  sent.push(receipt.transactionHash);
}
await until(async () => {
  await ask();
  return heard.steps.length >= 3 && heard.heads.at(-1) === 5n && heard.hashes.length >= 3;
});
await end();
assert.deepEqual(heard, { steps, heads: [3n, 4n, 5n], hashes: sent });

process.exit(0);
