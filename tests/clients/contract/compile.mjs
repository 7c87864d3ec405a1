// Compiles Counter.sol into Counter.json, with the solc that compiles the genesis contracts:
// `npm ci` in contracts/, then `node tests/clients/contract/compile.mjs`.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(new URL("../../../contracts/", import.meta.url))("solc");
const text = readFileSync(new URL("Counter.sol", import.meta.url), "utf8");
const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "osaka",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};
const input = {
  language: "Solidity",
  sources: { "Counter.sol": { content: text } },
  settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
if (output.errors?.length) throw new Error(output.errors.map((error) => error.formattedMessage).join("\n"));
const { abi, evm } = output.contracts["Counter.sol"].Counter;
const artefact = {
  compiler: `solc ${solc.version()}`,
  settings,
  sourceSha256: createHash("sha256").update(text).digest("hex"),
  abi,
  bytecode: `0x${evm.bytecode.object}`,
};
writeFileSync(new URL("Counter.json", import.meta.url), `${JSON.stringify(artefact, null, 2)}\n`);
