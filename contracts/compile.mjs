// Compiles the genesis contracts with the pinned solc and writes one artefact per contract into artefacts/.
// With --check it writes nothing, and fails where an artefact differs from what its source gives.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const artefacts = join(here, "artefacts");
const contracts = ["LucidAnchors", "LucidChunkStore", "LucidNodes"];

const settings = {
  // Genesis code is never paid for by the byte, so only the cost of running it counts.
  optimizer: { enabled: true, runs: 1000000 },
  viaIR: true,
  evmVersion: "osaka",
  // Code that does not depend on comments or file names.
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};

function compile() {
  const names = readdirSync(here).filter((name) => name.endsWith(".sol")).sort();
  const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(here, name), "utf8")]));
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(names.map((name) => [name, { content: texts[name] }])),
    settings: {
      ...settings,
      outputSelection: {
        "*": { "": ["ast"], "*": ["abi", "storageLayout", "evm.deployedBytecode", "evm.methodIdentifiers"] },
      },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  // A warning is mended or it is not committed.
  if (output.errors?.length) throw new Error(output.errors.map((error) => error.formattedMessage).join("\n"));
  return contracts.map((name) => [name, artefact(name, texts, output)]);
}

function artefact(name, texts, output) {
  const { abi, evm, storageLayout } = output.contracts[`${name}.sol`][name];
  const { object, linkReferences, immutableReferences } = evm.deployedBytecode;
  // Nobody runs a constructor for genesis code: it must be complete as it is.
  if (Object.keys({ ...linkReferences, ...immutableReferences }).length) {
    throw new Error(`${name} has links or immutables, which genesis code cannot have`);
  }
  const sources = [...imports(`${name}.sol`, output)].sort();
  const artefact = {
    contract: name,
    compiler: `solc ${solc.version()}`,
    settings,
    sourceSha256: Object.fromEntries(sources.map((file) => [file, sha256(texts[file])])),
    abi,
    methodIdentifiers: evm.methodIdentifiers,
    storageLayout: layout(storageLayout),
    runtimeBytecode: `0x${object}`,
  };
  return `${JSON.stringify(artefact, null, 2)}\n`;
}

/// A source and all that it imports, by file name.
function imports(file, output, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const node of output.sources[file].ast.nodes) {
    if (node.nodeType === "ImportDirective") imports(node.absolutePath, output, seen);
  }
  return seen;
}

/// Where variables lie, without the numbers that solc gives to nodes of its syntax tree.
function layout({ storage, types }) {
  const place = ({ label, slot, offset, type }) => ({ label, slot, offset, type: types[type].label });
  const structs = Object.values(types ?? {}).filter((type) => type.members);
  return {
    variables: storage.map(place),
    structs: Object.fromEntries(structs.map((type) => [type.label, type.members.map(place)])),
  };
}

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

const check = process.argv.includes("--check");
let differing = 0;
for (const [name, text] of compile()) {
  const file = join(artefacts, `${name}.json`);
  if (!check) {
    writeFileSync(file, text);
  } else if (readFileSync(file, "utf8") !== text) {
    console.error(`${name}: the artefact is not what the sources give; run: npm ci && npm run compile`);
    differing += 1;
  }
}
process.exitCode = differing ? 1 : 0;
