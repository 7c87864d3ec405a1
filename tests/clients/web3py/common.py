"""What the scripts share. Each is run with the node's address and Counter.json, and fails with what it found."""

import json
import sys
from pathlib import Path

from eth_account import Account

URL = sys.argv[1]
SOCKET_URL = URL.replace("http", "ws")
ARTEFACT = json.loads(Path(sys.argv[2]).read_text())

# The first two well-known accounts.
OWNER = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OTHER = Account.from_key("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
