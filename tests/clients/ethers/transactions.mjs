// Sends every type of transaction, waits, and reads fees, blocks and what is refused.
import { strict as assert } from "node:assert";
import { Wallet, parseEther, parseUnits } from "ethers";
import { provider, rejection, wallet } from "./common.mjs";

const sender = wallet(0);
const receiver = Wallet.createRandom().address;
const amount = parseEther("1");

const fees = await provider.getFeeData();
assert.ok(fees.gasPrice >= parseUnits("1", "gwei"), `${fees.gasPrice}`);
assert.ok(fees.maxFeePerGas >= fees.maxPriorityFeePerGas);

// By default ethers sends type 2. The list of type 1 names what the transaction will read.
const kinds = [
  { type: 0, gasPrice: fees.gasPrice },
  { type: 1, gasPrice: fees.gasPrice, accessList: [{ address: receiver, storageKeys: [] }] },
  { type: 2 },
  {},
];
const sent = [];
for (const kind of kinds) {
  const answer = await sender.sendTransaction({ to: receiver, value: amount, ...kind });
  const receipt = await answer.wait();
  const type = kind.type ?? 2;
  assert.equal(receipt.status, 1);
  assert.equal(receipt.type, type);
  assert.equal(receipt.from, sender.address);
  assert.equal(receipt.to, receiver);
  // What is gone is the amount and the fee, to the wei.
  const before = await provider.getBalance(sender.address, receipt.blockNumber - 1);
  const after = await provider.getBalance(sender.address, receipt.blockNumber);
  assert.equal(before - after, amount + receipt.gasUsed * receipt.gasPrice);
  const read = await provider.getTransaction(answer.hash);
  assert.equal(read.type, type);
  assert.equal(read.blockHash, receipt.blockHash);
  assert.equal(read.serialized, answer.serialized);
  assert.equal(read.accessList?.length ?? 0, kind.accessList?.length ?? 0);
  sent.push(receipt);
}
assert.equal(await provider.getBalance(receiver), amount * BigInt(sent.length));
assert.equal(await provider.getTransactionCount(sender.address), sent.length);
assert.equal(await provider.getTransactionCount(sender.address, "pending"), sent.length);

// A block with its transactions, by number and by hash.
const { blockNumber, blockHash, hash } = sent.at(-1);
const block = await provider.getBlock(blockNumber, true);
assert.equal(block.hash, blockHash);
assert.equal(block.prefetchedTransactions.length, block.transactions.length);
assert.equal(block.getPrefetchedTransaction(hash).from, sender.address);
assert.equal((await provider.getBlock(blockHash)).transactions[0], hash);
assert.equal(block.parentHash, (await provider.getBlock(blockNumber - 1)).hash);
for (const tag of ["latest", "safe", "finalized"]) {
  assert.equal((await provider.getBlock(tag)).number, blockNumber);
}

const history = await provider.send("eth_feeHistory", ["0x3", "latest", [10, 90]]);
assert.equal(Number(history.oldestBlock), blockNumber - 2);
assert.equal(history.baseFeePerGas.length, 4);
assert.equal(history.gasUsedRatio.length, 3);
assert.deepEqual(history.reward.map((rewards) => rewards.length), [2, 2, 2]);
assert.equal(BigInt(history.baseFeePerGas[2]), block.baseFeePerGas);

assert.equal(await provider.estimateGas({ from: sender.address, to: receiver, value: 1n }), 21_000n);

// What cannot be mined is refused with a reason that ethers knows.
const again = { to: receiver, value: 1n, nonce: 0, gasLimit: 21_000n };
assert.equal((await rejection(sender.sendTransaction(again))).code, "NONCE_EXPIRED");
const poor = Wallet.createRandom().connect(provider);
const refused = await rejection(poor.sendTransaction({ to: receiver, value: 1n, gasLimit: 21_000n }));
assert.equal(refused.code, "INSUFFICIENT_FUNDS");

// Many at once from one account, nonces counted by the client, all mined in order.
const first = await provider.getTransactionCount(sender.address);
const answers = await Promise.all(
  Array.from({ length: 20 }, (_, index) => sender.sendTransaction({ to: receiver, value: 1n, nonce: first + index })),
);
const receipts = await Promise.all(answers.map((answer) => answer.wait()));
assert.ok(receipts.every((receipt) => receipt.status === 1));
assert.equal(await provider.getTransactionCount(sender.address), first + 20);

provider.destroy();
