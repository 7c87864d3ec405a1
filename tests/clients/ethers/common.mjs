// What the scripts share. Each is run with the node's address and Counter.json, and fails with what it found.
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { HDNodeWallet, JsonRpcProvider, Mnemonic } from "ethers";

export const MNEMONIC = "test test test test test test test test test test test junk";

const [url, counter] = process.argv.slice(2);

/// As a user makes it, but for a chain that is quicker than ethers expects: it asks for news more often than every four
/// seconds, and does not repeat an answer of the last quarter of a second. The node takes 50 calls in a batch, and ethers
/// would send up to 100.
export const provider = new JsonRpcProvider(url, undefined, { cacheTimeout: -1, batchMaxCount: 50 });
provider.pollingInterval = 50;

export const counterArtefact = JSON.parse(readFileSync(counter, "utf8"));

/// The mnemonic's account at `index`, connected.
export function wallet(index) {
  const path = `m/44'/60'/0'/0/${index}`;
  return HDNodeWallet.fromMnemonic(Mnemonic.fromPhrase(MNEMONIC), path).connect(provider);
}

/// What a promise is rejected with; resolving is an error.
export async function rejection(promise) {
  const unexpected = Symbol();
  const error = await promise.then(() => unexpected, (reason) => reason);
  assert.notEqual(error, unexpected, "was not rejected");
  return error;
}

/// What does not come would be waited for without an end.
const PATIENCE_MS = 60_000;
setTimeout(() => {
  console.error(`not done after ${PATIENCE_MS} ms`);
  process.exit(1);
}, PATIENCE_MS).unref();
