// Deploys, calls, sends, waits and reads logs; what a contract reverts with comes through.
import { strict as assert } from "node:assert";
import { ContractFactory, ZeroAddress } from "ethers";
import { counterArtefact, provider, rejection, wallet } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const owner = wallet(0);
const other = wallet(1);

const factory = new ContractFactory(abi, bytecode, owner);
const counter = await factory.deploy(7n);
const deployed = await counter.deploymentTransaction().wait();
assert.equal(deployed.status, 1);
const address = await counter.getAddress();
assert.equal(deployed.contractAddress, address);
assert.notEqual(await provider.getCode(address), "0x");
assert.equal(await provider.getCode(address, 0), "0x");

assert.equal(await counter.value(), 7n);
assert.equal(BigInt(await provider.getStorage(address, 0)), 7n);
assert.equal(await counter.step.staticCall(5n), 12n);
assert.equal(await counter.value(), 7n);

// A call changes nothing, a transaction does, and the older state can still be read.
const receipt = await (await counter.step(5n)).wait();
assert.equal(receipt.status, 1);
assert.equal(await counter.value(), 12n);
assert.equal(await counter.value({ blockTag: deployed.blockNumber }), 7n);
await (await counter.connect(other).step(30n, { value: 3n })).wait();
assert.equal(await provider.getBalance(address), 3n);

const estimate = await counter.step.estimateGas(5n);
assert.ok(estimate > 21_000n && estimate < 80_000n, `${estimate}`);
assert.ok(estimate >= receipt.gasUsed, `${estimate} for what took ${receipt.gasUsed}`);

// Logs: all, by who, by how much, by range, and none where nothing fits.
const logs = await counter.queryFilter(counter.filters.Stepped());
assert.deepEqual(logs.map(({ args }) => [args.by, args.step, args.value]), [
  [owner.address, 5n, 12n],
  [other.address, 30n, 42n],
]);
assert.deepEqual(logs.map((log) => log.index), [0, 0]);
assert.equal(logs[0].transactionHash, receipt.hash);
assert.equal(logs[0].blockHash, receipt.blockHash);
const by = async (...filter) => (await counter.queryFilter(counter.filters.Stepped(...filter))).length;
assert.equal(await by(other.address), 1);
assert.equal(await by(null, 5n), 1);
assert.equal(await by(null, [5n, 30n]), 2);
assert.equal(await by(ZeroAddress), 0);
assert.equal((await counter.queryFilter("Stepped", receipt.blockNumber + 1, "latest")).length, 1);
assert.equal((await provider.getLogs({ blockHash: receipt.blockHash, address })).length, 1);
assert.equal(receipt.logs.length, 1);

// Reverts: a reason, and a custom error with its arguments, from a call and from an estimate.
const reason = await rejection(counter.step.staticCall(0n));
assert.equal(reason.code, "CALL_EXCEPTION");
assert.equal(reason.reason, "a step of zero");
for (const attempt of [counter.step.staticCall(5_000n), counter.step.estimateGas(5_000n), counter.step(5_000n)]) {
  const error = await rejection(attempt);
  assert.equal(error.code, "CALL_EXCEPTION");
  const parsed = counter.interface.parseError(error.data);
  assert.equal(parsed.name, "TooFar");
  assert.deepEqual([...parsed.args], [5_042n, 1_000n]);
}

// Sent without an estimate, it is mined and its receipt says that it failed.
const failed = await counter.step(0n, { gasLimit: 100_000n });
const failure = await rejection(failed.wait());
assert.equal(failure.receipt.status, 0);
assert.equal(failure.receipt.logs.length, 0);
assert.equal(await counter.value(), 42n);

provider.destroy();
