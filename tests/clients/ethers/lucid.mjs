// Hears what `lucid_subscribe` tells: ethers asks and sends, and the news are read from its socket, as it knows those of
// `eth_subscribe` only.
import { strict as assert } from "node:assert";
import { WebSocketProvider } from "ethers";
import { provider, rejection, wallet } from "./common.mjs";

const socket = new WebSocketProvider(provider._getConnection().url.replace("http", "ws"));
await socket.getNetwork();
socket.on("error", ({ info }) => assert.equal(info.result.method, "lucid_subscription"));
const heard = new Map();
socket.websocket.addEventListener("message", ({ data }) => {
  const { method, params } = JSON.parse(data);
  if (method === "lucid_subscription") heard.get(params.subscription)?.push(params.result);
});

async function listen(kind) {
  const id = await socket.send("lucid_subscribe", [kind]);
  const news = [];
  heard.set(id, news);
  return { id, news };
}

/// The first of the news that `wanted` picks, once it has come.
async function first(news, wanted) {
  for (;;) {
    const found = news.find(wanted);
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const [slots, schedule, finality] = await Promise.all(["slots", "schedule", "finality"].map(listen));
const sent = await wallet(0).sendTransaction({ to: wallet(1).address, value: 1n });
const receipt = await sent.wait();

const final = await first(finality.news, ({ height }) => height === receipt.blockNumber);
assert.equal(final.block_hash, receipt.blockHash);
assert.deepEqual([final.certificate.voters, final.certificate.validators], [[final.leader], 1]);
assert.equal((await provider.getBlock(final.height)).miner.toLowerCase(), final.leader);

const next = await first(schedule.news, ({ height }) => height === receipt.blockNumber + 1);
assert.equal(next.order[0].leader, final.leader);
assert.equal(next.primary, next.order[0].entity);

const slot = await first(slots.news, ({ slot }) => slot >= final.slot);
assert.ok(slot.starts_at < slot.ends_at && slot.next_epoch_slot > slot.slot, JSON.stringify(slot));
assert.ok(Math.abs(slot.starts_at * 1_000 - Date.now()) < 60_000, JSON.stringify(slot));

await rejection(socket.send("lucid_subscribe", ["weather"]));
for (const { id } of [slots, schedule, finality]) assert.equal(await socket.send("lucid_unsubscribe", [id]), true);
const { length } = finality.news;
await (await wallet(0).sendTransaction({ to: wallet(1).address, value: 1n })).wait();
await socket.getBlockNumber();
assert.equal(finality.news.length, length);

await socket.destroy();
provider.destroy();
