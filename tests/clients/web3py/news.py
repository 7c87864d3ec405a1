"""Subscribes over a WebSocket to heads, logs and waiting transactions, and sends over the same connection."""

import asyncio

from common import ARTEFACT, OWNER, SOCKET_URL
from web3 import AsyncWeb3, WebSocketProvider
from web3.middleware import SignAndSendRawMiddlewareBuilder

STEPS = [2, 3, 4]


async def main():
    async with AsyncWeb3(WebSocketProvider(SOCKET_URL)) as w3:
        w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(OWNER), layer=0)
        w3.eth.default_account = OWNER.address
        assert await w3.eth.chain_id == 31337

        made = w3.eth.contract(abi=ARTEFACT["abi"], bytecode=ARTEFACT["bytecode"])
        deployed = await w3.eth.wait_for_transaction_receipt(await made.constructor(0).transact(), poll_latency=0.05)
        counter = w3.eth.contract(address=deployed["contractAddress"], abi=ARTEFACT["abi"])

        heads = await w3.eth.subscribe("newHeads")
        logs = await w3.eth.subscribe("logs", {"address": counter.address})
        hashes = await w3.eth.subscribe("newPendingTransactions")
        assert all(subscription.startswith("0x") for subscription in (heads, logs, hashes))
        sent = [await counter.functions.step(by).transact() for by in STEPS]
        receipts = [await w3.eth.wait_for_transaction_receipt(hash, poll_latency=0.05) for hash in sent]
        last = receipts[-1]["blockNumber"]

        heard = {heads: [], logs: [], hashes: []}
        async for message in w3.socket.process_subscriptions():
            heard[message["subscription"]].append(message["result"])
            enough = len(heard[logs]) >= 3 and len(heard[hashes]) >= 3
            if enough and heard[heads] and heard[heads][-1]["number"] == last:
                break
        assert heard[hashes] == sent, heard[hashes]
        assert [int.from_bytes(log["topics"][2], "big") for log in heard[logs]] == STEPS
        # Several transactions may have come into one block, but no block is left out. A receipt can be had a moment before
        # its block is news, so the block of the deployment may be the first.
        numbers = [head["number"] for head in heard[heads]]
        assert numbers[0] - deployed["blockNumber"] in (0, 1), (numbers, deployed["blockNumber"])
        assert numbers == list(range(numbers[0], last + 1)), (numbers, last)
        for receipt in receipts:
            head = heard[heads][receipt["blockNumber"] - numbers[0]]
            assert head["hash"] == receipt["blockHash"]
        for subscription in (heads, logs, hashes):
            assert await w3.eth.unsubscribe(subscription)


asyncio.run(asyncio.wait_for(main(), 60))
