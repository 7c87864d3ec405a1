"""What the tests ask the server with the driver that Python programs use. Answers are JSON."""

import json
import pathlib
import sys

import bson
import pymongo
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

RAW = CodecOptions(document_class=RawBSONDocument)


def compare(client, database, folder):
    """Every document and index of a dump is on the server, byte for byte, and nothing else is."""
    counts = {}
    for path in sorted(pathlib.Path(folder).glob("*.bson")):
        name = path.stem
        expected = {}
        with path.open("rb") as file:
            for document in bson.decode_file_iter(file, RAW):
                expected[document["_id"]] = document.raw
        collection = client[database].get_collection(name, codec_options=RAW)
        found = {document["_id"]: document.raw for document in collection.find()}
        wrong = [id for id in expected.keys() | found.keys() if expected.get(id) != found.get(id)]
        if wrong:
            first = min(wrong)
            shown = [bson.decode(raw) if raw else None for raw in (expected.get(first), found.get(first))]
            raise SystemExit(f"{name}: {len(wrong)} documents differ, the first: {shown}")
        if expected:
            metadata = json.loads(path.with_suffix(".metadata.json").read_text())
            wanted = {
                index["name"]: ([*index["key"]], index.get("unique", False)) for index in metadata["indexes"]
            }
            there = {
                name: ([field for field, _ in index["key"]], index.get("unique", False))
                for name, index in client[database][name].index_information().items()
            }
            if wanted != there:
                raise SystemExit(f"{name}: the indexes are {there} and not {wanted}")
        counts[name] = len(found)
    return counts


def ask(client, what, arguments):
    if what == "ping":
        return client.admin.command("ping")["ok"]
    if what == "compare":
        return compare(client, *arguments)
    if what == "count":
        database, name = arguments
        return client[database][name].count_documents({})
    if what == "drop":
        database, *name = arguments
        return client.drop_database(database) if not name else client[database].drop_collection(*name) and None
    if what == "insert":
        database, name, documents = arguments
        client[database][name].insert_many(json.loads(documents))
        return None
    if what == "names":
        (database,) = arguments
        names = client[database].list_collection_names()
        return {name: sorted(client[database][name].index_information()) for name in names}
    if what == "user":
        name, password = arguments
        client.admin.command("createUser", name, pwd=password, roles=["root"])
        return None
    raise SystemExit(f"{what} is nothing that can be asked")


uri, what, *arguments = sys.argv[1:]
with pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000) as client:
    print(json.dumps(ask(client, what, arguments)))
