// Connects, deploys, calls, sends, waits and reads logs, proofs and receipts; reverts come through.
import { strict as assert } from "node:assert";
import { BaseError, ContractFunctionRevertedError, keccak256, parseEther } from "viem";
import { client, counterArtefact, leave, mined, wallet } from "./common.mjs";

const { abi, bytecode } = counterArtefact;
const owner = wallet(0);
const other = wallet(1);

assert.equal(await client.getChainId(), 31337);
assert.equal(await client.getBlockNumber(), 0n);
assert.equal(await client.getBalance({ address: owner.account.address }), parseEther("10000"));

const deployed = await mined(owner.deployContract({ abi, bytecode, args: [7n] }));
assert.equal(deployed.status, "success");
const address = deployed.contractAddress;
const read = (more) => client.readContract({ address, abi, functionName: "value", ...more });
assert.equal(await read(), 7n);

const step = (by, more) => ({ address, abi, functionName: "step", args: [by], ...more });
const simulated = await client.simulateContract({ ...step(5n), account: owner.account });
assert.equal(simulated.result, 12n);
const stepped = await mined(owner.writeContract(simulated.request));
assert.equal(stepped.status, "success");
assert.equal(await read(), 12n);
assert.equal(await read({ blockNumber: deployed.blockNumber }), 7n);
await mined(other.writeContract(step(30n, { value: 3n })));

const logs = await client.getContractEvents({ address, abi, eventName: "Stepped", fromBlock: 0n });
assert.deepEqual(logs.map(({ args }) => [args.by, args.step, args.value]), [
  [owner.account.address, 5n, 12n],
  [other.account.address, 30n, 42n],
]);
assert.equal(logs[0].transactionHash, stepped.transactionHash);

// Transfers, with and without EIP-1559.
const to = "0x000000000000000000000000000000000000dEaD";
const transfer = await mined(owner.sendTransaction({ to, value: parseEther("1") }));
const legacy = await mined(owner.sendTransaction({ to, value: 1n, type: "legacy" }));
assert.deepEqual([transfer.type, legacy.type], ["eip1559", "legacy"]);
assert.equal(await client.getBalance({ address: to }), parseEther("1") + 1n);

// A proof of the contract's slot against the last block.
const slot = `0x${"0".repeat(64)}`;
const block = await client.getBlock();
const proof = await client.getProof({ address, storageKeys: [slot] });
assert.equal(keccak256(proof.accountProof[0]), block.stateRoot);
assert.equal(keccak256(proof.storageProof[0].proof[0]), proof.storageHash);
assert.equal(proof.storageProof[0].value, 42n);

const receipts = await client.request({ method: "eth_getBlockReceipts", params: [block.hash] });
assert.deepEqual(receipts.map((receipt) => receipt.transactionHash), [legacy.transactionHash]);

// A reason, and a custom error with its arguments.
async function revert(by) {
  const error = await client.simulateContract({ ...step(by), account: owner.account }).then(assert.fail, (error) => error);
  assert.ok(error instanceof BaseError, error);
  return error.walk((cause) => cause instanceof ContractFunctionRevertedError);
}
assert.equal((await revert(0n)).reason, "a step of zero");
const tooFar = (await revert(5_000n)).data;
assert.deepEqual([tooFar.errorName, tooFar.args], ["TooFar", [5_042n, 1_000n]]);

await leave();
