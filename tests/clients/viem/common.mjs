// What the scripts share. Each is run with the node's address, Counter.json and how to reach the node (http or ws), and
// fails with what it found.
import { readFileSync } from "node:fs";
import { createPublicClient, createWalletClient, http, webSocket } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { foundry as chain } from "viem/chains";

const [url, counter, transport] = process.argv.slice(2);

const connection = transport === "ws" ? webSocket(url.replace("http", "ws")) : http(url);

/// As a user makes it, but asking for news more often than every four seconds where it asks at all.
export const client = createPublicClient({ chain, transport: connection, pollingInterval: 50, cacheTime: 0 });

export const counterArtefact = JSON.parse(readFileSync(counter, "utf8"));

/// Signs for the well-known account at `addressIndex` and sends.
export function wallet(addressIndex) {
  const account = mnemonicToAccount("test test test test test test test test test test test junk", { addressIndex });
  return createWalletClient({ chain, transport: connection, account, pollingInterval: 50 });
}

/// The receipt of what a promise has sent.
export async function mined(sent) {
  return client.waitForTransactionReceipt({ hash: await sent });
}

/// Closes a connection that would keep the script from ending.
export async function leave() {
  if (transport === "ws") {
    const { getRpcClient } = client.transport;
    (await getRpcClient()).close();
  }
  process.exit(0);
}

/// What does not come would be waited for without an end.
const PATIENCE_MS = 60_000;
setTimeout(() => {
  console.error(`not done after ${PATIENCE_MS} ms`);
  process.exit(1);
}, PATIENCE_MS).unref();
