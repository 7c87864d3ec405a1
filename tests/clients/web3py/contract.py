"""Connects over HTTP, deploys, calls, sends, waits, reads logs and filters; reverts come through."""

from common import ARTEFACT, OTHER, OWNER, URL
from eth_utils import keccak
from web3 import Web3
from web3.exceptions import ContractCustomError, ContractLogicError, Web3RPCError
from web3.middleware import SignAndSendRawMiddlewareBuilder

w3 = Web3(Web3.HTTPProvider(URL))
for account in (OWNER, OTHER):
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
w3.eth.default_account = OWNER.address

assert w3.is_connected()
assert w3.eth.chain_id == 31337
assert w3.eth.block_number == 0
assert w3.eth.get_balance(OWNER.address) == 10**22
assert w3.client_version.startswith("lucid-node/")


def mined(sent):
    receipt = w3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.05)
    assert receipt["status"] == 1, receipt
    return receipt


blocks = w3.eth.filter("latest")
pending = w3.eth.filter("pending")
made = w3.eth.contract(abi=ARTEFACT["abi"], bytecode=ARTEFACT["bytecode"])
deployed = mined(made.constructor(7).transact())
counter = w3.eth.contract(address=deployed["contractAddress"], abi=ARTEFACT["abi"])
events = counter.events.Stepped.create_filter(from_block=0)
assert counter.functions.value().call() == 7
assert counter.functions.step(5).call() == 12

stepped = mined(counter.functions.step(5).transact())
other = mined(counter.functions.step(30).transact({"from": OTHER.address, "value": 3}))
assert counter.functions.value().call() == 42
assert counter.functions.value().call(block_identifier=deployed["blockNumber"]) == 7
assert 21_000 < counter.functions.step(5).estimate_gas() < 80_000

told = [(log["args"]["by"], log["args"]["step"], log["args"]["value"]) for log in counter.events.Stepped.get_logs(from_block=0)]
assert told == [(OWNER.address, 5, 12), (OTHER.address, 30, 42)], told
assert [log["args"]["step"] for log in events.get_new_entries()] == [5, 30]
assert events.get_new_entries() == []
assert len(events.get_all_entries()) == 2
hashes = [receipt["blockHash"] for receipt in (deployed, stepped, other)]
assert blocks.get_new_entries() == hashes
assert pending.get_new_entries() == [receipt["transactionHash"] for receipt in (deployed, stepped, other)]
for asked in (blocks, pending, events):
    assert w3.eth.uninstall_filter(asked.filter_id)
try:
    blocks.get_new_entries()
    raise AssertionError("a filter that is gone was answered")
except Web3RPCError as error:
    assert "filter not found" in str(error), error

to = Web3.to_checksum_address("0x" + "00" * 18 + "dead")
transfer = mined(w3.eth.send_transaction({"to": to, "value": 10**18}))
assert w3.eth.get_balance(to) == 10**18
block = w3.eth.get_block("latest", full_transactions=True)
assert block["transactions"][0]["hash"] == transfer["transactionHash"]
assert [receipt["transactionHash"] for receipt in w3.eth.get_block_receipts(block["number"])] == [transfer["transactionHash"]]
proof = w3.eth.get_proof(counter.address, [0], "latest")
assert keccak(proof["accountProof"][0]) == block["stateRoot"]
assert int.from_bytes(proof["storageProof"][0]["value"], "big") == 42
history = w3.eth.fee_history(2, "latest", [10, 90])
assert len(history["reward"]) == 2

try:
    counter.functions.step(0).call()
    raise AssertionError("a step of zero was answered")
except ContractLogicError as error:
    assert "a step of zero" in str(error), error
try:
    counter.functions.step(5_000).call()
    raise AssertionError("a step too far was answered")
except ContractCustomError as error:
    assert (5_042).to_bytes(32, "big").hex() in str(error.data), error
