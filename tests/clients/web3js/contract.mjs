// Connects, deploys, calls, sends, waits and reads logs; reverts come through.
import { strict as assert } from "node:assert";
import { counterArtefact, other, owner, web3 } from "./common.mjs";

assert.equal(await web3.eth.getChainId(), 31337n);
assert.equal(await web3.eth.getBlockNumber(), 0n);
assert.equal(await web3.eth.getBalance(owner), 10n ** 22n);
assert.equal(await web3.eth.net.getId(), 31337n);

const { abi, bytecode } = counterArtefact;
const contract = new web3.eth.Contract(abi);
const counter = await contract.deploy({ data: bytecode, arguments: [7] }).send({ from: owner });
assert.equal(await counter.methods.value().call(), 7n);
assert.equal(await counter.methods.step(5).call({ from: owner }), 12n);

const receipt = await counter.methods.step(5).send({ from: owner });
assert.equal(receipt.status, 1n);
assert.equal(receipt.events.Stepped.returnValues.value, 12n);
await counter.methods.step(30).send({ from: other, value: "3" });
assert.equal(await web3.eth.getBalance(counter.options.address), 3n);
const estimate = await counter.methods.step(5).estimateGas({ from: owner });
assert.ok(estimate > 21_000n && estimate < 80_000n, `${estimate}`);

const events = await counter.getPastEvents("Stepped", { fromBlock: 0 });
assert.deepEqual(events.map(({ returnValues }) => [returnValues.by, returnValues.step, returnValues.value]), [
  [owner, 5n, 12n],
  [other, 30n, 42n],
]);
assert.equal((await counter.getPastEvents("Stepped", { fromBlock: 0, filter: { by: other } })).length, 1);

const to = "0x000000000000000000000000000000000000dEaD";
const sent = await web3.eth.sendTransaction({ from: owner, to, value: "1000000000000000000" });
assert.equal(sent.status, 1n);
assert.equal(await web3.eth.getBalance(to), 10n ** 18n);
const block = await web3.eth.getBlock("latest", true);
assert.equal(block.transactions[0].hash, sent.transactionHash);
assert.equal((await web3.eth.getTransaction(sent.transactionHash)).blockHash, block.hash);
const proof = await web3.eth.getProof(counter.options.address, [`0x${"0".repeat(64)}`], "latest");
assert.equal(web3.utils.keccak256(proof.accountProof[0]), block.stateRoot);
assert.equal(proof.storageProof[0].value, 42n);

const refused = await counter.methods.step(0).call({ from: owner }).then(assert.fail, (error) => error);
assert.match(`${refused.message} ${refused.cause?.message}`, /a step of zero/);
const tooFar = await counter.methods.step(5000).call({ from: owner }).then(assert.fail, (error) => error);
assert.equal(tooFar.cause.errorName, "TooFar");
assert.deepEqual([tooFar.cause.errorArgs.wanted, tooFar.cause.errorArgs.most], [5_042n, 1_000n]);

process.exit(0);
