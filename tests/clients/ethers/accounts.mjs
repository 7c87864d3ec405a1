// Connects as to any chain, and finds the well-known accounts with their money.
import { strict as assert } from "node:assert";
import { parseEther } from "ethers";
import { provider, wallet } from "./common.mjs";

const network = await provider.getNetwork();
assert.equal(network.chainId, 31337n);
assert.equal(await provider.getBlockNumber(), 0);

const expected = Array.from({ length: 10 }, (_, index) => wallet(index).address);
const accounts = await provider.listAccounts();
assert.deepEqual(accounts.map((account) => account.address), expected);

// Sent as one batch.
const balances = await Promise.all(expected.map((address) => provider.getBalance(address)));
assert.deepEqual(balances, expected.map(() => parseEther("10000")));

const genesis = await provider.getBlock(0);
assert.equal(genesis.number, 0);
assert.equal(genesis.transactions.length, 0);
assert.equal((await provider.getBlock(genesis.hash)).number, 0);
assert.equal(await provider.getBlock(1), null);

provider.destroy();
